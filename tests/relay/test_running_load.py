import pytest
import trio
import trio.testing
from visiona.domain.loads import Fault, Load, LoadState
from visiona.relay.running_load import RunningLoad
from visiona.services.audit import NOWHERE

from tests.domain.test_loads import LATER, LOAD
from tests.support.nouns import a_builtin_model


def a_load() -> RunningLoad:
    return RunningLoad(LOAD, a_builtin_model(), NOWHERE)


async def test_a_slow_viewer_hears_of_every_state_and_of_the_newest_progress(
    autojump_clock: trio.testing.MockClock,
) -> None:
    load, heard = a_load(), list[tuple[LoadState, int]]()

    async def follow() -> None:
        async for one in load.follow(60, trio.Event()):
            assert one is not None
            heard.append((one.state, one.sent_bytes))
            await trio.sleep(10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(1)
        load.move(LoadState.PUSHING, LATER)
        for count in range(11):
            load.sent(count)
        load.move(LoadState.FLASHING, LATER)
        load.written(50)
        load.move(LoadState.ACTIVE, LATER)
    assert heard == [
        (LoadState.QUEUED, 0),
        (LoadState.PUSHING, 10),
        (LoadState.FLASHING, 10),
        (LoadState.ACTIVE, 10),
    ]


async def test_silence_is_told_of_and_a_cut_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    load, cut, heard = a_load(), trio.Event(), list[Load | None]()

    async def follow() -> None:
        async for one in load.follow(15, cut):
            heard.append(one)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(40)
        cut.set()
        load.wake()
    assert heard == [LOAD, None, None]


async def test_what_failed_stays_failed_and_nothing_else_follows() -> None:
    load = a_load()
    load.stop(Fault.CANCELLED, "it was cancelled")
    load.stop(Fault.REVOKED, "too late")
    load.fail(*load.stopped_by, LATER)
    load.fail(Fault.INTERNAL_ERROR, "too late", LATER)
    assert (load.now.fault, load.now.sentence) == (Fault.CANCELLED, "it was cancelled")
    with pytest.raises(ValueError, match="does not become"):
        load.move(LoadState.PUSHING, LATER)


async def test_its_end_is_waited_for_until_it_is_on_record(
    autojump_clock: trio.testing.MockClock,
) -> None:
    load = a_load()
    load.fail(Fault.CANCELLED, "", LATER)
    with trio.move_on_after(1) as patience:
        await load.wait_over()
    assert patience.cancelled_caught
    load.finish()
    await load.wait_over()


async def test_what_is_left_goes_on_elsewhere_and_its_viewers_are_let_go() -> None:
    load = a_load()
    load.move(LoadState.PUSHING, LATER)
    load.leave()
    load.fail(Fault.SERVER_STOPPING, "it is not over", LATER)
    assert (load.is_done, load.now.is_over, load.now.state) == (True, False, LoadState.PUSHING)
    assert load.scope.cancel_called
    assert [one.state async for one in load.follow(60, trio.Event()) if one is not None] == [
        LoadState.QUEUED,
        LoadState.PUSHING,
    ]
    over = a_load()
    over.fail(Fault.CANCELLED, "", LATER)
    over.leave()
    assert not over.is_left
