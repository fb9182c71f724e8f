"""Devices' tokens in SQL."""

from datetime import datetime

from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.tokens import SessionToken
from visiona.stores.sql.columns import to_micros, to_micros_or_none, to_moment, to_moment_or_none
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = (
    "id, token_hash, prefix, user_id, workspace_id, device_id, pairing_token_id, created_at, expires_at, "
    "revoked_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM session_tokens"


class SqlSessionTokens:
    """See interfaces.SessionTokenStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, token: SessionToken) -> None:
        await self._tx.execute(
            f"INSERT INTO session_tokens ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            token.id,
            token.hash,
            token.prefix,
            token.user_id,
            token.workspace_id,
            token.device_id,
            token.pairing_token_id,
            to_micros(token.created_at),
            to_micros(token.expires_at),
            to_micros_or_none(token.revoked_at),
        )

    async def get_or_none(self, token_id: TokenId) -> SessionToken | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", token_id)
        return _token(row) if row is not None else None

    async def by_hash_or_none(self, token_hash: str) -> SessionToken | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE token_hash = $1", token_hash)
        return _token(row) if row is not None else None

    async def list_of_user(self, user_id: UserId, limit: int) -> list[SessionToken]:
        sql = f"{_SELECT} WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        return [_token(row) for row in await self._tx.fetch_all(sql, user_id, limit)]

    async def list_of_device(self, device_id: DeviceId, limit: int) -> list[SessionToken]:
        sql = f"{_SELECT} WHERE device_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        return [_token(row) for row in await self._tx.fetch_all(sql, device_id, limit)]

    async def revoke(self, token_id: TokenId, at: datetime) -> bool:
        sql = "UPDATE session_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
        return await self._tx.execute(sql, token_id, to_micros(at)) == 1

    async def revoke_of_device(self, device_id: DeviceId, at: datetime) -> list[TokenId]:
        sql = """UPDATE session_tokens SET revoked_at = $2
            WHERE device_id = $1 AND revoked_at IS NULL RETURNING id"""
        return [TokenId(row[0]) for row in await self._tx.fetch_all(sql, device_id, to_micros(at))]

    async def move_of_device(self, device_id: DeviceId, workspace_id: WorkspaceId, user_id: UserId) -> None:
        sql = "UPDATE session_tokens SET workspace_id = $2, user_id = $3, pairing_token_id = NULL WHERE device_id = $1"
        await self._tx.execute(sql, device_id, workspace_id, user_id)

    async def revoke_of_pairing_token(self, pairing_token_id: TokenId, at: datetime) -> list[TokenId]:
        sql = """UPDATE session_tokens SET revoked_at = $2
            WHERE pairing_token_id = $1 AND revoked_at IS NULL RETURNING id"""
        return [TokenId(row[0]) for row in await self._tx.fetch_all(sql, pairing_token_id, to_micros(at))]

    async def purge(self, ended_before: datetime, limit: int) -> int:
        sql = """DELETE FROM session_tokens WHERE token_hash IN
            (SELECT token_hash FROM session_tokens WHERE expires_at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_before), limit)


def _token(row: Row) -> SessionToken:
    return SessionToken(
        id=TokenId(row[0]),
        hash=row[1],
        prefix=row[2],
        user_id=UserId(row[3]),
        workspace_id=WorkspaceId(row[4]),
        device_id=DeviceId(row[5]),
        pairing_token_id=TokenId(row[6]) if row[6] is not None else None,
        created_at=to_moment(row[7]),
        expires_at=to_moment(row[8]),
        revoked_at=to_moment_or_none(row[9]),
    )
