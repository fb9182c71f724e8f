"""A PostgreSQL database with so many rows in every table that reading one of them whole is never worth it."""

import asyncpg

# Moments go on from 2030, where tests live.
_FROM = 1_893_456_000_000_000

_ROWS = f"""
INSERT INTO users SELECT 'u' || n, 'u' || n || '@example.com', '', CASE WHEN n % 50 = 0 THEN 'x' END, FALSE, n, NULL
    FROM generate_series(1, 2000) n;
INSERT INTO workspaces SELECT 'w' || n, '', 'u' || n, n, n, NULL FROM generate_series(1, 2000) n;
INSERT INTO memberships SELECT 'w' || n, 'u' || n, 'owner', n FROM generate_series(1, 2000) n;
INSERT INTO access_tokens (token_hash, id, prefix, user_id, name, scopes, created_at, expires_at, made_with)
    SELECT lpad(n::text, 64, '0'), 'a' || n, '', 'u' || n % 2000 + 1, '', '[]', {_FROM} + n, {_FROM} + n * 1000000,
        'a' || n / 2
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO devices (id, workspace_id, user_id, name, device_type, serial_number, created_at, updated_at, tags,
        accelerators)
    SELECT 'd' || n, 'w' || n % 2000 + 1, 'u' || n % 2000 + 1, '', '', 'S' || n, n, n, '{{}}', '[]'
    FROM generate_series(1, 20000) n;
INSERT INTO pairing_tokens (token_hash, id, prefix, user_id, workspace_id, created_at, expires_at, device_id)
    SELECT lpad(n::text, 64, '0'), 'p' || n, '', 'u' || n % 2000 + 1, 'w' || n % 2000 + 1, {_FROM} + n * 1000000,
        {_FROM} + n * 1000000 + 1, 'd' || n
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO session_tokens (token_hash, id, prefix, user_id, workspace_id, device_id, pairing_token_id, created_at,
        expires_at)
    SELECT lpad(n::text, 64, '0'), 's' || n, '', 'u' || n % 2000 + 1, 'w' || n % 2000 + 1, 'd' || n, 'p' || n,
        {_FROM} + n * 1000000, {_FROM} + n * 1000000 + 1
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO device_events SELECT 'e' || n, 'd' || n % 200 + 1, 'connected', {_FROM} + n * 1000000, NULL, NULL
    FROM generate_series(1::bigint, 40000) n;
INSERT INTO notices (kind, subject, at) SELECT 'user_disabled', 'subject', {_FROM} + n * 1000000
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO identities SELECT 'https://id.example', 'u' || n, 'u' || n, n FROM generate_series(1, 2000) n;
INSERT INTO user_sessions SELECT lpad(n::text, 64, '0'), 'u' || n, 'u' || n % 2000 + 1, n, n, n, n,
        {_FROM} + n * 1000000, '', '', 'https://id.example', 'u' || n % 2000 + 1, 'sid' || n, NULL
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO pending_logins SELECT lpad(n::text, 64, '0'), 'b' || n % 1000, '', '', '/', {_FROM} + n * 1000000,
        {_FROM} + n * 1000000 + 1
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO one_time_links SELECT lpad(n::text, 64, '0'), 'sign_in', 'u' || n % 2000 + 1, {_FROM} + n * 1000000,
        {_FROM} + n * 1000000 + 1, CASE WHEN n % 10 = 0 THEN NULL ELSE 1 END
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO invitations SELECT lpad(n::text, 64, '0'), 'i' || n, 'w' || n % 2000 + 1, n || '@example.com', 'member',
        'u' || n % 2000 + 1, {_FROM} + n * 1000000, {_FROM} + n * 1000000 + 1
    FROM generate_series(1::bigint, 10000) n;
INSERT INTO models (id, workspace_id, user_id, name, version, target_chips, file_size, sha256, source, status,
        created_at, updated_at)
    SELECT 'm' || n, 'w' || n % 10 + 1, 'u' || n % 100 + 1, '', '', ARRAY['KL520', 'RARE' || n % 2000], 1,
        repeat('a', 64), CASE WHEN n % 7 = 0 THEN 'converted' ELSE 'uploaded' END, 'ready', n, n
    FROM generate_series(1, 20000) n;
INSERT INTO model_loads (id, device_id, accelerator, chip, model_id, model_name, model_version, sha256, size, workspace_id,
        user_id, state, sent_bytes, fault, created_at, updated_at, ended_at, current_since, holder, leased_until)
    SELECT 'l' || n, 'd' || n % 1000 + 1, 'a' || n, '', 'm' || n, '', '', repeat('a', 64), 1, 'w1', 'u1',
        CASE WHEN n % 10 = 0 THEN 'pushing' WHEN n % 10 = 1 THEN 'active' ELSE 'failed' END, 0,
        CASE WHEN n % 10 > 1 THEN 'CANCELLED' END, n, n, CASE WHEN n % 10 > 0 THEN {_FROM} + n * 1000000 END,
        CASE WHEN n % 10 = 1 THEN n END, 'h' || n % 100, {_FROM} + n * 1000000
    FROM generate_series(1::bigint, 20000) n;
INSERT INTO audit_entries SELECT lpad(n::text, 36, '0'), {_FROM} + n * 1000000,
        CASE WHEN n % 100 = 0 THEN 'paired' ELSE 'sign_in' END, 'ok', 'u' || n % 2000 + 1, '', NULL, 'session', '', '',
        'w' || n % 2000 + 1, 's' || n % 5000, NULL
    FROM generate_series(1::bigint, 40000) n;
"""


async def fill(connection: asyncpg.Connection) -> None:
    """Fills every table of our schema, and has the database look at what it holds.

    Models: 20,000 in the workspaces w1 … w10, 200 for each of the owners u1 … u100, one in seven converted, all of
    them for KL520 and ten for each of RARE0 … RARE1999.
    """
    await connection.execute(_ROWS)
    await connection.execute("VACUUM ANALYZE")
