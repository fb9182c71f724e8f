"""A plain asyncio loop in a thread of its own, which Trio's tasks can send work to.

It stands in for the loop nested in Trio's (stores/asyncio_guest.py): what runs on both alike depends on neither.
"""

import asyncio  # noqa: TID251 - the other loop is what this is for
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import trio

T = TypeVar("T")


class SideLoop:
    """The loop and its thread; close it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asyncio", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run_sync(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it there and blocks this thread meanwhile."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def run(self, fn: Callable[..., Coroutine[Any, Any, T]], *args: object) -> T:
        """As AsyncioGuest.run: a cancellation is handed over once, and the end is waited for."""
        await trio.lowlevel.checkpoint_if_cancelled()
        token, caller = trio.lowlevel.current_trio_token(), trio.lowlevel.current_task()
        tasks: list[asyncio.Task[T]] = []
        raise_cancel: Callable[[], NoReturn] | None = None

        def begin() -> None:
            task = self._loop.create_task(fn(*args))
            tasks.append(task)
            task.add_done_callback(lambda _: wake())

        def wake() -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(trio.lowlevel.reschedule, caller)

        def cancel(raise_it: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
            nonlocal raise_cancel
            raise_cancel = raise_it
            self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            return trio.lowlevel.Abort.FAILED

        self._loop.call_soon_threadsafe(begin)
        await trio.lowlevel.wait_task_rescheduled(cancel)
        if raise_cancel is not None and tasks[0].cancelled():
            raise_cancel()
        return tasks[0].result()
