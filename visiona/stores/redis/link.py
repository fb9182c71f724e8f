"""What the stores here need of Redis, whichever loop they run on: a deed done, and its answer.

Each deed is one script, so the bridge between the loops is crossed once for each. RedisClient is such a way on
asyncio's loop, GuestLink on Trio's.
"""

from typing import Protocol

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.redis.answers import Answer
from visiona.stores.redis.client import RedisClient
from visiona.stores.redis.scripts import Script


class Link(Protocol):
    """A way to one Redis."""

    async def run(self, script: Script, *words: str | int) -> Answer:
        """Runs it; raises StoreUnavailable, after which nobody knows whether it ran."""
        ...


class GuestLink:
    """See Link; for Trio's tasks."""

    def __init__(self, guest: AsyncioGuest, client: RedisClient) -> None:
        self._guest = guest
        self._client = client

    async def run(self, script: Script, *words: str | int) -> Answer:
        """See Link.run."""
        return await self._guest.run(self._client.run, script, *words)
