"""One PostgreSQL database with our schema for many tests, emptied before each.

A fresh one for each would be copied from a template in a tenth of a second; emptying takes a few milliseconds.
"""

import asyncio  # noqa: TID251 - the driver speaks it

import asyncpg
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.postgres_migrate import up

from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.side_loop import SideLoop

# What was made later refers to what was made before.
_TABLES = """SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations' ORDER BY oid DESC"""
_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class SharedDatabase:
    """The database; close it before its server and its loop."""

    def __init__(self, server: PostgresServer | NamedPostgres, loop: SideLoop) -> None:
        self.loop = loop
        self.url = server.create_database()
        self._connection, self._emptying = loop.run_sync(self._made())

    def close(self) -> None:
        self.loop.run_sync(self._connection.close())

    def empty(self) -> None:
        """Afterwards nobody is connected to it any more, and nothing is in it."""
        self.loop.run_sync(self._empty())

    def deadlock_count(self) -> int:
        """How many circles the server had to break so far."""
        return self.loop.run_sync(self._deadlock_count())

    def reconnect(self) -> None:
        """After the server was killed."""
        self._connection.terminate()
        self._connection = self.loop.run_sync(asyncpg.connect(self.url))

    def contents(self) -> dict[str, list[str]]:
        """Every row of every table."""
        return self.loop.run_sync(self._contents())

    async def _made(self) -> tuple[asyncpg.Connection, str]:
        connection = await asyncpg.connect(self.url)
        await up(connection, known_migrations())
        deletes = [f"DELETE FROM {row[0]}" for row in await connection.fetch(_TABLES)]
        again = "SELECT setval(pg_get_serial_sequence('notices', 'id'), 1, false)"
        return connection, ";".join([*deletes, again])

    async def _empty(self) -> None:
        await self._end_others()
        await self._connection.execute(self._emptying)

    async def _deadlock_count(self) -> int:
        # Each reports its own at its end.
        await self._end_others()
        sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(await self._connection.fetchval(sql))

    async def _contents(self) -> dict[str, list[str]]:
        await settled(self._connection)
        return await everything_in(self._connection)

    async def _end_others(self) -> None:
        await self._connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {_OTHERS}")


async def settled(connection: asyncpg.Connection) -> None:
    """Waits until nobody else does anything there: whoever was cut off may not be gone yet."""
    async with asyncio.timeout(10):
        busy = f"SELECT count(*) {_OTHERS} AND state IS DISTINCT FROM 'idle'"
        while await connection.fetchval(busy):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)


async def everything_in(connection: asyncpg.Connection) -> dict[str, list[str]]:
    """Every row of every table of ours, as text."""
    names = [row[0] for row in await connection.fetch(_TABLES)]
    rows = {name: await connection.fetch(f"SELECT t::text FROM {name} t ORDER BY 1") for name in names}
    return {name: [row[0] for row in found] for name, found in rows.items()}
