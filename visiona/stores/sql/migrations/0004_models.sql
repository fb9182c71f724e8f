-- Models: what runs on accelerators. A built-in one is everybody's; each other belongs to a workspace, and to whoever
-- brought it. `metrics` is JSON; where the file lies is in `faa_object_key`, which stays here.

CREATE TABLE models (
    id TEXT PRIMARY KEY,
    workspace_id TEXT REFERENCES workspaces (id),
    user_id TEXT REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT,
    version TEXT NOT NULL,
    target_chips @texts@ NOT NULL,
    file_size BIGINT NOT NULL CONSTRAINT models_size CHECK (file_size >= 0),
    sha256 TEXT NOT NULL CONSTRAINT models_sha256 CHECK (length(sha256) = 64),
    source TEXT NOT NULL CONSTRAINT models_source CHECK (source IN ('uploaded', 'converted', 'builtin')),
    status TEXT NOT NULL CONSTRAINT models_status CHECK (status IN ('pending', 'ready')),
    license TEXT,
    metrics TEXT,
    faa_object_key TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    CONSTRAINT models_of_somebody CHECK (
        (source = 'builtin') = (workspace_id IS NULL) AND (source = 'builtin') = (user_id IS NULL)
    )
);
CREATE UNIQUE INDEX models_object_key ON models (faa_object_key) WHERE faa_object_key IS NOT NULL;
-- An empty text stands for no workspace: NULL would equal nothing.
CREATE INDEX models_of_owner ON models (coalesce(workspace_id, ''), user_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX models_of_owner_and_source ON models (coalesce(workspace_id, ''), user_id, source, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX models_of_source ON models (coalesce(workspace_id, ''), source, created_at, id) WHERE deleted_at IS NULL;
-- Chips are few and most pages are found along the newest; what only a few models are for has an index by elements
-- where the database has such, and elsewhere stands in the index that is walked, so that no row is read in vain.
@postgresql@CREATE INDEX models_of_workspace ON models (coalesce(workspace_id, ''), created_at, id) WHERE deleted_at IS NULL;
@postgresql@CREATE INDEX models_of_chip ON models USING gin (target_chips) WHERE deleted_at IS NULL;
@sqlite@CREATE INDEX models_of_workspace ON models (coalesce(workspace_id, ''), created_at, id, target_chips) WHERE deleted_at IS NULL;
