"""Following what was revoked."""

from collections.abc import Callable

import pytest
import trio
import trio.testing
from visiona.domain.notices import Notice, NoticeKind
from visiona.relay.notices import BATCH, follow_notices
from visiona.services import clock
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.sessions import Ends

from tests.relay.test_reception import Counting

Clock = trio.testing.MockClock


def nothing() -> None:
    pass


async def write(stores: Counting, *subjects: str, kind: NoticeKind = NoticeKind.TOKEN_REVOKED) -> None:
    async def append(tx: Tx) -> None:
        for subject in subjects:
            await tx.notices.append(kind, subject, clock.now())

    await stores.write(append)


async def test_each_notice_from_now_on_is_applied_once_and_in_order(autojump_clock: Clock) -> None:
    stores, applied = Counting(), list[Notice]()
    await write(stores, "before")
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, applied.append, nothing)
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
        await nursery.start(follow_notices, stores, lambda notice: None, nothing)
        await trio.sleep(1)
        reads = stores.reads
        await trio.sleep(60)
        assert stores.reads == reads
        nursery.cancel_scope.cancel()


async def test_an_outage_delays_and_loses_nothing(autojump_clock: Clock) -> None:
    stores, applied = Counting(), list[Notice]()
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, applied.append, nothing)
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
        await nursery.start(follow_notices, stores, applied.append, nothing)

        async def unpair(tx: Tx) -> None:
            await tx.notices.append(NoticeKind.SESSION_TOKEN_REVOKED, "t1", clock.now())
            await tx.notices.append(NoticeKind.DEVICE_DELETED, "d1", clock.now())

        await stores.write(unpair)
        await trio.sleep(0.3)
        assert [notice.subject for notice in applied] == ["d1", "t1"]
        nursery.cancel_scope.cancel()


class Apart:
    """Sessions that are kept apart: their ends, told from here."""

    def __init__(self) -> None:
        self.subjects = list[str]()
        self.asked = list[str]()
        self.is_away = False
        self.is_silent = False
        self.are_doubtful = False

    async def ends_after(self, position: str) -> Ends:
        self.asked.append(position)
        if self.is_silent:
            await trio.sleep(1)
        if self.is_away or self.is_silent:
            raise StoreUnavailable("away", retry_after_seconds=30)
        start = int(position or 0)
        told = [
            Notice(number + 1, NoticeKind.SESSION_ENDED, subject, clock.now())
            for number, subject in enumerate(self.subjects)
        ]
        batch = told[start : start + 2]
        are_doubtful, self.are_doubtful = self.are_doubtful, False
        return Ends(batch, str(start + len(batch)), len(batch) == 2, are_doubtful)


async def following(stores: Counting, then: Callable[[list[str], list[None]], object]) -> None:
    """Follows while `then` does something; it is given the subjects of what was applied, and each doubt."""
    applied, doubts = list[str](), list[None]()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            follow_notices, stores, lambda notice: applied.append(notice.subject), lambda: doubts.append(None)
        )
        await then(applied, doubts)
        nursery.cancel_scope.cancel()


async def test_ends_of_sessions_that_are_kept_apart_are_applied_once_and_in_order(
    autojump_clock: Clock,
) -> None:
    stores, apart = Counting(), Apart()
    stores.sessions = apart
    apart.subjects += ["a", "b", "c"]

    async def then(applied: list[str], doubts: list[None]) -> None:
        await trio.sleep(0.1)
        assert applied == ["a", "b", "c"]
        apart.subjects += ["d"]
        await trio.sleep(0.3)
        assert applied == ["a", "b", "c", "d"]
        assert doubts == []

    await following(stores, then)


@pytest.mark.parametrize("outage", ["is_away", "is_silent"])
async def test_a12_sessions_are_doubted_as_long_as_their_ends_cannot_be_heard(
    autojump_clock: Clock, outage: str
) -> None:
    stores, apart = Counting(), Apart()
    stores.sessions = apart

    async def then(applied: list[str], doubts: list[None]) -> None:
        await trio.sleep(1)
        assert doubts == []
        setattr(apart, outage, True)
        await trio.sleep(1.3)
        assert doubts
        seen = len(doubts)
        await trio.sleep(2)
        assert len(doubts) > seen
        apart.subjects += ["a"]
        setattr(apart, outage, False)
        await trio.sleep(1.6)
        assert applied == ["a"]
        seen = len(doubts)
        await trio.sleep(10)
        assert len(doubts) == seen

    await following(stores, then)


async def test_a12_sessions_that_may_be_lost_are_doubted(autojump_clock: Clock) -> None:
    stores, apart = Counting(), Apart()
    stores.sessions = apart

    async def then(applied: list[str], doubts: list[None]) -> None:
        apart.are_doubtful = True
        await trio.sleep(5)
        assert len(doubts) == 1

    await following(stores, then)


async def test_an_outage_of_one_store_delays_nothing_of_the_other(autojump_clock: Clock) -> None:
    stores, apart = Counting(), Apart()
    stores.sessions = apart

    async def then(applied: list[str], doubts: list[None]) -> None:
        apart.is_silent = True
        await trio.sleep(1)
        await write(stores, "t")
        await trio.sleep(0.3)
        assert applied == ["t"]
        apart.is_silent, stores.is_down = False, True
        await trio.sleep(2)
        apart.subjects += ["a"]
        await trio.sleep(0.3)
        assert applied == ["t", "a"]

    await following(stores, then)


async def test_an_outage_is_told_once_however_long_it_is(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    stores = Counting()

    async def then(applied: list[str], doubts: list[None]) -> None:
        for _ in range(2):
            stores.is_down = True
            await trio.sleep(60)
            stores.is_down = False
            await trio.sleep(1)

    await following(stores, then)
    assert [record.levelname for record in caplog.records if "cannot be followed" in record.message] == [
        "WARNING"
    ] * 2


async def test_who_waits_is_woken_before_the_next_look(autojump_clock: Clock) -> None:
    class Told(Counting):
        def __init__(self) -> None:
            super().__init__()
            self.lot = trio.lowlevel.ParkingLot()

        async def wait_notice(self, seconds: float) -> None:
            with trio.move_on_after(seconds):
                await self.lot.park()

    stores, applied = Told(), list[Notice]()
    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, stores, applied.append, nothing, 3600.0)
        await trio.sleep(1)
        await write(stores, "t")
        stores.lot.unpark_all()
        await trio.sleep(0.01)
        assert [notice.subject for notice in applied] == ["t"]
        nursery.cancel_scope.cancel()
