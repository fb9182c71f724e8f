-- Moments are microseconds since 1970, UTC. Ids are made by the application. Lists are JSON.
-- What the domain promises is enforced here too: a bug above must not become a fact below.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT,
    is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    personal_of TEXT REFERENCES users (id),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    CONSTRAINT workspaces_personal_stays CHECK (personal_of IS NULL OR deleted_at IS NULL)
);
CREATE UNIQUE INDEX workspaces_personal_of ON workspaces (personal_of) WHERE personal_of IS NOT NULL;

CREATE TABLE memberships (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CONSTRAINT memberships_role CHECK (role IN ('member', 'admin', 'owner')),
    created_at BIGINT NOT NULL,
    CONSTRAINT memberships_key PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_of_user ON memberships (user_id);

CREATE TABLE access_tokens (
    token_hash TEXT PRIMARY KEY CONSTRAINT access_tokens_hash CHECK (length(token_hash) = 64),
    id TEXT NOT NULL,
    prefix TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    CONSTRAINT access_tokens_ttl CHECK (expires_at > created_at)
);
CREATE UNIQUE INDEX access_tokens_id ON access_tokens (id);
CREATE INDEX access_tokens_of_user ON access_tokens (user_id, created_at, id);

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    device_type TEXT NOT NULL,
    serial_number TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    agent_version TEXT,
    instance TEXT,
    tags TEXT NOT NULL,
    accelerators TEXT NOT NULL,
    last_seen_at BIGINT,
    last_connected_at BIGINT,
    offline_cause TEXT,
    offline_detail TEXT,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX devices_serial_number ON devices (workspace_id, serial_number) WHERE deleted_at IS NULL;
CREATE INDEX devices_of_workspace ON devices (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX devices_by_age ON devices (created_at, id) WHERE deleted_at IS NULL;

-- 15 minutes at most.
CREATE TABLE pairing_tokens (
    token_hash TEXT PRIMARY KEY CONSTRAINT pairing_tokens_hash CHECK (length(token_hash) = 64),
    id TEXT NOT NULL,
    prefix TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    revoked_at BIGINT,
    device_id TEXT REFERENCES devices (id),
    replay_hash TEXT,
    CONSTRAINT pairing_tokens_ttl CHECK (expires_at > created_at AND expires_at - created_at <= 900000000)
);
CREATE UNIQUE INDEX pairing_tokens_id ON pairing_tokens (id);
CREATE INDEX pairing_tokens_of_user ON pairing_tokens (user_id, created_at, id);
CREATE INDEX pairing_tokens_live ON pairing_tokens (user_id, expires_at)
    WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE INDEX pairing_tokens_of_device ON pairing_tokens (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX pairing_tokens_expiry ON pairing_tokens (expires_at);

-- 90 days at most.
CREATE TABLE session_tokens (
    token_hash TEXT PRIMARY KEY CONSTRAINT session_tokens_hash CHECK (length(token_hash) = 64),
    id TEXT NOT NULL,
    prefix TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    pairing_token_id TEXT REFERENCES pairing_tokens (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    CONSTRAINT session_tokens_ttl CHECK (expires_at > created_at AND expires_at - created_at <= 7776000000000)
);
CREATE UNIQUE INDEX session_tokens_id ON session_tokens (id);
CREATE INDEX session_tokens_of_user ON session_tokens (user_id, created_at, id);
CREATE INDEX session_tokens_of_device ON session_tokens (device_id, created_at, id);
CREATE INDEX session_tokens_of_pairing_token ON session_tokens (pairing_token_id)
    WHERE pairing_token_id IS NOT NULL;
CREATE INDEX session_tokens_expiry ON session_tokens (expires_at);

CREATE TABLE device_events (
    id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    cause TEXT,
    detail TEXT
);
CREATE INDEX device_events_of_device ON device_events (device_id, at, id);
CREATE INDEX device_events_by_age ON device_events (at);

-- Ids grow in the order of commits and are never given twice.
CREATE TABLE notices (
    id @auto_id@,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL
);
