import asyncio  # noqa: TID251  the runner is asyncio's, as its driver is
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import pytest
from visiona.stores.sql.migrate import Migration, known_migrations
from visiona.stores.sql.postgres_migrate import down, status, up

from tests.support.servers.postgres import NamedPostgres, PostgresServer

T = TypeVar("T")

ONE = Migration(
    1, "one", "CREATE TABLE a (x TEXT);\n-- a ; in a comment\nINSERT INTO a VALUES ('; ');\n", "DROP TABLE a;"
)
TWO = Migration(
    2,
    "two",
    "INSERT INTO a VALUES ('2');\nCREATE TABLE b (x TEXT);\n",
    "DELETE FROM a WHERE x = '2';\nDROP TABLE b;",
)
BROKEN = Migration(2, "broken", "INSERT INTO a VALUES ('2');\nINSERT INTO nowhere VALUES (1);\n")


@pytest.fixture
def url(postgres_server: PostgresServer | NamedPostgres) -> str:
    return postgres_server.create_database()


def on(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """What the work says about one connection."""

    async def run() -> T:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


async def tables(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in rows}


def test_steps_run_in_order_and_only_once(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        assert (await up(connection, (ONE,))).pending == (ONE,)
        assert (await up(connection, (ONE, TWO))).pending == (TWO,)
        assert (await up(connection, (ONE, TWO))).pending == ()
        assert await tables(connection) == {"a", "b", "schema_migrations"}
        assert [x for (x,) in await connection.fetch("SELECT x FROM a")] == ["; ", "2"]

    on(url, work)


def test_asking_for_the_status_changes_nothing(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        assert (await status(connection, (ONE,))).pending == (ONE,)
        assert await tables(connection) == set()

    on(url, work)


def test_s01_a_step_that_fails_is_undone_whole_and_those_before_it_stay(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        with pytest.raises(asyncpg.UndefinedTableError):
            await up(connection, (ONE, BROKEN))
        assert not connection.is_in_transaction()
        assert [step.number for step in (await status(connection, (ONE, BROKEN))).applied] == [1]
        assert await connection.fetchval("SELECT count(*) FROM a") == 1
        await up(connection, (ONE, TWO))

    on(url, work)


def test_every_step_of_ours_runs_and_can_be_taken_back(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, known_migrations())
        with_all = await tables(connection)
        await down(connection, known_migrations(), 0)
        assert await tables(connection) == {"schema_migrations"}
        await up(connection, known_migrations())
        assert await tables(connection) == with_all

    on(url, work)
