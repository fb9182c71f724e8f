"""Blocking work beside Trio's loop, ended by a cancellation between two batches."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

import trio

from visiona.stores.copying.ends import Progress

T = TypeVar("T")


@asynccontextmanager
async def entered(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """The context, entered and left in a worker thread."""
    value = await trio.to_thread.run_sync(manager.__enter__)
    try:
        yield value
    except BaseException as error:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(manager.__exit__, type(error), error, error.__traceback__)
        raise
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(manager.__exit__, None, None, None)


async def run_cancellable(work: Callable[[Progress], T], progress: Progress) -> T:
    """Runs the work in a thread.

    Where it tells of rows or bytes it is also stopped when this task is cancelled: it undoes what it did, then this raises.
    """
    return await trio.to_thread.run_sync(work, _Cancellable(progress))


class _Cancellable:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, total_rows: int, total_bytes: int = 0) -> None:
        self._progress.begin(total_rows, total_bytes)

    def step(self, rows: int) -> None:
        trio.from_thread.check_cancelled()
        self._progress.step(rows)

    def pass_bytes(self, count: int) -> None:
        trio.from_thread.check_cancelled()
        self._progress.pass_bytes(count)
