import pytest
import trio
from visiona.stores.background import running


async def test_loops_run_as_long_as_the_block() -> None:
    began, ended = trio.Event(), trio.Event()

    async def loop() -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with running(loop, loop):
        await began.wait()
        assert not ended.is_set()
    assert ended.is_set()


async def test_the_callers_exception_comes_back_as_it_was() -> None:
    with pytest.raises(LookupError) as caught:
        async with running(trio.sleep_forever):
            raise LookupError("gone") from OSError("away")
    assert isinstance(caught.value.__cause__, OSError)


async def test_what_a_loop_raises_ends_the_block() -> None:
    async def broken() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with running(broken):
            await trio.sleep_forever()


async def test_cancelling_the_block_is_no_error() -> None:
    with trio.CancelScope() as scope:
        async with running(trio.sleep_forever):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
