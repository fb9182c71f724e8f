-- People's sign-in: who they are at an identity provider, their sessions, and sign-ins under way.

CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    CONSTRAINT identities_key PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id, created_at);

-- `idle` is a length in microseconds; `ends_at` is when the session ends if it is not used again.
CREATE TABLE user_sessions (
    token_hash TEXT PRIMARY KEY CONSTRAINT user_sessions_hash CHECK (length(token_hash) = 64),
    id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    absolute_expires_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    idp_sid TEXT,
    id_token TEXT
);
CREATE UNIQUE INDEX user_sessions_id ON user_sessions (id);
CREATE INDEX user_sessions_of_user ON user_sessions (user_id, last_seen_at, id);
CREATE INDEX user_sessions_of_idp ON user_sessions (issuer, subject);
CREATE INDEX user_sessions_of_sid ON user_sessions (issuer, idp_sid) WHERE idp_sid IS NOT NULL;
CREATE INDEX user_sessions_end ON user_sessions (ends_at);

CREATE TABLE pending_logins (
    state_hash TEXT PRIMARY KEY CONSTRAINT pending_logins_hash CHECK (length(state_hash) = 64),
    browser_hash TEXT NOT NULL,
    nonce TEXT NOT NULL,
    code_verifier TEXT NOT NULL,
    return_to TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pending_logins_of_browser ON pending_logins (browser_hash, created_at, state_hash);
CREATE INDEX pending_logins_by_age ON pending_logins (created_at, state_hash);
CREATE INDEX pending_logins_expiry ON pending_logins (expires_at);
