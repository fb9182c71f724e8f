"""asyncpg as it comes, on an asyncio loop of its own: what the PostgreSQL engine is measured against.

The same operations with the same SQL, each on a connection of a pool. No bridge to another loop, no deadline, no retry,
no one picture for a read of several questions, no order of notices, and no translation of errors: it may be used for
measuring and nothing else.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
from visiona.stores.interfaces import Tx
from visiona.stores.kept_sessions import KeptPendingLogins, KeptSessions
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import postgres_migrate
from visiona.stores.sql.dialect import POSTGRES
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.transaction import SqlTx

T = TypeVar("T")


class BareTransaction:
    """See sql/engine.py."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch_one(self, sql: str, *values: Any) -> Any:
        return await self._connection.fetchrow(POSTGRES.spell(sql), *values)

    async def fetch_all(self, sql: str, *values: Any) -> Any:
        return await self._connection.fetch(POSTGRES.spell(sql), *values)

    async def execute(self, sql: str, *values: Any) -> int:
        said = await self._connection.execute(POSTGRES.spell(sql), *values)
        return int(said.rpartition(" ")[2])

    async def execute_many(self, sql: str, rows: Any) -> None:
        await self._connection.executemany(POSTGRES.spell(sql), rows)

    async def execute_last(self, sql: str, *values: Any) -> None:
        await self.execute(sql, *values)

    async def flush_last(self) -> None:
        pass


class BareStores:
    """As much of interfaces.Stores as the calls use."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.sessions = KeptSessions(self)
        self.pending_logins = KeptPendingLogins(self)

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        async with self._pool.acquire() as connection:
            return await operation(SqlTx(BareTransaction(connection)))

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        async with self._pool.acquire() as connection, connection.transaction():
            return await operation(SqlTx(BareTransaction(connection)))


@contextlib.asynccontextmanager
async def opened(settings: StoreSettings) -> AsyncIterator[Any]:
    """Stores on a pool of as many connections as the engine may have."""
    async with asyncpg.create_pool(
        settings.url, min_size=0, max_size=settings.pool_size, reset=_leave_alone
    ) as pool:
        async with pool.acquire() as connection:
            await postgres_migrate.up(connection, known_migrations())
        yield BareStores(pool)


async def _leave_alone(_connection: object) -> None:
    """What asyncpg resets by itself before the next has a connection costs more than a point read."""
