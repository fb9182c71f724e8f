import asyncio  # noqa: TID251  the loop under test
import contextvars
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace

import pytest
import sniffio
import trio
import trio.testing
from visiona.stores import asyncio_guest
from visiona.stores.asyncio_guest import SLICE_SECONDS, AsyncioGuest, open_guest

from tests.support.lateness import Lateness

word = contextvars.ContextVar("word", default="nothing")


@pytest.fixture
async def guest() -> AsyncIterator[AsyncioGuest]:
    async with open_guest() as opened:
        yield opened


async def give_back(value: int) -> int:
    await asyncio.sleep(0)
    return value


class Sleeper:
    """Sleeps for ever; counts what it is told, and cleans up for three turns of the loop."""

    def __init__(self) -> None:
        self.started = trio.Event()
        self.cancelled_count = 0
        self.has_cleaned_up = False

    async def __call__(self) -> None:
        self.started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled_count += 1
            for _ in range(3):
                await asyncio.sleep(0.001)
            self.has_cleaned_up = True
            raise


async def test_a_coroutine_of_asyncios_is_run_and_its_answer_given(guest: AsyncioGuest) -> None:
    assert [await guest.run(give_back, number) for number in range(3)] == [0, 1, 2]


async def test_what_it_raises_comes_out_as_it_is(guest: AsyncioGuest) -> None:
    error = KeyError("x")

    async def fail() -> None:
        await asyncio.sleep(0.001)
        raise error

    with pytest.raises(KeyError) as caught:
        await guest.run(fail)
    assert caught.value is error


async def test_who_comes_first_to_a_resting_guest_is_begun_at_once(guest: AsyncioGuest) -> None:
    """The pump need not be woken for it, and gives the turns after that."""
    order: list[str] = []

    async def ask() -> int:
        order.append("ask")
        await asyncio.sleep(0.001)
        return 7

    async def other() -> None:
        order.append("other")

    for _ in range(3):
        await trio.testing.wait_all_tasks_blocked()
        order.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            assert await guest.run(ask) == 7
        assert order == ["ask", "other"]


@pytest.mark.parametrize("is_rested", [True, False])
async def test_what_needs_no_waiting_gives_others_their_turn_all_the_same(
    guest: AsyncioGuest, is_rested: bool
) -> None:
    if is_rested:
        await trio.testing.wait_all_tasks_blocked()
    others: list[int] = []

    async def at_once() -> int:
        return len(others)

    async def at_once_and_wrong() -> None:
        raise KeyError("x")

    async def others_turn() -> None:
        while len(others) < 20:
            others.append(1)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others_turn)
        for _ in range(5):
            before = len(others)
            await guest.run(at_once)
            with pytest.raises(KeyError):
                await guest.run(at_once_and_wrong)
            assert len(others) > before


async def test_one_that_comes_to_a_resting_guest_can_be_cancelled(guest: AsyncioGuest) -> None:
    for _ in range(3):
        await trio.testing.wait_all_tasks_blocked()
        sleeper = Sleeper()
        with trio.move_on_after(0.01) as scope:
            await guest.run(sleeper)
        assert (scope.cancelled_caught, sleeper.cancelled_count, sleeper.has_cleaned_up) == (True, 1, True)


async def test_a_timer_of_one_that_came_to_a_resting_guest_goes_off(guest: AsyncioGuest) -> None:
    async def nap() -> float:
        began = time.monotonic()
        await asyncio.sleep(0.02)
        return time.monotonic() - began

    for _ in range(3):
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(5):
            assert await guest.run(nap) >= 0.019


async def test_what_takes_long_at_once_is_gone_on_with_by_the_pump(guest: AsyncioGuest) -> None:
    await trio.testing.wait_all_tasks_blocked()
    before = guest.turn_count

    async def toil() -> None:
        while guest.turn_count < before + 3:  # noqa: ASYNC110  it is to be busy
            await asyncio.sleep(0)

    with trio.fail_after(5):
        await guest.run(toil)


async def test_one_that_cancels_itself_at_once_is_a_bug(guest: AsyncioGuest) -> None:
    await trio.testing.wait_all_tasks_blocked()

    async def cancel_itself() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="not by its caller"):
        await guest.run(cancel_itself)


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    error = KeyError("x")
    with pytest.raises(KeyError) as caught:
        async with open_guest() as guest:
            await guest.run(give_back, 1)
            raise error
    assert caught.value is error


async def test_the_first_call_may_come_before_the_pump_has_started() -> None:
    async with open_guest() as guest:
        assert guest.turn_count == 0
        assert await guest.run(give_back, 3) == 3


async def test_many_calls_at_once_get_each_its_own_answer(guest: AsyncioGuest) -> None:
    answers: dict[int, int] = {}

    async def ask(number: int) -> None:
        answers[number] = await guest.run(give_back, number)

    async with trio.open_nursery() as nursery:
        for number in range(500):
            nursery.start_soon(ask, number)
    assert answers == {number: number for number in range(500)}


