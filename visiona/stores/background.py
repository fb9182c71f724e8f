"""Loops that run while a block does, unseen by whoever opened it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import trio


@contextlib.asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs the loops until the block is left, and cancels them then. What one of them raises ends the block."""
    try:
        async with trio.open_nursery() as nursery:
            for loop in loops:
                nursery.start_soon(loop)
            yield
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The caller's own exception went through a nursery that the caller does not know of: give it back as it was.
        if len(group.exceptions) > 1:
            raise
        error = group.exceptions[0]
        raise error from error.__cause__
