"""The PostgreSQL engine by itself on a plain asyncio loop, and a second way into its database."""

import asyncio  # noqa: TID251  the engine's loop
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
from visiona.stores.postgres_address import parsed
from visiona.stores.sql.engine import SqlTransaction
from visiona.stores.sql.postgres_connect import SERVER, connector
from visiona.stores.sql.postgres_engine import PostgresEngine

Ask = Callable[[SqlTransaction], Awaitable[object]]


class EngineUnderTest:
    """An engine on a database, a second way into it, and what the engine's connections were asked."""

    def __init__(self, url: str, *, timeout_seconds: float = 10.0, pool_size: int = 8) -> None:
        connect = connector(parsed(url), timeout_seconds, name=SERVER)
        self._asked: list[str] = []

        async def watched(within_seconds: float) -> asyncpg.Connection:
            connection = await connect(within_seconds)
            connection.add_query_logger(lambda query: self._asked.append(query.query))
            return connection

        self.engine = PostgresEngine(watched, pool_size=pool_size, timeout_seconds=timeout_seconds)

    async def asked(self) -> list[str]:
        """What they were asked since the last time; the driver says so a turn later."""
        for _ in range(3):
            await asyncio.sleep(0)
        asked, self._asked[:] = self._asked[:], []
        return asked

    async def emails(self) -> list[str]:
        return [user.email for user in await self.engine.read(lambda tx: tx.users.list_all(1000))]

    async def read(self, ask: Ask) -> object:
        return await self.engine.read(lambda tx: ask(tx.users._tx))

    async def write(self, ask: Ask, *, waits: bool = True) -> object:
        return await self.engine.write(lambda tx: ask(tx.users._tx), waits)


@contextlib.asynccontextmanager
async def an_engine(
    url: str, *, timeout_seconds: float = 10.0, pool_size: int = 8
) -> AsyncIterator[EngineUnderTest]:
    fixture = EngineUnderTest(url, timeout_seconds=timeout_seconds, pool_size=pool_size)
    try:
        yield fixture
    finally:
        await fixture.engine.close()


@contextlib.asynccontextmanager
async def another_way(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def on_engine(test: Callable[..., Awaitable[None]]) -> Callable[[str], None]:
    """A test that is given an engine on a database of its own, on a plain asyncio loop."""

    async def with_engine(url: str) -> None:
        async with an_engine(url) as on:
            await test(on, url)

    @functools.wraps(test)
    def run(postgres_url: str) -> None:
        asyncio.run(with_engine(postgres_url))

    del run.__wrapped__  # pytest looks there for what a test wants
    return run


def raising(code: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'hush' USING ERRCODE = '{code}'; END $$"


async def nothing_runs(connection: asyncpg.Connection) -> None:
    """Waits until no other connection to this database does anything, nor has anything open."""
    sql = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND state <> 'idle'"""
    async with asyncio.timeout(5):
        while await connection.fetchval(sql):  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.005)
