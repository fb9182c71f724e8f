-- Loses: invitations that nobody has accepted yet.

DROP INDEX pairing_tokens_live_of_workspace;
DROP TABLE invitations;
