-- Invitations into a workspace, for 7 days at most. A row is one that waits: accepted or withdrawn, it is no more.

CREATE TABLE invitations (
    token_hash TEXT PRIMARY KEY CONSTRAINT invitations_hash CHECK (length(token_hash) = 64),
    id TEXT NOT NULL,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL CONSTRAINT invitations_role CHECK (role IN ('member', 'admin')),
    invited_by TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT invitations_ttl CHECK (expires_at > created_at AND expires_at - created_at <= 604800000000)
);
CREATE UNIQUE INDEX invitations_id ON invitations (id);
CREATE UNIQUE INDEX invitations_address ON invitations (workspace_id, email);
CREATE INDEX invitations_of_workspace ON invitations (workspace_id, created_at, id);
CREATE INDEX invitations_expiry ON invitations (expires_at);
CREATE INDEX pairing_tokens_live_of_workspace ON pairing_tokens (workspace_id, user_id)
    WHERE used_at IS NULL AND revoked_at IS NULL;
