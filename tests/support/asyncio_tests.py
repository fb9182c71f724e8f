"""Tests of code that speaks asyncio and knows nothing of Trio."""

import asyncio  # noqa: TID251 - that loop is what they need
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


def on_asyncio(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs the test on a plain asyncio loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def until(is_so: Callable[[], bool], within_seconds: float = 5.0) -> None:
    """Waits until it is so; TimeoutError if it does not come to be."""
    async with asyncio.timeout(within_seconds):
        while not is_so():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.001)
