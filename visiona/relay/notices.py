"""Follows what was revoked, here or by another process, and has it cut within a second.

The database is asked whether anything was committed at all (cheap), and only then for notices; whoever keeps sessions
apart is asked for those that ended. Each is followed by itself: an outage of one delays nothing of the other, and
when it is over the following goes on where it stood.

While the database cannot answer, nothing is revoked there either. Of sessions kept apart that is not so sure: others may
reach them, or they may be lost. So what was checked of them is not believed any longer than their ends can be heard of.
"""

import logging
from collections.abc import Callable

import trio

from visiona.domain.notices import Notice, NoticeKind
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx

logger = logging.getLogger(__name__)

BATCH = 500

PAUSE_SECONDS = 0.5
"""After a failure; a store that is away refuses at once."""

# The device's end is the reason for its tokens' end, and is to be the cause on record.
_FIRST = frozenset({NoticeKind.DEVICE_DELETED})

Apply = Callable[[Notice], object]


async def follow_notices(
    stores: Stores,
    apply: Apply,
    doubt_sessions: Callable[[], object],
    interval_seconds: float = 0.25,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Applies each notice that is written from now on, until cancelled. A notice may be applied twice by others.

    Args:
        apply: must neither wait nor raise.
        doubt_sessions: told when sessions may have ended of which nobody hears; likewise.
        interval_seconds: between two looks, unless somebody tells that there is something to see.

    Raises:
        StoreUnavailable: only before the start is reported.
    """

    async def last_id(tx: Tx) -> int:
        return await tx.notices.last_id()

    last = await stores.read(last_id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_follow_database, stores, apply, last, interval_seconds)
        nursery.start_soon(_follow_sessions, stores, apply, doubt_sessions, interval_seconds)
        task_status.started()


async def _follow_database(stores: Stores, apply: Apply, last: int, interval_seconds: float) -> None:
    mark: int | None = None
    troubled = _Troubled("revocations")
    while True:
        await stores.wait_notice(interval_seconds)
        try:
            mark_before = await stores.change_mark()
            if mark_before != mark:
                last = await _apply_new(stores, apply, last)
                mark = mark_before
            troubled.is_over()
        except StoreUnavailable as error:
            mark = None
            troubled.by(error)
            await trio.sleep(PAUSE_SECONDS)


async def _apply_new(stores: Stores, apply: Apply, last: int) -> int:
    while True:

        async def newer(tx: Tx, than: int = last) -> list[Notice]:
            return await tx.notices.after(than, BATCH)

        notices = await stores.read(newer)
        for notice in sorted(notices, key=lambda notice: notice.kind not in _FIRST):
            apply(notice)
        if len(notices) < BATCH:
            return notices[-1].id if notices else last
        last = notices[-1].id


async def _follow_sessions(
    stores: Stores, apply: Apply, doubt_sessions: Callable[[], object], interval_seconds: float
) -> None:
    # From the oldest end on record: what ended before this process began is nothing to it, and does no harm.
    position = ""
    troubled = _Troubled("ends of sessions")
    while True:
        try:
            ends = await stores.sessions.ends_after(position)
        except StoreUnavailable as error:
            doubt_sessions()
            troubled.by(error)
            await trio.sleep(PAUSE_SECONDS)
            continue
        troubled.is_over()
        if ends.are_doubtful:
            doubt_sessions()
        for notice in ends.notices:
            apply(notice)
        position = ends.position
        if not ends.has_more:
            await stores.wait_notice(interval_seconds)


class _Troubled:
    """Says once that something cannot be followed, and once that it can again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_in_trouble = False

    def by(self, error: StoreUnavailable) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            logger.warning("%s cannot be followed now: %s", self._what, error)

    def is_over(self) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            logger.info("%s are followed again", self._what)
