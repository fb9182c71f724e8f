"""Sign-ins under way, in SQL."""

from datetime import datetime

from visiona.domain.sessions import PendingLogin
from visiona.stores.sql.columns import to_micros, to_moment
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = "state_hash, browser_hash, nonce, code_verifier, return_to, created_at, expires_at"

_TRIMMED_AT_ONCE = 100
"""One comes at a time, so that one is too many; more only where a limit was lowered."""


class SqlPendingLogins:
    """See sessions.PendingLoginRows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, pending: PendingLogin) -> None:
        await self._tx.execute(
            f"INSERT INTO pending_logins ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            pending.state_hash,
            pending.browser_hash,
            pending.nonce,
            pending.code_verifier,
            pending.return_to,
            to_micros(pending.created_at),
            to_micros(pending.expires_at),
        )

    async def get_or_none(self, state_hash: str) -> PendingLogin | None:
        sql = f"SELECT {_COLUMNS} FROM pending_logins WHERE state_hash = $1"
        row = await self._tx.fetch_one(sql, state_hash)
        return _pending(row) if row is not None else None

    async def remove(self, state_hash: str) -> bool:
        return await self._tx.execute("DELETE FROM pending_logins WHERE state_hash = $1", state_hash) == 1

    async def take_turns(self) -> None:
        await self._tx.fetch_one("SELECT @turn(sign-ins under way)@")

    async def trim(self, browser_hash: str, of_browser: int, of_all: int) -> int:
        # Both orders are those of an index, so that nothing is sorted: this runs at each sign-in of a flood.
        trimmed = await self._tx.execute(
            """DELETE FROM pending_logins WHERE state_hash IN
            (SELECT state_hash FROM pending_logins WHERE browser_hash = $1
            ORDER BY created_at DESC, state_hash DESC LIMIT $3 OFFSET $2)""",
            browser_hash,
            of_browser,
            _TRIMMED_AT_ONCE,
        )
        return trimmed + await self._tx.execute(
            """DELETE FROM pending_logins WHERE state_hash IN
            (SELECT state_hash FROM pending_logins
            ORDER BY created_at DESC, state_hash DESC LIMIT $2 OFFSET $1)""",
            of_all,
            _TRIMMED_AT_ONCE,
        )

    async def purge(self, ended_by: datetime, limit: int) -> int:
        sql = """DELETE FROM pending_logins WHERE state_hash IN
            (SELECT state_hash FROM pending_logins WHERE expires_at <= $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_by), limit)


def _pending(row: Row) -> PendingLogin:
    state_hash, browser_hash, nonce, code_verifier, return_to, created_at, expires_at = row
    return PendingLogin(
        state_hash,
        browser_hash,
        nonce,
        code_verifier,
        return_to,
        to_moment(created_at),
        to_moment(expires_at),
    )