async def test_libraries_hear_asyncio_within_a_turn_and_trio_outside(guest: AsyncioGuest) -> None:
    async def ask() -> str:
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is asyncio.current_task().get_loop()
        return sniffio.current_async_library()

    assert await guest.run(ask) == "asyncio"
    assert sniffio.current_async_library() == "trio"
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


async def test_the_callers_context_goes_along(guest: AsyncioGuest) -> None:
    async def ask() -> str:
        await asyncio.sleep(0)
        return word.get()

    word.set("mine")
    assert await guest.run(ask) == "mine"


async def test_nothing_runs_while_nothing_happens(guest: AsyncioGuest) -> None:
    """Also while operations wait for something that does not come."""
    async with trio.open_nursery() as nursery:
        sleepers = [Sleeper() for _ in range(10)]
        for sleeper in sleepers:
            nursery.start_soon(guest.run, sleeper)
        for sleeper in sleepers:
            await sleeper.started.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        turns = guest.turn_count
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert guest.turn_count == turns
        nursery.cancel_scope.cancel()


async def test_asyncios_timers_go_off(guest: AsyncioGuest) -> None:
    turns = guest.turn_count
    began = time.monotonic()
    await guest.run(asyncio.sleep, 0.03)
    assert time.monotonic() - began >= 0.03
    assert guest.turn_count - turns < 10


async def test_what_other_threads_say_is_heard(guest: AsyncioGuest) -> None:
    async def ask() -> int:
        return await asyncio.get_running_loop().run_in_executor(None, threading.get_ident)

    assert await guest.run(ask) != threading.get_ident()


async def test_both_loops_talk_over_one_socket(guest: AsyncioGuest) -> None:
    ours, theirs = socket.socketpair()

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(sock=theirs)
        writer.write(b"ping")
        answer = await reader.readexactly(100_000)
        writer.close()
        return answer

    async def answer() -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        assert await stream.receive_some() == b"ping"
        await stream.send_all(b"x" * 100_000)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        assert await guest.run(ask) == b"x" * 100_000


async def test_a_busy_guest_gives_the_others_their_turn(
    guest: AsyncioGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(asyncio_guest, "time", SimpleNamespace(monotonic=lambda: now))
    is_over = False
    steps: list[int] = []

    async def spin() -> None:
        nonlocal now
        while not is_over:
            now += SLICE_SECONDS / 4
            steps.append(guest.turn_count)
            await asyncio.sleep(0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.run, spin)
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        is_over = True
    assert len(set(steps)) >= 10
    # Four fill the slice, and what was ready by then still runs.
    assert max(steps.count(turn) for turn in set(steps)) == 5


async def test_a_cancelled_caller_waits_for_the_clean_up(guest: AsyncioGuest) -> None:
    sleeper = Sleeper()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.run, sleeper)
        await sleeper.started.wait()
        nursery.cancel_scope.cancel()
    assert sleeper.has_cleaned_up


async def test_a_cancellation_is_delivered_once_however_often_the_caller_is_cancelled(
    guest: AsyncioGuest,
) -> None:
    sleeper = Sleeper()
    with trio.CancelScope() as outer, trio.CancelScope() as middle, trio.CancelScope() as inner:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guest.run, sleeper)
            await sleeper.started.wait()
            for scope in (inner, middle, outer, nursery.cancel_scope):
                scope.cancel()
                with trio.CancelScope(shield=True):
                    await trio.lowlevel.checkpoint()
    assert sleeper.cancelled_count == 1
    assert sleeper.has_cleaned_up


async def test_cancelling_everything_around_the_guest_does_not_stop_its_clean_up() -> None:
    """The pump is nobody's to cancel; else callers would wait for asyncio for ever."""
    sleeper = Sleeper()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def program() -> None:
                async with open_guest() as guest, trio.open_nursery() as inner:
                    inner.start_soon(guest.run, sleeper)

            nursery.start_soon(program)
            await sleeper.started.wait()
            nursery.cancel_scope.cancel()
    assert sleeper.has_cleaned_up


async def test_who_is_cancelled_already_starts_nothing(guest: AsyncioGuest) -> None:
    sleeper = Sleeper()
    with trio.CancelScope() as scope:
        scope.cancel()
        await guest.run(sleeper)
    assert not sleeper.started.is_set()


async def test_an_operation_that_ends_in_spite_of_a_cancellation_gives_its_answer(
    guest: AsyncioGuest,
) -> None:
    started = trio.Event()

    async def finish() -> str:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "done"
        return "never"

    answers: list[str] = []

    async def ask() -> None:
        answers.append(await guest.run(finish))
        await trio.lowlevel.checkpoint()
        answers.append("not reached")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await started.wait()
        nursery.cancel_scope.cancel()
    assert answers == ["done"]


async def test_what_goes_wrong_in_the_clean_up_comes_out(guest: AsyncioGuest) -> None:
    started = trio.Event()

    async def fail() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            raise KeyError("x")

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guest.run, fail)
            await started.wait()
            nursery.cancel_scope.cancel()
    assert [type(error) for error in caught.value.exceptions] == [KeyError]


async def test_an_operation_that_was_cancelled_by_somebody_else_is_a_bug(guest: AsyncioGuest) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="not by its caller"):
        await guest.run(cancelled)


