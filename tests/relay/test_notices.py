"""Following what was revoked."""

import trio
import trio.testing
from visiona.domain.notices import Notice, NoticeKind
from visiona.relay.notices import BATCH, follow_notices
from visiona.services import clock
from visiona.stores.interfaces import Tx

from tests.relay.test_reception import Counting

Clock = trio.testing.MockClock


async def write(stores: Counting, *subjects: str, kind: NoticeKind = NoticeKind.TOKEN_REVOKED) -> None:
    async def append(tx: Tx) -> None:
        for subject in subjects:
            await tx.notices.append(kind, subject, clock.now())

    await stores.write(append)


async def test_each_notice_from_now_on_is_applied_once_and_in_order(autojump_clock: Clock) -> None:
    stores, applied = Counting(), list[Notice]()
    await write(stores, "before")
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, applied.append)
        await write(stores, "a", "b")
        await trio.sleep(0.3)
        assert [notice.subject for notice in applied] == ["a", "b"]
        await write(stores, *(str(number) for number in range(BATCH * 2)))
        await trio.sleep(0.3)
        assert len(applied) == 2 + BATCH * 2
        await write(stores, "last")
        await trio.sleep(0.3)
        assert applied[-1].subject == "last"
        nursery.cancel_scope.cancel()


async def test_an_idle_store_is_not_asked_for_notices(autojump_clock: Clock) -> None:
    stores = Counting()
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, lambda notice: None)
        await trio.sleep(1)
        reads = stores.reads
        await trio.sleep(60)
        assert stores.reads == reads
        nursery.cancel_scope.cancel()


async def test_an_outage_delays_and_loses_nothing(autojump_clock: Clock) -> None:
    stores, applied = Counting(), list[Notice]()
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, applied.append)
        await trio.sleep(1)
        await write(stores, "just before")
        stores.is_down = True
        await trio.sleep(60)
        assert applied == []
        stores.is_down = False
        await trio.sleep(1)
        assert [notice.subject for notice in applied] == ["just before"]
        nursery.cancel_scope.cancel()


async def test_a_deleted_device_is_the_reason_for_the_end_of_its_token(autojump_clock: Clock) -> None:
    stores, applied = Counting(), list[Notice]()
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, applied.append)

        async def unpair(tx: Tx) -> None:
            await tx.notices.append(NoticeKind.SESSION_TOKEN_REVOKED, "t1", clock.now())
            await tx.notices.append(NoticeKind.DEVICE_DELETED, "d1", clock.now())

        await stores.write(unpair)
        await trio.sleep(0.3)
        assert [notice.subject for notice in applied] == ["d1", "t1"]
        nursery.cancel_scope.cancel()
