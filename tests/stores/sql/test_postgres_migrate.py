import asyncio  # noqa: TID251  the runner is asyncio's, as its driver is
import contextlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import asyncpg
import pytest
from visiona.stores.errors import SchemaMismatch
from visiona.stores.sql import postgres_migrate
from visiona.stores.sql.migrate import Migration, known_migrations
from visiona.stores.sql.postgres_migrate import LOCK, down, status, up

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
BROKEN = Migration(
    2, "broken", "INSERT INTO a VALUES ('2');\nINSERT INTO nowhere VALUES (1);\n", "SELECT 1/0"
)
# Stops in its middle for as long as somebody else holds the table.
STUCK = Migration(
    2,
    "stuck",
    "INSERT INTO a VALUES ('2');\nCREATE TABLE b (x TEXT);\nLOCK TABLE a;\nINSERT INTO b VALUES ('3');\n",
)


@pytest.fixture
def url(postgres_server: PostgresServer | NamedPostgres) -> str:
    return postgres_server.create_database()


def on(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """What the work says about one connection."""

    async def run() -> T:
        async with connected(url) as connection:
            return await work(connection)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def connected(url: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def tables(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in rows}


async def shape(connection: asyncpg.Connection) -> list[tuple[str, ...]]:
    """Every column, index and constraint."""
    rows = await connection.fetch(
        """SELECT table_name, column_name, data_type, is_nullable, collation_name
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2, 3"""
    )
    return [tuple(row) for row in rows]


async def wait_for_waiters(connection: asyncpg.Connection, kind: str, count: int = 1) -> None:
    """Until so many wait for a lock of the kind."""
    deadline = time.monotonic() + 10
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = $1"
    while await connection.fetchval(sql, kind) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


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
        with pytest.raises(SchemaMismatch, match=r'0002 \(broken\).*undone: relation "nowhere" does not'):
            await up(connection, (ONE, BROKEN))
        assert not connection.is_in_transaction()
        assert [step.number for step in (await status(connection, (ONE, BROKEN))).applied] == [1]
        assert await connection.fetchval("SELECT count(*) FROM a") == 1
        await up(connection, (ONE, TWO))

    on(url, work)


def test_s01_a_newer_an_edited_and_a_holed_schema_are_refused_and_left_alone(url: str) -> None:
    edited = Migration(1, ONE.name, ONE.text + " ", ONE.undo)
    three = Migration(3, "three", "CREATE TABLE c (x TEXT)", "DROP TABLE c")

    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, (ONE, TWO))
        before = await shape(connection)
        for known, told in (
            ((ONE,), r"newer visiona.*0002"),
            ((edited, TWO), r"0001 \(one\).*not the one"),
        ):
            for ask in (status(connection, known), up(connection, known), down(connection, known, 0)):
                with pytest.raises(SchemaMismatch, match=told):
                    await ask
        assert await shape(connection) == before
        await connection.execute("UPDATE schema_migrations SET number = 3 WHERE number = 2")
        with pytest.raises(SchemaMismatch, match="0003"):
            await up(connection, (ONE, TWO, three))

    on(url, work)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ("CREATE TABLE schema_migrations (version TEXT)", "its table schema_migrations is not ours"),
        ("CREATE TABLE devices (x TEXT)", r"0001 \(initial\).*give visiona a database of its own"),
    ],
)
def test_s01_another_programs_database_is_refused_and_left_alone(url: str, theirs: str, told: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(theirs)
        before = await shape(connection)
        with pytest.raises(SchemaMismatch, match=told):
            await up(connection, known_migrations())
        assert await shape(connection) == before

    on(url, work)


def test_s01_a_user_who_may_not_make_tables_is_no_matter_of_the_schema(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        name = f"r_{await connection.fetchval('SELECT current_database()')}"
        await connection.execute(f"CREATE ROLE {name}")
        await up(connection, (ONE,))
        await connection.execute(f"GRANT SELECT, INSERT ON schema_migrations TO {name}; SET ROLE {name}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await up(connection, (ONE, TWO))
        await connection.execute(f"RESET ROLE; DROP OWNED BY {name}; DROP ROLE {name}")

    on(url, work)


def test_steps_are_undone_from_the_newest_down_to_the_one_named(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, (ONE, TWO))
        assert len((await down(connection, (ONE, TWO), 2)).applied) == 2
        assert await tables(connection) == {"a", "b", "schema_migrations"}
        await down(connection, (ONE, TWO), 1)
        assert await tables(connection) == {"a", "schema_migrations"}
        assert await connection.fetchval("SELECT count(*) FROM a") == 1
        await down(connection, (ONE, TWO), 0)
        assert await tables(connection) == {"schema_migrations"}
        assert await status(connection, (ONE, TWO)) == await down(connection, (ONE, TWO), 0)
        await up(connection, (ONE, TWO))

    on(url, work)


def test_s01_a_step_that_cannot_be_undone_stays(url: str) -> None:
    only_up = Migration(2, TWO.name, TWO.text)

    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, (ONE, only_up))
        with pytest.raises(SchemaMismatch, match=r"0002 \(two\) cannot be undone"):
            await down(connection, (ONE, only_up), 0)
        assert await tables(connection) == {"a", "b", "schema_migrations"}
        half = Migration(2, TWO.name, TWO.text, "DROP TABLE b; SELECT 1/0")
        with pytest.raises(SchemaMismatch, match=r"0002 \(two\).*undone: division by zero"):
            await down(connection, (ONE, half), 0)
        assert await tables(connection) == {"a", "b", "schema_migrations"}

    on(url, work)


def test_every_step_of_ours_can_be_taken_back_and_run_again(url: str) -> None:
    """One by one: what is there after a step is what is there when the next one was undone."""
    known = known_migrations()

    async def work(connection: asyncpg.Connection) -> None:
        shapes = []
        for step in known:
            shapes.append(await shape(connection))
            await up(connection, known[: step.number])
        last = await shape(connection)
        for step in reversed(known):
            await down(connection, known, step.number - 1)
            if step.number > 1:
                assert await shape(connection) == shapes[step.number - 1]
        assert await tables(connection) == {"schema_migrations"}
        await up(connection, known)
        assert await shape(connection) == last

    on(url, work)


def test_every_text_of_ours_is_in_the_order_of_its_bytes(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, known_migrations())
        rows = await connection.fetch(
            """SELECT attrelid::regclass::text || '.' || attname, collname
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_collation c ON c.oid = attcollation
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
            AND attrelid::regclass::text NOT LIKE 'schema_migrations%'"""
        )
        assert len(rows) > 80
        assert {column: collation for column, collation in rows if collation != "C"} == {}

    on(url, work)


def test_tags_become_arrays_and_json_again(url: str) -> None:
    known = known_migrations()
    tags = ["a", 'quote"', "門", "", "a,b", "{x}", "back\\slash"]

    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, known[:4])
        await connection.execute(
            """INSERT INTO users VALUES ('u', 'a@b', '', NULL, FALSE, 0, NULL);
            INSERT INTO workspaces VALUES ('w', '', NULL, 0, 0, NULL)"""
        )
        sql = """INSERT INTO devices (id, workspace_id, user_id, name, device_type, created_at, updated_at, tags,
            accelerators) SELECT $1, 'w', 'u', '', '', 0, 0, array_to_json($2::text[])::text, '[]'"""
        await connection.executemany(sql, [("some", tags), ("none", [])])
        await up(connection, known)
        ask = "SELECT tags FROM devices ORDER BY id DESC"
        assert [row[0] for row in await connection.fetch(ask)] == [tags, []]
        await down(connection, known, 4)
        as_texts = f"SELECT ARRAY(SELECT json_array_elements_text(tags::json)) FROM ({ask}) AS d"
        assert [row[0] for row in await connection.fetch(as_texts)] == [tags, []]

    on(url, work)


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_s01_two_that_start_at_once_migrate_once(url: str, isolation: str) -> None:
    """Whatever the database's own idea is of what a transaction sees."""
    known = known_migrations()

    async def work(connection: asyncpg.Connection) -> None:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
        async with connected(url) as one, connected(url) as two:
            assert await one.fetchval("SHOW transaction_isolation") == isolation
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                both = asyncio.gather(up(one, known), up(two, known))
                await wait_for_waiters(connection, "advisory", 2)
            assert [found.pending for found in await both] == [known, known]
        assert [step.number for step in (await status(connection, known)).applied] == [
            step.number for step in known
        ]

    on(url, work)


def test_s01_two_that_go_back_at_once_go_back_once(url: str) -> None:
    known = known_migrations()

    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, known)
        async with connected(url) as one, connected(url) as two:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                both = asyncio.gather(down(one, known, 1), down(two, known, 1))
                await wait_for_waiters(connection, "advisory", 2)
            await both
        assert [step.number for step in (await status(connection, known)).applied] == [1]

    on(url, work)


