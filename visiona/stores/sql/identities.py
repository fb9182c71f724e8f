"""Who users are at identity providers, in SQL."""

from visiona.domain.ids import UserId
from visiona.domain.sessions import Identity
from visiona.stores.sql.columns import to_micros, to_moment
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = "issuer, subject, user_id, created_at"


class SqlIdentities:
    """See sessions.IdentityStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, identity: Identity) -> None:
        await self._tx.execute(
            f"INSERT INTO identities ({_COLUMNS}) VALUES ($1, $2, $3, $4)",
            identity.issuer,
            identity.subject,
            identity.user_id,
            to_micros(identity.created_at),
        )

    async def get_or_none(self, issuer: str, subject: str) -> Identity | None:
        sql = f"SELECT {_COLUMNS} FROM identities WHERE issuer = $1 AND subject = $2"
        row = await self._tx.fetch_one(sql, issuer, subject)
        return _identity(row) if row is not None else None

    async def list_of_user(self, user_id: UserId, limit: int) -> list[Identity]:
        sql = f"SELECT {_COLUMNS} FROM identities WHERE user_id = $1 ORDER BY created_at DESC LIMIT $2"
        return [_identity(row) for row in await self._tx.fetch_all(sql, user_id, limit)]


def _identity(row: Row) -> Identity:
    issuer, subject, user_id, created_at = row
    return Identity(issuer, subject, UserId(user_id), to_moment(created_at))
