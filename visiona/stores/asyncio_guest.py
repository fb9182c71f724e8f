"""An asyncio loop nested in Trio's own thread, for drivers that speak asyncio only.

It knows nothing of databases. The loop is asyncio's own; only its selector is ours: it never blocks. Where asyncio
would sleep, it notes for how long and ends the turn; a task of Trio's then waits for the loop's epoll (which can be
waited for like a socket) or for that time to pass, and gives the loop its next turn. So nothing runs while nothing
happens, both loops see each event at once, and there is no second thread that a busy loop would keep waiting.
"""

import asyncio  # noqa: TID251 - the one place where asyncio's loop is made
import contextlib
import logging
import selectors
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, NoReturn, TypeVar, TypeVarTuple

import sniffio
import trio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_log = logging.getLogger(__name__)

SLICE_SECONDS = 0.002
"""What one turn may take before everybody else has theirs: no device waits longer for a busy database."""

END_SECONDS = 5.0
"""How long operations that were under way at the end may clean up. Those of ours are quicker by far."""


class _Turns(selectors.DefaultSelector):
    """Asks, and never waits.

    Attributes:
        stop: ends the turn.
        idle_seconds: after a turn, how long asyncio has nothing to do unless something happens; None for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stop: Callable[[], None] = lambda: None
        self.idle_seconds: float | None = 0.0
        self._ends_at = 0.0

    def begin(self) -> None:
        self.idle_seconds = 0.0
        self._ends_at = time.monotonic() + SLICE_SECONDS

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self.idle_seconds = timeout
            self.stop()
        elif time.monotonic() >= self._ends_at:
            self.stop()
        return ready


class AsyncioGuest:
    """Runs asyncio's coroutines for Trio's tasks. Made by `open_guest`."""

    def __init__(self) -> None:
        self._turns = _Turns()
        self._loop = asyncio.SelectorEventLoop(self._turns)
        self._loop.set_exception_handler(_say)
        self._turns.stop = self._loop.stop
        self._callers: dict[asyncio.Task[Any], trio.lowlevel.Task] = {}
        self._idle: trio.CancelScope | None = None
        self._is_rested = False
        self._is_ending = False
        self._has_ended = False
        self.turn_count = 0
        """Turns given so far; stands still while nothing happens."""

    async def run(self, fn: Callable[[*Ts], Coroutine[Any, Any, T]], *args: *Ts) -> T:
        """Runs the coroutine function on asyncio and waits for its end.

        A cancellation is handed to it once, as asyncio's own, and its end is waited for: what it does about it, and
        for how long, is its own affair. If it ends otherwise than cancelled, that is the answer.

        Raises:
            trio.ClosedResourceError: the guest has ended, or ended meanwhile.
            Whatever the function raises.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._is_ending:
            raise _ended()
        return await self._call(fn(*args))

    async def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = self._loop.create_task(coroutine)
        self._begin()
        raise_cancel: Callable[[], NoReturn] | None = None

        def cancel(raise_it: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
            nonlocal raise_cancel
            raise_cancel = raise_it
            task.cancel()
            self._wake()
            return trio.lowlevel.Abort.FAILED

        if task.done():
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            self._callers[task] = trio.lowlevel.current_task()
            task.add_done_callback(self._give_back)
            # Trio calls `cancel` once at most, however often and however deep the caller is cancelled.
            await trio.lowlevel.wait_task_rescheduled(cancel)
        if task.done() and not task.cancelled():
            return task.result()
        if raise_cancel is not None:
            raise_cancel()
        if self._is_ending:
            raise _ended()
        raise RuntimeError("an operation was cancelled, and not by its caller")

    def _give_back(self, task: "asyncio.Task[Any]") -> None:
        """Wakes the caller; called by asyncio, within a turn."""
        caller = self._callers.pop(task, None)
        if caller is not None:
            trio.lowlevel.reschedule(caller)

    def _begin(self) -> None:
        """Has what was just started go on: whoever comes first while the pump rests takes a turn himself.

        So the pump need not be woken for him, a third of the price of a short question. Who comes after him and before
        the pump's next turn is one of many, and that turn serves them all.
        """
        if self._idle is None or not self._is_rested:
            self._wake()
            return
        self._is_rested = False
        self._take_turn()
        # In the past, and the pump goes on at once, where there was more to do than one turn allows.
        self._idle.deadline = self._idle_until()

    def _wake(self) -> None:
        # Before the pump's first turn, or during one, there is nothing to wake: a turn comes anyway.
        if self._idle is not None:
            self._is_rested = False
            self._idle.cancel()

    def _idle_until(self) -> float:
        seconds = self._turns.idle_seconds
        return float("inf") if seconds is None else trio.current_time() + seconds

    async def _pump(self) -> None:
        """Gives turns until the end."""
        while not self._has_ended:
            self._take_turn()
            if self._turns.idle_seconds == 0:
                await trio.lowlevel.checkpoint()
                continue
            # One scope for many rests: each rest in one of its own would cost as much as a turn.
            with trio.CancelScope() as self._idle:
                while self._turns.idle_seconds != 0:
                    self._is_rested = True
                    self._idle.deadline = self._idle_until()
                    await trio.lowlevel.wait_readable(self._turns.fileno())
                    self._take_turn()
            self._idle = None

    @trio.lowlevel.enable_ki_protection
    def _take_turn(self) -> None:
        self.turn_count += 1
        self._turns.begin()
        with _asyncio_is_current():
            self._loop.run_forever()

    async def _end(self) -> None:
        """Ends what still runs and stops the pump."""
        self._is_ending = True
        await self._call(_end_all_tasks(self._loop))
        for caller in self._callers.values():
            trio.lowlevel.reschedule(caller)
        self._callers.clear()
        self._has_ended = True
        self._wake()


@contextlib.asynccontextmanager
async def open_guest() -> AsyncIterator[AsyncioGuest]:
    """A guest of the running Trio loop; ends with the block, and every operation that is still under way with it."""
    guest = AsyncioGuest()
    pumping = trio.Event()

    async def pump() -> None:
        try:
            await guest._pump()
        finally:
            pumping.set()

    # A system task: no cancellation of the program's reaches it, for callers that were cancelled wait for asyncio to
    # clean up, and nobody else would let it. Nor does Control-C, which must not raise in the middle of asyncio.
    trio.lowlevel.spawn_system_task(pump, name="asyncio guest")
    try:
        yield guest
    finally:
        with trio.CancelScope(shield=True):
            await guest._end()
            await pumping.wait()
        guest._loop.close()


async def _end_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels every other task, once, and waits for what they do about it. Whoever takes too long is left behind."""
    me = asyncio.current_task()
    ends_at = loop.time() + END_SECONDS
    while (others := asyncio.all_tasks() - {me}) and loop.time() < ends_at:
        for task in others:
            if not task.cancelling():
                task.cancel()
        await asyncio.wait(others, timeout=ends_at - loop.time())
    await loop.shutdown_asyncgens()


def _ended() -> trio.ClosedResourceError:
    return trio.ClosedResourceError("the loop for the databases has ended")


@contextlib.contextmanager
def _asyncio_is_current() -> Iterator[None]:
    """Libraries that ask sniffio hear the truth."""
    before = sniffio.thread_local.name
    sniffio.thread_local.name = "asyncio"
    try:
        yield
    finally:
        sniffio.thread_local.name = before


def _say(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What went wrong in a callback or in a task that nobody waits for."""
    _log.error("asyncio: %s", context.get("message"), exc_info=context.get("exception"))
