-- Loses: which access token was made with which; revoking one no longer revokes those made with it.

ALTER TABLE access_tokens DROP COLUMN made_with;
