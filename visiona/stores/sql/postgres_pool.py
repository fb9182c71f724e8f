"""Connections to one PostgreSQL, kept for the next who asks.

It hands out places in the order of asking, each within the asker's deadline, and takes connections back without a
word to the server. A connection that may be in the middle of something is never kept: it is cut, not waited for.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

import asyncpg

IDLE_SECONDS = 60.0
"""A connection that nobody used for so long is closed: firewalls forget silent ones, and nobody tells us."""

Connect = Callable[[float], Awaitable[asyncpg.Connection]]
"""Opens a connection within so many seconds."""


class PostgresPool:
    """At most `size` connections, none before somebody asks.

    Lives on the asyncio loop that runs when it is first used.
    """

    def __init__(self, connect: Connect, size: int) -> None:
        self.size = size
        self._connect = connect
        self._free = size
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: deque[tuple[asyncpg.Connection, float]] = deque()
        self._lent: dict[asyncpg.Connection, int] = {}
        self._generation = 0
        self._retiring: asyncio.TimerHandle | None = None

    async def acquire(self, ends_at: float) -> asyncpg.Connection:
        """A connection of the caller's own; it gives it back with `release`.

        Args:
            ends_at: the loop's time at which it is too late.

        Raises:
            TimeoutError: no place came free, or no connection came about, in time.
            asyncpg.PostgresError, OSError …: none can be opened.
        """
        await self._take_place(ends_at)
        # From before it is opened: the server may change while that goes on.
        generation = self._generation
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                break
        else:
            try:
                connection = await self._connect(max(0.001, ends_at - asyncio.get_running_loop().time()))
            except BaseException:
                self._give_place()
                raise
        self._lent[connection] = generation
        return connection

    def release(self, connection: asyncpg.Connection) -> None:
        """Takes it back. Only one that is in no transaction and was not forgotten is kept."""
        is_forgotten = self._lent.pop(connection) != self._generation
        if connection.is_closed() or connection.is_in_transaction() or is_forgotten:
            connection.terminate()
        else:
            loop = asyncio.get_running_loop()
            self._idle.append((connection, loop.time()))
            if self._retiring is None:
                self._retiring = loop.call_later(IDLE_SECONDS, self._retire)
        self._give_place()

    def forget(self) -> None:
        """Nothing that is open now is used again by another: the server behind it may have changed or gone."""
        while self._idle:
            self._idle.pop()[0].terminate()
        self._generation += 1

    def turn_away(self) -> None:
        """Ends the waiting of all who wait for a place, as at their deadline."""
        for place in self._waiting:
            _too_late(place)

    def close(self) -> None:
        """Cuts what is idle now, and the others as they come back. Nobody may ask any more."""
        self.forget()
        if self._retiring is not None:
            self._retiring.cancel()

    @property
    def idle_count(self) -> int:
        """Connections that wait for somebody."""
        return len(self._idle)

    @property
    def lent_count(self) -> int:
        """Connections in somebody's hands."""
        return len(self._lent)

    @property
    def free_count(self) -> int:
        """How many could have a connection without waiting for anybody else's."""
        return self._free

    @property
    def waiting_count(self) -> int:
        """Who waits for a place."""
        return len(self._waiting)

    async def _take_place(self, ends_at: float) -> None:
        if self._free > 0:
            self._free -= 1
            return
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        timer = loop.call_at(ends_at, _too_late, place)
        try:
            await place
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ValueError):
                self._waiting.remove(place)
            if not place.cancelled() and place.exception() is None:
                self._give_place()  # It was given at the very moment of the cancellation.
            raise
        finally:
            timer.cancel()

    def _give_place(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def _retire(self) -> None:
        """Closes what was idle for too long, and comes again while anything is."""
        loop = asyncio.get_running_loop()
        self._retiring = None
        while self._idle and self._idle[0][1] <= loop.time() - IDLE_SECONDS:
            self._idle.popleft()[0].terminate()
        if self._idle:
            self._retiring = loop.call_at(self._idle[0][1] + IDLE_SECONDS, self._retire)


def _too_late(place: "asyncio.Future[None]") -> None:
    if not place.done():
        place.set_exception(TimeoutError())
