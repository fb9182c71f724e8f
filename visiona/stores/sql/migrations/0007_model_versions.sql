-- A model is found by its name and version, when it is brought once more.

CREATE INDEX models_of_version ON models (workspace_id, name, version, created_at, id) WHERE deleted_at IS NULL;
