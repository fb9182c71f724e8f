"""Tells other processes at once that there is something to read, and hears of it.

Only an alarm clock: what was ended stands in the database, and of sessions in Redis, and is looked for from time to
time anyway. So nobody ever waits for the telling, and what is not heard costs a moment.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping

import trio

from visiona.stores.errors import StoreUnavailable
from visiona.stores.redis.link import Link
from visiona.stores.redis.scripts import Script

LOOK = Script("sessions", "look")

LISTEN_SECONDS = 10.0
"""How long one question for news waits."""

AGAIN_SECONDS = 1.0
"""After a failure."""

FAREWELL_SECONDS = 1.0
"""How long a program that ends may take to tell what it did last."""

Listen = Callable[[Mapping[str, str], float], Awaitable[dict[str, str]]]
"""See client.RedisClient.wait_entries."""

_NOTHING_KNOWN: Mapping[str, str] = {"ended": "$", "look": "$"}


class News:
    """The alarm clock of one process."""

    def __init__(self, link: Link, listen: Listen) -> None:
        self._link = link
        self._listen = listen
        self._waiting = trio.lowlevel.ParkingLot()
        self._untold = trio.Event()

    async def wait(self, seconds: float) -> None:
        """Until there are news, at the latest after `seconds`."""
        with trio.move_on_after(seconds):
            await self._waiting.park()

    def tell(self) -> None:
        """Notices were committed here."""
        self._waiting.unpark_all()
        self._untold.set()

    async def tell_forever(self) -> None:
        """Passes on what `tell` is told; while one message is on its way, any number of others become one."""
        while True:
            await self._untold.wait()
            self._untold = trio.Event()
            try:
                await self._link.run(LOOK)
            except StoreUnavailable:
                continue
            except trio.Cancelled:
                self._untold.set()
                raise

    async def tell_the_rest(self) -> None:
        """Before the end of a program that is not heard of again."""
        if self._untold.is_set():
            with contextlib.suppress(StoreUnavailable), trio.move_on_after(FAREWELL_SECONDS, shield=True):
                await self._link.run(LOOK)

    async def listen_forever(self) -> None:
        """Wakes whoever waits, as soon as anybody tells."""
        known = _NOTHING_KNOWN
        while True:
            try:
                found = await self._listen(known, LISTEN_SECONDS)
            except StoreUnavailable:
                # It may come back with another memory, in which no entry follows those that we know.
                known = _NOTHING_KNOWN
                await trio.sleep(AGAIN_SECONDS)
                continue
            if found:
                known = {**known, **found}
                self._waiting.unpark_all()