def test_s01_a_turn_or_a_table_that_does_not_come_is_not_waited_for_for_ever(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_migrate, "TURN_SECONDS", 0.2)
    monkeypatch.setattr(postgres_migrate, "TABLE_SECONDS", 0.1)

    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, (ONE,))
        async with connected(url) as other:
            for hold in (f"SELECT pg_advisory_xact_lock({LOCK})", "LOCK TABLE a"):
                async with other.transaction():
                    await other.execute(hold)
                    with pytest.raises(asyncpg.LockNotAvailableError):
                        await up(connection, (ONE, STUCK))
                assert await tables(connection) == {"a", "schema_migrations"}
        await up(connection, (ONE, STUCK))

    on(url, work)


class Mortal(asyncpg.Connection):
    """A connection whose program dies at the given message: `left` counts down to it."""

    left: int | None = None
    is_sent = False

    async def _last_words(self, message: Any) -> Any:
        if self.left is None:
            return await message
        if self.left > 0:
            self.left -= 1
            return await message
        if self.is_sent:
            # Out of the door, and nobody there for the answer.
            asyncio.ensure_future(message).add_done_callback(lambda done: done.exception())
            await asyncio.sleep(0)
        else:
            message.close()
        self.terminate()
        raise ConnectionAbortedError

    async def execute(self, *args: Any, **options: Any) -> Any:
        return await self._last_words(super().execute(*args, **options))

    async def fetch(self, *args: Any, **options: Any) -> Any:
        return await self._last_words(super().fetch(*args, **options))


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("is_sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_s01_a_migration_that_ends_at_any_message_ran_whole_or_not_at_all(
    url: str, way: str, is_sent: bool
) -> None:
    known = known_migrations()

    async def die_at(number: int) -> bool:
        connection = await asyncpg.connect(url, connection_class=Mortal)
        connection.left, connection.is_sent = number, is_sent
        try:
            await (up(connection, known) if way == "up" else down(connection, known, 0))
        except (ConnectionAbortedError, asyncpg.InterfaceError):
            assert connection.is_closed()
            return True
        await connection.close()
        return False

    async def work(connection: asyncpg.Connection) -> int:
        expected = {}
        for step in (None, *known):
            count = step.number if step is not None else 0
            await up(connection, known[:count])
            expected[count] = await tables(connection) - {"schema_migrations"}
        if way == "up":
            await down(connection, known, 0)
        deaths = 0
        at, before = 0, len((await status(connection, known)).applied)
        while await die_at(at):
            deaths += 1
            async with connection.transaction():
                # Whoever died may still be at work over there; its turn is over when we have it.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            count = len((await status(connection, known)).applied)
            assert await tables(connection) - {"schema_migrations"} == expected[count]
            at, before = (at + 1, before) if count == before else (0, count)
        assert len((await status(connection, known)).applied) == (len(known) if way == "up" else 0)
        return deaths

    assert on(url, work) >= 8 * len(known)


