"""One-time links in SQL."""

from datetime import datetime

from visiona.domain.ids import UserId
from visiona.domain.one_time_links import LinkPurpose, OneTimeLink
from visiona.stores.sql.columns import to_micros, to_micros_or_none, to_moment, to_moment_or_none
from visiona.stores.sql.engine import SqlTransaction

_COLUMNS = "link_hash, purpose, user_id, created_at, expires_at, used_at"


class SqlOneTimeLinks:
    """See one_time_links.OneTimeLinkStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, link: OneTimeLink) -> None:
        await self._tx.execute(
            f"INSERT INTO one_time_links ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)",
            link.hash,
            link.purpose.value,
            link.user_id,
            to_micros(link.created_at),
            to_micros(link.expires_at),
            to_micros_or_none(link.used_at),
        )

    async def get_or_none(self, link_hash: str) -> OneTimeLink | None:
        sql = f"SELECT {_COLUMNS} FROM one_time_links WHERE link_hash = $1"
        row = await self._tx.fetch_one(sql, link_hash)
        if row is None:
            return None
        found_hash, purpose, user_id, created_at, expires_at, used_at = row
        return OneTimeLink(
            found_hash,
            LinkPurpose(purpose),
            UserId(user_id) if user_id is not None else None,
            to_moment(created_at),
            to_moment(expires_at),
            to_moment_or_none(used_at),
        )

    async def take_turns(self) -> None:
        await self._tx.fetch_one("SELECT @turn(first administrator)@")

    async def consume(self, link_hash: str, now: datetime) -> bool:
        sql = """UPDATE one_time_links SET used_at = $2
            WHERE link_hash = $1 AND used_at IS NULL AND expires_at > $2"""
        return await self._tx.execute(sql, link_hash, to_micros(now)) == 1

    async def end(self, purpose: LinkPurpose, user_id: UserId | None, at: datetime) -> int:
        # An empty text stands for nobody: NULL would equal nothing.
        sql = """UPDATE one_time_links SET used_at = $3
            WHERE purpose = $1 AND coalesce(user_id, '') = $2 AND used_at IS NULL"""
        return await self._tx.execute(sql, purpose.value, user_id or "", to_micros(at))

    async def purge(self, ended_before: datetime, limit: int) -> int:
        sql = """DELETE FROM one_time_links WHERE link_hash IN
            (SELECT link_hash FROM one_time_links WHERE expires_at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_before), limit)
