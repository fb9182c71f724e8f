"""Waiting for what tells nobody that it has come: another process, a thread, a server, a task that sets no event."""

from collections.abc import Callable

import trio


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Looks again and again, soon at first; trio.TooSlowError if it does not come to be. Also on a virtual clock."""
    step = 0.001
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(step)
            step = min(step * 1.5, 0.25)
