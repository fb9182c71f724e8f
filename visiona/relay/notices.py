"""Follows the notices: what was revoked, here or by another process, is cut within a second.

The store is asked whether anything was committed at all (cheap), and only then for notices. While it cannot answer,
nothing can be revoked either; the following goes on where it stood when it is back.
"""

import logging
from collections.abc import Callable

import trio

from visiona.domain.notices import Notice, NoticeKind
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx

logger = logging.getLogger(__name__)

BATCH = 500

# The device's end is the reason for its tokens' end, and is to be the cause on record.
_FIRST = frozenset({NoticeKind.DEVICE_DELETED})


async def follow_notices(
    stores: Stores,
    apply: Callable[[Notice], object],
    interval_seconds: float = 0.25,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Applies each notice that is written from now on, until cancelled. A notice may be applied twice by others.

    Args:
        apply: must neither wait nor raise.
        interval_seconds: between two looks.

    Raises:
        StoreUnavailable: only before the start is reported.
    """

    async def last_id(tx: Tx) -> int:
        return await tx.notices.last_id()

    last = await stores.read(last_id)
    mark: int | None = None
    task_status.started()
    while True:
        await trio.sleep(interval_seconds)
        try:
            mark_before = await stores.change_mark()
            if mark_before == mark:
                continue
            last = await _apply_new(stores, apply, last)
            mark = mark_before
        except StoreUnavailable as error:
            mark = None
            logger.warning("revocations cannot be followed now: %s", error)
            await trio.sleep(max(0.0, error.retry_after_seconds / 4))


async def _apply_new(stores: Stores, apply: Callable[[Notice], object], last: int) -> int:
    while True:

        async def newer(tx: Tx, than: int = last) -> list[Notice]:
            return await tx.notices.after(than, BATCH)

        notices = await stores.read(newer)
        for notice in sorted(notices, key=lambda notice: notice.kind not in _FIRST):
            apply(notice)
        if len(notices) < BATCH:
            return notices[-1].id if notices else last
        last = notices[-1].id
