-- Loses: everything.

DROP TABLE notices;
DROP TABLE device_events;
DROP TABLE session_tokens;
DROP TABLE pairing_tokens;
DROP TABLE devices;
DROP TABLE access_tokens;
DROP TABLE memberships;
DROP TABLE workspaces;
DROP TABLE users;
