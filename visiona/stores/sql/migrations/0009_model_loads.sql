-- Loads of models onto accelerators: what goes on, what is on each accelerator, and what became of the last ones.
-- A load that goes on is its holder's until `leased_until`; whoever finds that past may take it. `stop_asked_at`
-- asks its holder to end it.

CREATE TABLE model_loads (
    id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    accelerator TEXT NOT NULL,
    chip TEXT NOT NULL,
    model_id TEXT NOT NULL REFERENCES models (id),
    model_name TEXT NOT NULL,
    model_version TEXT NOT NULL,
    sha256 TEXT NOT NULL CONSTRAINT model_loads_sha256 CHECK (length(sha256) = 64),
    size BIGINT NOT NULL CONSTRAINT model_loads_size CHECK (size >= 0),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    token_id TEXT,
    state TEXT NOT NULL
        CONSTRAINT model_loads_state CHECK (state IN ('queued', 'pushing', 'flashing', 'active', 'failed')),
    sent_bytes BIGINT NOT NULL,
    device_model_id TEXT,
    fault TEXT,
    sentence TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    flashing_at BIGINT,
    ended_at BIGINT,
    current_since BIGINT,
    holder TEXT NOT NULL,
    leased_until BIGINT NOT NULL,
    stop_asked_at BIGINT,
    CONSTRAINT model_loads_end CHECK ((ended_at IS NOT NULL) = (state IN ('active', 'failed'))),
    CONSTRAINT model_loads_fault CHECK ((fault IS NOT NULL) = (state = 'failed')),
    CONSTRAINT model_loads_held CHECK (current_since IS NULL OR state = 'active')
);
CREATE UNIQUE INDEX model_loads_live ON model_loads (device_id, accelerator) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX model_loads_current ON model_loads (device_id, accelerator) WHERE current_since IS NOT NULL;
CREATE INDEX model_loads_of_device ON model_loads (device_id, created_at, id);
CREATE INDEX model_loads_leases ON model_loads (leased_until, id) WHERE ended_at IS NULL;
CREATE INDEX model_loads_of_holder ON model_loads (holder, id) WHERE ended_at IS NULL;
CREATE INDEX model_loads_ends ON model_loads (ended_at) WHERE ended_at IS NOT NULL AND current_since IS NULL;
