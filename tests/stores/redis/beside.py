"""Stores in memory with a Redis beside them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import RedisSettings, StoreSettings

from tests.support.lateness import within
from tests.support.servers.redis import RedisServer

NOWHERE = Path("/nonexistent")

PATIENCE_SECONDS = 10.0
"""A machine that is busy with other tests is no outage."""

RECOVERY_SECONDS = 5.0
"""After which Redis must be used again that has come back."""


@contextlib.asynccontextmanager
async def beside(
    server: RedisServer | str,
    *,
    timeout_seconds: float = PATIENCE_SECONDS,
    prefix: str = "visiona:",
    is_server: bool = True,
) -> AsyncIterator[Stores]:
    url = server if isinstance(server, str) else server.url()
    redis = RedisSettings(url, timeout_seconds=timeout_seconds, key_prefix=prefix)
    assert redis.check() == []
    async with open_stores(StoreSettings("memory:", NOWHERE, redis=redis), exclusive=is_server) as stores:
        yield stores


def keys(server: RedisServer) -> set[str]:
    """Of everything that is there, without our prefix."""
    words = server.command("KEYS", "*").decode().split("\r\n")[2::2]
    return {word.removeprefix("visiona:") for word in words}


def milliseconds_left(server: RedisServer, key: str) -> int:
    return int(server.command("PTTL", f"visiona:{key}")[1:])


async def refusal(ask: Callable[[], Awaitable[object]]) -> StoreUnavailable:
    """The outage that the call meets."""
    try:
        answer = await ask()
    except StoreUnavailable as error:
        return error
    raise AssertionError(f"it was answered: {answer!r}")


async def seconds_until_answered(ask: Callable[[], Awaitable[object]]) -> float:
    """How long the call is refused."""
    began = trio.current_time()
    with within(RECOVERY_SECONDS), trio.fail_after(3 * RECOVERY_SECONDS):
        while True:
            with contextlib.suppress(StoreUnavailable):
                await ask()
                return trio.current_time() - began
            await trio.sleep(0.02)
