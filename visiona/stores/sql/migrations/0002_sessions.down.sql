-- Loses: people's sessions, and which account is whose at the identity provider.

DROP TABLE pending_logins;
DROP TABLE user_sessions;
DROP TABLE identities;
