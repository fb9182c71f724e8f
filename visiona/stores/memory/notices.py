"""Notices in memory."""

from datetime import datetime

from visiona.domain.notices import Notice, NoticeKind
from visiona.stores.memory.state import State

_KNOWN = frozenset(NoticeKind)


class MemoryNotices:
    """See interfaces.NoticeStore."""

    def __init__(self, state: State) -> None:
        self._notices = state.notices

    async def append(self, kind: NoticeKind, subject: str, at: datetime) -> None:
        number = await self.last_id() + 1
        self._notices.put(number, Notice(number, kind, subject, at))

    async def after(self, notice_id: int, limit: int) -> list[Notice]:
        known = (notice for notice in self._notices.rows() if notice.kind in _KNOWN)
        found = [notice for notice in known if notice.id > notice_id]
        return sorted(found, key=lambda notice: notice.id)[:limit]

    async def last_id(self) -> int:
        return max((notice.id for notice in self._notices.rows()), default=0)

    async def purge(self, before: datetime, limit: int) -> int:
        last = await self.last_id()
        old = [notice.id for notice in self._notices.rows() if notice.at < before and notice.id < last]
        for number in old[:limit]:
            self._notices.remove(number)
        return min(len(old), limit)
