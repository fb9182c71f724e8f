"""Accounts in SQL."""

from datetime import datetime

from visiona.domain.ids import UserId
from visiona.domain.users import User
from visiona.stores.sql.columns import to_micros, to_micros_or_none, to_moment, to_moment_or_none
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = "id, email, name, password_hash, is_admin, created_at, disabled_at"


class SqlUsers:
    """See interfaces.UserStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, user: User) -> None:
        await self._tx.execute(
            f"INSERT INTO users ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            user.id,
            user.email,
            user.name,
            user.password_hash,
            user.is_admin,
            to_micros(user.created_at),
            to_micros_or_none(user.disabled_at),
        )

    async def get_or_none(self, user_id: UserId) -> User | None:
        row = await self._tx.fetch_one(f"SELECT {_COLUMNS} FROM users WHERE id = $1", user_id)
        return user_of(row) if row is not None else None

    async def lock_or_none(self, user_id: UserId) -> User | None:
        sql = f"SELECT {_COLUMNS} FROM users WHERE id = $1 @for_update@"
        row = await self._tx.fetch_one(sql, user_id)
        return user_of(row) if row is not None else None

    async def by_email_or_none(self, email: str) -> User | None:
        row = await self._tx.fetch_one(
            f"SELECT {_COLUMNS} FROM users WHERE lower(email) = lower($1 @bytewise@)", email
        )
        return user_of(row) if row is not None else None

    async def list_all(self, limit: int, after_email: str = "") -> list[User]:
        rows = await self._tx.fetch_all(
            f"SELECT {_COLUMNS} FROM users WHERE lower(email) > lower($1 @bytewise@) ORDER BY lower(email) LIMIT $2",
            after_email,
            limit,
        )
        return [user_of(row) for row in rows]

    async def set_disabled(self, user_id: UserId, at: datetime | None) -> bool:
        if at is None:
            sql = "UPDATE users SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL"
            return await self._tx.execute(sql, user_id) == 1
        sql = "UPDATE users SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL"
        return await self._tx.execute(sql, user_id, to_micros(at)) == 1

    async def set_password_hash(self, user_id: UserId, password_hash: str | None) -> bool:
        sql = "UPDATE users SET password_hash = $2 WHERE id = $1"
        return await self._tx.execute(sql, user_id, password_hash) == 1

    async def any_with_password(self) -> bool:
        sql = "SELECT id FROM users WHERE password_hash IS NOT NULL LIMIT 1"
        return await self._tx.fetch_one(sql) is not None


def user_of(row: Row) -> User:
    """The account in a row of all columns, in their order."""
    user_id, email, name, password_hash, is_admin, created_at, disabled_at = row
    return User(
        UserId(user_id),
        email,
        name,
        password_hash,
        bool(is_admin),
        to_moment(created_at),
        to_moment_or_none(disabled_at),
    )
