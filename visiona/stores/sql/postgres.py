"""The stores on PostgreSQL: operations go across to the nested asyncio loop and back, each as a whole."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.interfaces import Ping, Tx
from visiona.stores.kept_sessions import KeptPendingLogins, KeptSessions
from visiona.stores.process_rates import ProcessRates
from visiona.stores.rates import RateStore
from visiona.stores.sessions import PendingLoginStore, SessionStore
from visiona.stores.sql.postgres_engine import PostgresEngine

T = TypeVar("T")
Operation = Callable[[Tx], Awaitable[T]]


class PostgresStores:
    """See interfaces.Stores. Made and closed by opening.py."""

    def __init__(self, engine: PostgresEngine, guest: AsyncioGuest) -> None:
        self._engine = engine
        self._guest = guest
        self.sessions: SessionStore = KeptSessions(self)
        self.pending_logins: PendingLoginStore = KeptPendingLogins(self)
        self.pings: Mapping[str, Ping] = {"database": self.ping}
        self.rates: RateStore = ProcessRates()

    async def read(self, operation: Operation[T]) -> T:
        """See interfaces.Stores.read."""
        return await self._guest.run(self._engine.read, operation)

    async def write(self, operation: Operation[T], *, waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        return await self._guest.run(self._engine.write, operation, waits)

    async def ping(self) -> None:
        """See interfaces.Stores.ping."""
        await self._guest.run(self._engine.ping)

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        return await self._guest.run(self._engine.change_mark)

    async def wait_notice(self, seconds: float) -> None:
        """See interfaces.Stores.wait_notice."""
        await trio.sleep(seconds)
