-- The audit log: who did what to what, from where. It outlives what it names, so it refers to nothing. `details` is JSON.

CREATE TABLE audit_entries (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    deed TEXT NOT NULL,
    outcome TEXT NOT NULL,
    user_id TEXT,
    email TEXT,
    credential_id TEXT,
    through TEXT NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    workspace_id TEXT,
    subject TEXT,
    details TEXT
);
CREATE INDEX audit_entries_at ON audit_entries (at, id);
CREATE INDEX audit_entries_of_deed ON audit_entries (deed, at, id);
CREATE INDEX audit_entries_of_user ON audit_entries (user_id, at, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_entries_of_workspace ON audit_entries (workspace_id, at, id) WHERE workspace_id IS NOT NULL;
CREATE INDEX audit_entries_of_subject ON audit_entries (subject, at, id) WHERE subject IS NOT NULL;
