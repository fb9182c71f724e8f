import asyncio  # noqa: TID251  the engine's loop
import contextlib
import functools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from visiona.domain.notices import NoticeKind
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.postgres_address import parsed
from visiona.stores.sql.engine import SqlTransaction
from visiona.stores.sql.postgres_connect import SERVER, connector
from visiona.stores.sql.postgres_engine import REPEATS, PostgresEngine

from tests.support.asyncio_tests import on_asyncio, until
from tests.support.nouns import NOW, a_user

Ask = Callable[[SqlTransaction], Awaitable[object]]


class Fixture:
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
        return await self.engine.read(lambda tx: ask(tx.users._tx))  # type: ignore[attr-defined]

    async def write(self, ask: Ask, *, waits: bool = True) -> object:
        return await self.engine.write(lambda tx: ask(tx.users._tx), waits)  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def an_engine(url: str, *, timeout_seconds: float = 10.0, pool_size: int = 8) -> AsyncIterator[Fixture]:
    fixture = Fixture(url, timeout_seconds=timeout_seconds, pool_size=pool_size)
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


@on_engine
async def test_an_operation_with_one_question_gets_no_transaction(on: Fixture, url: str) -> None:
    assert await on.read(lambda tx: tx.fetch_one("SELECT 1")) == (1,)
    assert await on.asked() == ["SELECT 1"]


@on_engine
async def test_one_that_asks_more_is_begun_anew_and_known_from_then_on(on: Fixture, url: str) -> None:
    async def two(tx: SqlTransaction) -> object:
        return await tx.fetch_one("SELECT 1"), await tx.fetch_one("SELECT 2")

    async def ask(tx: Tx) -> object:
        return await two(tx.users._tx)  # type: ignore[attr-defined]

    begun = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1", "SELECT 2", "COMMIT"]
    assert await on.engine.read(ask) == ((1,), (2,))
    assert await on.asked() == ["SELECT 1", *begun]
    await on.asked()
    assert await on.engine.read(ask) == ((1,), (2,))
    assert await on.asked() == begun


@on_engine
async def test_what_has_no_code_of_its_own_is_given_a_transaction(on: Fixture, url: str) -> None:
    async def ask(number: int, tx: Tx) -> object:
        return await tx.users._tx.fetch_one(f"SELECT {number}")  # type: ignore[attr-defined]

    assert await on.engine.read(functools.partial(ask, 5)) == (5,)
    assert (await on.asked())[0].startswith("BEGIN")


@on_engine
async def test_two_questions_see_one_picture(on: Fixture, url: str) -> None:
    reads = 0

    async def ask(tx: Tx) -> tuple[int, int]:
        nonlocal reads
        reads += 1
        first = len(await tx.users.list_all(10))
        if reads == 2:
            await on.engine.write(lambda tx: tx.users.add(a_user()))
        return first, len(await tx.users.list_all(10))

    assert await on.engine.read(ask) == (0, 0)
    assert reads == 2
    assert await on.engine.read(ask) == (1, 1)


@on_engine
async def test_an_operation_that_reads_may_not_write(on: Fixture, url: str) -> None:
    async def write(tx: Tx) -> None:
        await tx.users.add(a_user())

    async def read_and_write(tx: Tx) -> None:
        await tx.users.list_all(10)
        await tx.users.list_all(10)
        await tx.users.add(a_user())

    async def append(tx: Tx) -> None:
        await tx.notices.append(NoticeKind.SESSION_ENDED, "x", NOW)

    for operation in (write, read_and_write, append):
        with pytest.raises(RuntimeError, match="may not write"):
            await on.engine.read(operation)
    assert await on.emails() == []


@on_engine
async def test_a_write_is_one_transaction(on: Fixture, url: str) -> None:
    await on.write(lambda tx: tx.fetch_one("SELECT 1"))
    assert await on.asked() == ["BEGIN ISOLATION LEVEL READ COMMITTED", "SELECT 1", "COMMIT"]


@on_engine
async def test_what_was_written_is_undone_when_the_operation_raises(on: Fixture, url: str) -> None:
    async def fail(tx: Tx) -> None:
        await tx.users.add(a_user())
        raise KeyError

    for _ in range(20):
        with pytest.raises(KeyError):
            await on.engine.write(fail)
    assert await on.emails() == []
    assert on.engine.pool.idle_count == 1