MIGRATE = """
import asyncio, sys
import asyncpg
from tests.stores.sql.test_postgres_migrate import ONE, STUCK
from visiona.stores.sql.postgres_migrate import up
async def main():
    await up(await asyncpg.connect(sys.argv[1]), (ONE, STUCK))
asyncio.run(main())
"""


def test_s01_a_program_killed_in_the_middle_of_a_step_leaves_nothing_of_it(url: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await up(connection, (ONE,))
        async with connected(url) as other, other.transaction():
            await other.execute("LOCK TABLE a IN ROW EXCLUSIVE MODE")
            program = await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, url)
            await wait_for_waiters(connection, "relation")
            program.kill()
            assert await program.wait() == -signal.SIGKILL
        # The server is told of the death when it has something to say; until then it holds the lock, and we wait.
        assert (await up(connection, (ONE, TWO))).pending == (TWO,)
        assert [x for (x,) in await connection.fetch("SELECT x FROM a")] == ["; ", "2"]
        assert await connection.fetchval("SELECT count(*) FROM b") == 0

    on(url, work)


@pytest.fixture
def mortal_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_s01_a_server_killed_in_the_middle_of_a_step_has_nothing_of_it(mortal_server: PostgresServer) -> None:
    url = mortal_server.create_database()

    async def be_killed() -> None:
        connections = [await asyncpg.connect(url) for _ in range(3)]
        connection, other, watcher = connections
        await up(connection, (ONE,))
        await other.execute("BEGIN; LOCK TABLE a IN ROW EXCLUSIVE MODE")
        step = asyncio.ensure_future(up(connection, (ONE, STUCK)))
        await wait_for_waiters(watcher, "relation")
        mortal_server.kill()
        with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            await step
        for each in connections:
            each.terminate()

    async def come_back(connection: asyncpg.Connection) -> None:
        assert await tables(connection) == {"a", "schema_migrations"}
        assert await connection.fetchval("SELECT count(*) FROM a") == 1
        assert (await up(connection, (ONE, TWO))).pending == (TWO,)

    asyncio.run(be_killed())
    mortal_server.start()
    on(url, come_back)
