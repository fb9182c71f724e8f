-- Links that work once, for 15 minutes at most: the first administrator's (of nobody yet), and those that sign in.

CREATE TABLE one_time_links (
    link_hash TEXT PRIMARY KEY CONSTRAINT one_time_links_hash CHECK (length(link_hash) = 64),
    purpose TEXT NOT NULL CONSTRAINT one_time_links_purpose CHECK (purpose IN ('first_admin', 'sign_in')),
    user_id TEXT REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    CONSTRAINT one_time_links_of_somebody CHECK ((purpose = 'first_admin') = (user_id IS NULL)),
    CONSTRAINT one_time_links_ttl CHECK (expires_at > created_at AND expires_at - created_at <= 900000000)
);
CREATE INDEX one_time_links_live ON one_time_links (purpose, coalesce(user_id, '')) WHERE used_at IS NULL;
CREATE INDEX one_time_links_expiry ON one_time_links (expires_at);
CREATE INDEX users_with_password ON users (id) WHERE password_hash IS NOT NULL;