@on_engine
async def test_a_broken_promise_is_a_conflict_and_leaves_the_connection_whole(on: Fixture, url: str) -> None:
    await on.engine.write(lambda tx: tx.users.add(a_user()))
    with pytest.raises(StoreConflict) as caught:
        await on.engine.write(lambda tx: tx.users.add(a_user("ADA@example.com")))
    assert caught.value.about == "email"
    assert isinstance(caught.value.__cause__, asyncpg.UniqueViolationError)
    assert await on.emails() == ["ada@example.com"]
    assert on.engine.pool.idle_count == 1


@on_engine
async def test_who_goes_on_after_a_conflict_has_written_nothing_and_is_told(on: Fixture, url: str) -> None:
    await on.engine.write(lambda tx: tx.users.add(a_user()))

    async def go_on(tx: Tx) -> str:
        await tx.users.add(a_user("bob@example.com"))
        with contextlib.suppress(StoreConflict):
            await tx.users.add(a_user())
        return "as if nothing had happened"

    with pytest.raises(StoreConflict):
        await on.engine.write(go_on)

    async def translate(tx: Tx) -> None:
        try:
            await tx.users.add(a_user())
        except StoreConflict as error:
            raise KeyError from error

    with pytest.raises(KeyError):
        await on.engine.write(translate)
    assert await on.emails() == ["ada@example.com"]


@on_engine
async def test_s01_a_serialization_failure_has_the_whole_operation_run_again(on: Fixture, url: str) -> None:
    runs = 0

    async def unlucky(tx: Tx) -> int:
        nonlocal runs
        runs += 1
        await tx.users.add(a_user())
        if runs <= REPEATS:
            await tx.users._tx.execute(raising("40001"))  # type: ignore[attr-defined]
        return runs

    assert await on.engine.write(unlucky) == REPEATS + 1
    assert await on.emails() == ["ada@example.com"]


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_s01_after_three_more_tries_the_caller_is_told_to_come_back(postgres_url: str, code: str) -> None:
    @on_asyncio
    async def run() -> None:
        async with an_engine(postgres_url) as on:
            with pytest.raises(StoreUnavailable, match="others are writing") as caught:
                await on.write(lambda tx: tx.execute(raising(code)))
            assert "hush" not in str(caught.value)
            assert (await on.asked()).count(raising(code)) == 1 + REPEATS == 4

    run()


@pytest.mark.parametrize("code", ["23505", "57014", "55P03", "53100", "25006"])
def test_nothing_else_is_run_again(postgres_url: str, code: str) -> None:
    @on_asyncio
    async def run() -> None:
        async with an_engine(postgres_url) as on:
            with pytest.raises((StoreUnavailable, StoreConflict)):
                await on.write(lambda tx: tx.execute(raising(code)))
            assert (await on.asked()).count(raising(code)) == 1

    run()


@on_engine
async def test_s01_two_that_wait_for_each_other_both_get_through(on: Fixture, url: str) -> None:
    async with another_way(url) as other:
        await other.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0), (2, 0)")
    met = asyncio.Barrier(2)
    runs = 0

    async def add(first: int, second: int, tx: Tx) -> None:
        nonlocal runs
        runs += 1
        port: SqlTransaction = tx.users._tx  # type: ignore[attr-defined]
        await port.execute("UPDATE t SET n = n + 1 WHERE id = $1", first)
        if runs <= 2:
            await met.wait()
        await port.execute("UPDATE t SET n = n + 1 WHERE id = $1", second)

    await asyncio.gather(
        on.engine.write(functools.partial(add, 1, 2)), on.engine.write(functools.partial(add, 2, 1))
    )
    assert runs == 3
    assert await on.read(lambda tx: tx.fetch_all("SELECT n FROM t")) == [(2,), (2,)]


@on_engine
async def test_a_table_that_was_changed_under_a_running_server_is_asked_again(on: Fixture, url: str) -> None:
    async def ask(tx: SqlTransaction) -> object:
        return await tx.fetch_all("SELECT * FROM t")

    async with another_way(url) as other:
        await other.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        assert await on.write(ask) == [(1,)]
        await other.execute("ALTER TABLE t ADD COLUMN b INT")
        assert await on.write(ask) == [(1, None)]
        await other.execute("ALTER TABLE t ADD COLUMN c INT")
        assert await on.read(ask) == [(1, None, None)]


@on_engine
async def test_notices_are_numbered_in_the_order_of_commits(on: Fixture, url: str) -> None:
    """The first to append commits last; nobody may see the second and later find one before it."""
    appended, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        await tx.notices.append(NoticeKind.SESSION_ENDED, "slow", NOW)
        appended.set()
        await go_on.wait()

    slowly = asyncio.create_task(on.engine.write(slow))
    await appended.wait()
    await on.engine.write(lambda tx: tx.notices.append(NoticeKind.SESSION_ENDED, "quick", NOW))
    (quick,) = await on.engine.read(lambda tx: tx.notices.after(0, 10))
    go_on.set()
    await slowly
    (later,) = await on.engine.read(lambda tx: tx.notices.after(quick.id, 10))
    assert (quick.subject, later.subject) == ("quick", "slow")


