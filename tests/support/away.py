"""Stores in memory whose database, or whose sessions, go away and come back, as a test says."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, TypeVar

import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Ping, Tx
from visiona.stores.memory.engine import MemoryStores

T = TypeVar("T")

DRIVERS_TEXT = "FATAL: password authentication failed for user visiona"
"""What stands in for a driver's words; it must be found in no answer."""

RETRY_AFTER_SECONDS = 7


class AwayStores:
    """Sessions live apart from the database, as they do in Redis; where they do not, both are away at once.

    Attributes:
        database_is_away, sessions_are_away: from the next question on.
        asked: how many questions were put to what was away.
    """

    def __init__(self) -> None:
        self._stores = MemoryStores()
        self.database_is_away = False
        self.sessions_are_away = False
        self.asked = 0
        self.sessions: Any = _Guarded(self._stores.sessions, self._check_sessions)
        self.pending_logins: Any = _Guarded(self._stores.pending_logins, self._check_sessions)
        self.rates = self._stores.rates
        self.pings: Mapping[str, Ping] = {"database": self.ping, "redis": self._ping_sessions}

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        await self._check_database()
        return await self._stores.read(operation)

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        await self._check_database()
        return await self._stores.write(operation, waits=waits)

    async def ping(self) -> None:
        await self._check_database()

    async def change_mark(self) -> int:
        await self._check_database()
        return await self._stores.change_mark()

    async def wait_notice(self, seconds: float) -> None:
        await self._stores.wait_notice(seconds)

    async def _ping_sessions(self) -> None:
        await self._check_sessions()

    async def _check_database(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.database_is_away:
            self._refuse()

    async def _check_sessions(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.sessions_are_away:
            self._refuse()

    def _refuse(self) -> NoReturn:
        self.asked += 1
        try:
            raise OSError(DRIVERS_TEXT)
        except OSError as error:
            raise StoreUnavailable("the store is away", retry_after_seconds=RETRY_AFTER_SECONDS) from error


class _Guarded:
    """Each method, after a check."""

    def __init__(self, store: object, check: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._check = check

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*args: Any, **kwargs: Any) -> Any:
            await self._check()
            return await getattr(self._store, method)(*args, **kwargs)

        return ask