async def test_128_operations_that_are_cancelled_at_once_end_within_a_few_turns(guest: AsyncioGuest) -> None:
    sleepers = [Sleeper() for _ in range(128)]
    with Lateness() as lateness:
        async with trio.open_nursery() as nursery:
            for sleeper in sleepers:
                nursery.start_soon(guest.run, sleeper)
            for sleeper in sleepers:
                await sleeper.started.wait()
            turns, began = guest.turn_count, time.perf_counter()
            nursery.cancel_scope.cancel()
        took = time.perf_counter() - began
    assert all(sleeper.has_cleaned_up for sleeper in sleepers)
    # Each cleans up for three milliseconds; one after the other they would take 384 turns and as many milliseconds.
    assert guest.turn_count - turns < 60
    assert took - lateness.seconds < 0.3


async def test_an_operation_that_outlives_the_guest_is_told() -> None:
    sleeper = Sleeper()
    ended: list[type[BaseException]] = []

    async def ask(guest: AsyncioGuest) -> None:
        try:
            await guest.run(sleeper)
        except trio.ClosedResourceError as error:
            ended.append(type(error))

    async with trio.open_nursery() as nursery, open_guest() as guest:
        nursery.start_soon(ask, guest)
        await sleeper.started.wait()
    assert ended == [trio.ClosedResourceError]
    assert sleeper.has_cleaned_up
    assert sleeper.cancelled_count == 1
    with pytest.raises(trio.ClosedResourceError):
        await guest.run(give_back, 3)


async def test_who_is_cleaning_up_when_the_guest_ends_is_not_disturbed() -> None:
    sleeper = Sleeper()
    async with trio.open_nursery() as nursery, open_guest() as guest:
        nursery.start_soon(guest.run, sleeper)
        await sleeper.started.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            while not sleeper.cancelled_count:
                await trio.lowlevel.checkpoint()
    assert sleeper.has_cleaned_up
    assert sleeper.cancelled_count == 1


async def test_an_operation_that_will_not_end_does_not_hold_the_end_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio_guest, "END_SECONDS", 0.05)
    started = trio.Event()
    told: list[type[BaseException]] = []

    async def deaf() -> None:
        started.set()
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    async def ask(guest: AsyncioGuest) -> None:
        try:
            await guest.run(deaf)
        except trio.ClosedResourceError as error:
            told.append(type(error))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, open_guest() as guest:
            nursery.start_soon(ask, guest)
            await started.wait()
    assert told == [trio.ClosedResourceError]


async def test_tasks_that_an_operation_left_behind_end_with_the_guest() -> None:
    left: list[asyncio.Task[None]] = []
    sleeper = Sleeper()

    async def leave() -> None:
        left.append(asyncio.create_task(sleeper()))

    async with open_guest() as guest:
        await guest.run(leave)
        await sleeper.started.wait()
    assert left[0].cancelled()
    assert sleeper.has_cleaned_up


async def test_a_task_that_nobody_waits_for_is_heard_of_when_it_fails(
    guest: AsyncioGuest, caplog: pytest.LogCaptureFixture
) -> None:
    gc.collect()
    caplog.clear()

    async def fail() -> None:
        raise KeyError("left alone")

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait({task})

    await guest.run(forget)
    gc.collect()
    await guest.run(give_back, 1)
    (record,) = caplog.records
    assert "never retrieved" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


async def test_nothing_is_left_open_after_the_end() -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        async with open_guest() as guest:
            await guest.run(give_back, 1)
    assert len(os.listdir("/dev/fd")) == before


async def test_a_connection_that_is_closed_at_the_end_is_let_go() -> None:
    """Nobody is told off by Python for a socket that was left open."""
    ours, theirs = socket.socketpair()
    opened = trio.Event()

    async def wait_and_close() -> None:
        _, writer = await asyncio.open_connection(sock=theirs)
        opened.set()
        try:
            await asyncio.sleep(3600)
        finally:
            writer.close()

    with ours:
        async with trio.open_nursery() as nursery, open_guest() as guest:
            nursery.start_soon(guest.run, wait_and_close)
            await opened.wait()
            nursery.cancel_scope.cancel()
        assert theirs.fileno() == -1


def test_control_c_goes_to_the_program_and_not_into_asyncio() -> None:
    """Raised in the midst of asyncio's own code it would break that for good."""
    seen: list[str] = []

    async def interrupt() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            seen.append("went on")
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            seen.append("cleaned up")
            raise

    async def program(*, is_rested: bool) -> None:
        async with open_guest() as guest:
            if is_rested:
                await trio.testing.wait_all_tasks_blocked()
            await guest.run(interrupt)

    for is_rested in (False, True):
        seen.clear()
        with pytest.raises(KeyboardInterrupt):
            trio.run(partial(program, is_rested=is_rested))
        assert seen == ["went on", "cleaned up"]


async def test_the_loop_is_asyncios_own(guest: AsyncioGuest) -> None:
    async def ask() -> type:
        return type(asyncio.get_running_loop())

    assert await guest.run(ask) is asyncio.SelectorEventLoop