@on_engine
async def test_an_operation_sees_the_notices_that_it_appended(on: Fixture, url: str) -> None:
    async def append(tx: Tx) -> list[str]:
        await tx.notices.append(NoticeKind.SESSION_ENDED, "one", NOW)
        await tx.notices.append(NoticeKind.SESSION_ENDED, "two", NOW)
        assert await tx.notices.last_id() == 2
        return [notice.subject for notice in await tx.notices.after(0, 10)]

    assert await on.engine.write(append) == ["one", "two"]


@on_engine
async def test_who_follows_the_notices_misses_none_however_many_write(on: Fixture, url: str) -> None:
    chance = random.Random(3)
    is_over = False

    async def append(name: str, tx: Tx) -> None:
        for part in range(chance.randrange(1, 4)):
            await tx.notices.append(NoticeKind.SESSION_ENDED, f"{name}-{part}", NOW)
            if chance.random() < 0.5:
                await tx.users.list_all(10)
        if chance.random() < 0.2:
            raise KeyError

    async def write(writer: int) -> None:
        for number in range(30):
            with contextlib.suppress(KeyError):
                await on.engine.write(functools.partial(append, f"{writer}-{number}"))

    async def follow() -> list[str]:
        seen: list[str] = []
        last = 0
        while True:
            is_last_round = is_over
            for notice in await on.engine.read(lambda tx, last=last: tx.notices.after(last, 100)):
                assert notice.id > last
                last = notice.id
                seen.append(notice.subject)
            if is_last_round:
                return seen

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(writer) for writer in range(6)))
    is_over = True
    kept = await on.engine.read(lambda tx: tx.notices.after(0, 1000))
    assert await following == [notice.subject for notice in kept]
    assert len(kept) > 100


@on_engine
async def test_the_mark_changes_with_each_commit_in_whatever_order_they_began(on: Fixture, url: str) -> None:
    marks = [await on.engine.change_mark()]
    async with another_way(url) as early, another_way(url) as late:
        for connection, name in ((early, "early"), (late, "late")):
            await connection.execute(f"BEGIN; CREATE TABLE {name} (x INT)")
        for connection in (late, early):
            marks.append(await on.engine.change_mark())
            await connection.execute("COMMIT")
            marks.append(await on.engine.change_mark())
        assert await on.engine.change_mark() == marks[-1]
        await on.emails()
        assert await on.engine.change_mark() == marks[-1]
    # One that begins may change it as well; one that ends does.
    assert marks[1] != marks[2]
    assert marks[3] != marks[4]
    assert marks[2] != marks[4] != marks[0]


@on_engine
async def test_what_is_not_worth_waiting_is_left_when_somebody_holds_the_row(on: Fixture, url: str) -> None:
    await on.engine.write(lambda tx: tx.users.add(a_user()))
    async with another_way(url) as other:
        await other.execute("BEGIN; UPDATE users SET name = 'held'")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="others are writing"):
            await on.write(lambda tx: tx.execute("UPDATE users SET name = 'x'"), waits=False)
        assert time.monotonic() - began < 1.0
        waiting = asyncio.create_task(on.write(lambda tx: tx.execute("UPDATE users SET name = 'y'")))
        await until(lambda: on.engine.pool.lent_count == 1)
        await other.execute("ROLLBACK")
        assert await waiting == 1
    assert await on.write(lambda tx: tx.execute("UPDATE users SET name = 'z'"), waits=False) == 1


@on_engine
async def test_s01_a_lock_or_a_slow_question_ends_at_the_deadline_and_on_the_server_too(
    default: Fixture, url: str
) -> None:
    async with another_way(url) as other, an_engine(url, timeout_seconds=0.3) as on:
        await on.engine.write(lambda tx: tx.users.add(a_user()))
        await other.execute("BEGIN; UPDATE users SET name = 'held'")
        for text in ("UPDATE users SET name = 'x'", "SELECT pg_sleep(60)"):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="took too long"):
                await on.write(lambda tx, text=text: tx.fetch_one(text))
            assert 0.25 < time.monotonic() - began < 1.0
        # What we no longer wait for the server gives up half a second later, by itself.
        await other.execute("ROLLBACK")
        await nothing_runs(other)
        assert await on.emails() == ["ada@example.com"]


