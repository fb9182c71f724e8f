"""Notices in SQL."""

from datetime import datetime

from visiona.domain.notices import Notice, NoticeKind
from visiona.stores.sql.columns import to_micros, to_moment
from visiona.stores.sql.engine import SqlTransaction

_KNOWN = frozenset(kind.value for kind in NoticeKind)


class SqlNotices:
    """See interfaces.NoticeStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def append(self, kind: NoticeKind, subject: str, at: datetime) -> None:
        sql = "INSERT INTO notices (kind, subject, at) VALUES ($1, $2, $3)"
        await self._tx.execute_last(sql, kind.value, subject, to_micros(at))

    async def after(self, notice_id: int, limit: int) -> list[Notice]:
        await self._tx.flush_last()
        sql = "SELECT id, kind, subject, at FROM notices WHERE id > $1 ORDER BY id LIMIT $2"
        found: list[Notice] = []
        last = notice_id
        # A short answer would say that there are no more: what is left out is made up for.
        while (wanted := limit - len(found)) > 0:
            rows = await self._tx.fetch_all(sql, last, wanted)
            found += [
                Notice(number, NoticeKind(kind), subject, to_moment(at))
                for number, kind, subject, at in rows
                if kind in _KNOWN
            ]
            if len(rows) < wanted:
                break
            last = rows[-1][0]
        return found

    async def last_id(self) -> int:
        await self._tx.flush_last()
        row = await self._tx.fetch_one("SELECT coalesce(max(id), 0) FROM notices")
        return int(row[0]) if row is not None else 0

    async def purge(self, before: datetime, limit: int) -> int:
        # The newest stays, however old: it remembers the last id.
        sql = """DELETE FROM notices WHERE id IN
            (SELECT id FROM notices WHERE at < $1 AND id < (SELECT max(id) FROM notices) LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(before), limit)
