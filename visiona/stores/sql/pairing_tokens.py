"""One-time tokens in SQL."""

from datetime import datetime

from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.pairing import PairingToken
from visiona.stores.sql.columns import to_micros, to_micros_or_none, to_moment, to_moment_or_none
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = (
    "id, token_hash, prefix, user_id, workspace_id, name, created_at, expires_at, used_at, revoked_at, "
    "device_id, replay_hash"
)
_SELECT = f"SELECT {_COLUMNS} FROM pairing_tokens"


class SqlPairingTokens:
    """See interfaces.PairingTokenStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, token: PairingToken) -> None:
        await self._tx.execute(
            f"INSERT INTO pairing_tokens ({_COLUMNS})"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            token.id,
            token.hash,
            token.prefix,
            token.user_id,
            token.workspace_id,
            token.name,
            to_micros(token.created_at),
            to_micros(token.expires_at),
            to_micros_or_none(token.used_at),
            to_micros_or_none(token.revoked_at),
            token.device_id,
            token.replay_hash,
        )

    async def get_or_none(self, token_id: TokenId) -> PairingToken | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", token_id)
        return _token(row) if row is not None else None

    async def by_hash_or_none(self, token_hash: str) -> PairingToken | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE token_hash = $1", token_hash)
        return _token(row) if row is not None else None

    async def list_of_user(self, user_id: UserId, limit: int) -> list[PairingToken]:
        sql = f"{_SELECT} WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        return [_token(row) for row in await self._tx.fetch_all(sql, user_id, limit)]

    async def count_live(self, user_id: UserId, now: datetime) -> int:
        row = await self._tx.fetch_one(
            """SELECT count(*) FROM pairing_tokens
            WHERE user_id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2""",
            user_id,
            to_micros(now),
        )
        return int(row[0]) if row is not None else 0

    async def consume(self, token_hash: str, now: datetime, replay_hash: str | None) -> bool:
        sql = """UPDATE pairing_tokens SET used_at = $2, replay_hash = $3
            WHERE token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2"""
        return await self._tx.execute(sql, token_hash, to_micros(now), replay_hash) == 1

    async def set_device(self, token_id: TokenId, device_id: DeviceId) -> None:
        sql = "UPDATE pairing_tokens SET device_id = $2 WHERE id = $1"
        await self._tx.execute(sql, token_id, device_id)

    async def revoke(self, token_id: TokenId, at: datetime) -> bool:
        sql = "UPDATE pairing_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
        return await self._tx.execute(sql, token_id, to_micros(at)) == 1

    async def revoke_of_device(self, device_id: DeviceId, at: datetime) -> int:
        sql = "UPDATE pairing_tokens SET revoked_at = $2 WHERE device_id = $1 AND revoked_at IS NULL"
        return await self._tx.execute(sql, device_id, to_micros(at))

    async def revoke_of_workspace(
        self, workspace_id: WorkspaceId, at: datetime, user_id: UserId | None = None
    ) -> int:
        sql = """UPDATE pairing_tokens SET revoked_at = $2
            WHERE workspace_id = $1 AND used_at IS NULL AND revoked_at IS NULL"""
        if user_id is None:
            return await self._tx.execute(sql, workspace_id, to_micros(at))
        return await self._tx.execute(f"{sql} AND user_id = $3", workspace_id, to_micros(at), user_id)

    async def purge(self, ended_before: datetime, limit: int) -> int:
        sql = """DELETE FROM pairing_tokens WHERE token_hash IN
            (SELECT token_hash FROM pairing_tokens WHERE expires_at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_before), limit)


def _token(row: Row) -> PairingToken:
    return PairingToken(
        id=TokenId(row[0]),
        hash=row[1],
        prefix=row[2],
        user_id=UserId(row[3]),
        workspace_id=WorkspaceId(row[4]),
        name=row[5],
        created_at=to_moment(row[6]),
        expires_at=to_moment(row[7]),
        used_at=to_moment_or_none(row[8]),
        revoked_at=to_moment_or_none(row[9]),
        device_id=DeviceId(row[10]) if row[10] is not None else None,
        replay_hash=row[11],
    )