@on_engine
async def test_s01_a_pool_in_full_use_is_waited_for_until_the_deadline(default: Fixture, url: str) -> None:
    async with an_engine(url, timeout_seconds=0.5, pool_size=2) as on:
        slow = [
            asyncio.create_task(on.read(lambda tx: tx.fetch_one("SELECT pg_sleep(0.2)"))) for _ in range(2)
        ]
        await until(lambda: on.engine.pool.free_count == 0)
        assert await on.emails() == []
        await asyncio.gather(*slow)
        slower = [
            asyncio.create_task(on.read(lambda tx: tx.fetch_one("SELECT pg_sleep(60)"))) for _ in range(2)
        ]
        await until(lambda: on.engine.pool.free_count == 0)
        with pytest.raises(StoreUnavailable, match="took too long"):
            await on.emails()
        answers = await asyncio.gather(*slower, return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoreUnavailable}
        # Nothing was heard for so long that the server is asked whether it is there at all. It is.
        async with asyncio.timeout(0.4):
            while True:
                with contextlib.suppress(StoreUnavailable):
                    assert await on.emails() == []
                    break
                await asyncio.sleep(0.001)


@on_engine
async def test_a_commit_that_was_sent_is_finished_though_the_caller_is_cancelled(
    on: Fixture, url: str
) -> None:
    async with another_way(url) as other:
        await other.execute(SLOW_COMMIT.format(seconds=0.2))
    writing = asyncio.create_task(on.write(lambda tx: tx.execute("INSERT INTO t VALUES (1)")))
    async with another_way(url) as other:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"
        async with asyncio.timeout(5):
            while not await other.fetchval(sql):  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0)
    writing.cancel()
    assert await writing == 1
    assert await on.read(lambda tx: tx.fetch_all("SELECT x FROM t")) == [(1,)]
    assert on.engine.pool.idle_count == 1


SLOW_COMMIT = """CREATE TABLE t (x INT);
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle()"""


@on_engine
async def test_s01_a_commit_without_an_answer_is_said_to_be_in_doubt(default: Fixture, url: str) -> None:
    async with another_way(url) as other:
        await other.execute(SLOW_COMMIT.format(seconds=60))
    async with an_engine(url, timeout_seconds=0.3) as on:
        with pytest.raises(StoreUnavailable, match="whether that was kept is not known") as caught:
            await on.write(lambda tx: tx.execute("INSERT INTO t VALUES (1)"))
        assert caught.value.is_in_doubt
        assert "look whether" in caught.value.advice
        with pytest.raises(StoreUnavailable) as certain:
            await on.write(lambda tx: tx.execute(raising("53100")))
        assert not certain.value.is_in_doubt


@on_engine
async def test_s03_after_a_write_that_the_server_refused_a_ping_tells_until_one_succeeds(
    on: Fixture, url: str
) -> None:
    await on.engine.ping()
    assert await on.asked() == ["SELECT 1"]
    with pytest.raises(StoreUnavailable, match="disk of the database is full"):
        await on.write(lambda tx: tx.execute(raising("53100")))
    async with another_way(url) as other:
        await other.execute(
            """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'hush' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON schema_migrations EXECUTE FUNCTION refuse()"""
        )
        for _ in range(3):
            with pytest.raises(
                StoreUnavailable, match="writing fails: the disk of the database is full"
            ) as caught:
                await on.engine.ping()
            assert caught.value.retry_after_seconds == 30
        assert await on.emails() == []
        await other.execute("DROP TRIGGER refuse ON schema_migrations")
    await on.engine.ping()
    await on.asked()
    await on.engine.ping()
    assert await on.asked() == ["SELECT 1"]


@on_engine
async def test_a_write_that_succeeds_ends_the_trouble_too(on: Fixture, url: str) -> None:
    with pytest.raises(StoreUnavailable):
        await on.write(lambda tx: tx.execute(raising("58030")))
    await on.engine.write(lambda tx: tx.users.add(a_user()))
    await on.asked()
    await on.engine.ping()
    assert await on.asked() == ["SELECT 1"]


@pytest.mark.parametrize("code", ["40001", "55P03", "57014", "23505"])
def test_what_is_no_trouble_with_writing_is_not_taken_for_it(postgres_url: str, code: str) -> None:
    @on_asyncio
    async def run() -> None:
        async with an_engine(postgres_url) as on:
            with pytest.raises((StoreUnavailable, StoreConflict)):
                await on.write(lambda tx: tx.execute(raising(code)))
            await on.asked()
            await on.engine.ping()
            assert await on.asked() == ["SELECT 1"]

    run()
