"""Personal access tokens in SQL."""

from datetime import datetime

from visiona.domain.access import Scope
from visiona.domain.ids import TokenId, UserId
from visiona.domain.tokens import AccessToken
from visiona.stores.sql.columns import (
    from_texts,
    to_micros,
    to_micros_or_none,
    to_moment,
    to_moment_or_none,
    to_texts,
)
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = "id, token_hash, prefix, user_id, name, scopes, created_at, expires_at, revoked_at, last_used_at, made_with"
_SELECT = f"SELECT {_COLUMNS} FROM access_tokens"

_SCOPES = frozenset(scope.value for scope in Scope)


class SqlAccessTokens:
    """See interfaces.AccessTokenStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, token: AccessToken) -> None:
        await self._tx.execute(
            f"INSERT INTO access_tokens ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            token.id,
            token.hash,
            token.prefix,
            token.user_id,
            token.name,
            from_texts(sorted(scope.value for scope in token.scopes)),
            to_micros(token.created_at),
            to_micros_or_none(token.expires_at),
            to_micros_or_none(token.revoked_at),
            to_micros_or_none(token.last_used_at),
            token.made_with,
        )

    async def get_or_none(self, token_id: TokenId) -> AccessToken | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", token_id)
        return _token(row) if row is not None else None

    async def by_hash_or_none(self, token_hash: str) -> AccessToken | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE token_hash = $1", token_hash)
        return _token(row) if row is not None else None

    async def list_of_user(self, user_id: UserId, limit: int) -> list[AccessToken]:
        sql = f"{_SELECT} WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        return [_token(row) for row in await self._tx.fetch_all(sql, user_id, limit)]

    async def count_live(self, user_id: UserId, now: datetime) -> int:
        row = await self._tx.fetch_one(
            """SELECT count(*) FROM access_tokens
            WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)""",
            user_id,
            to_micros(now),
        )
        return int(row[0]) if row is not None else 0

    async def list_made_with(self, user_id: UserId, token_id: TokenId, limit: int) -> list[AccessToken]:
        sql = f"""{_SELECT} WHERE user_id = $1 AND made_with = $2 AND revoked_at IS NULL
            ORDER BY created_at DESC, id DESC LIMIT $3"""
        return [_token(row) for row in await self._tx.fetch_all(sql, user_id, token_id, limit)]

    async def revoke(self, token_id: TokenId, at: datetime) -> bool:
        sql = "UPDATE access_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
        return await self._tx.execute(sql, token_id, to_micros(at)) == 1

    async def touch(self, token_id: TokenId, at: datetime) -> None:
        sql = "UPDATE access_tokens SET last_used_at = $2 WHERE id = $1"
        await self._tx.execute(sql, token_id, to_micros(at))

    async def purge(self, ended_before: datetime, limit: int) -> int:
        sql = """DELETE FROM access_tokens WHERE token_hash IN
            (SELECT token_hash FROM access_tokens WHERE revoked_at < $1 OR expires_at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_before), limit)


def _token(row: Row) -> AccessToken:
    (
        token_id,
        token_hash,
        prefix,
        user_id,
        name,
        scopes,
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
        made_with,
    ) = row
    return AccessToken(
        id=TokenId(token_id),
        hash=token_hash,
        prefix=prefix,
        user_id=UserId(user_id),
        name=name,
        # What only a newer server knows gives nothing here.
        scopes=frozenset(Scope(scope) for scope in to_texts(scopes) if scope in _SCOPES),
        created_at=to_moment(created_at),
        expires_at=to_moment_or_none(expires_at),
        revoked_at=to_moment_or_none(revoked_at),
        last_used_at=to_moment_or_none(last_used_at),
        made_with=TokenId(made_with) if made_with is not None else None,
    )
