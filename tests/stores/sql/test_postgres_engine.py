import asyncio  # noqa: TID251  the engine's loop
import contextlib
import functools
import random

import asyncpg
import pytest
from visiona.domain.notices import NoticeKind
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.sql.engine import SqlTransaction
from visiona.stores.sql.postgres_engine import REPEATS

from tests.support.asyncio_tests import on_asyncio
from tests.support.nouns import NOW, a_user
from tests.support.postgres_engines import (
    EngineUnderTest,
    an_engine,
    another_way,
    on_engine,
    raising,
)


@on_engine
async def test_an_operation_with_one_question_gets_no_transaction(on: EngineUnderTest, url: str) -> None:
    assert await on.read(lambda tx: tx.fetch_one("SELECT 1")) == (1,)
    assert await on.asked() == ["SELECT 1"]


@on_engine
async def test_one_that_asks_more_is_begun_anew_and_known_from_then_on(on: EngineUnderTest, url: str) -> None:
    async def two(tx: SqlTransaction) -> object:
        return await tx.fetch_one("SELECT 1"), await tx.fetch_one("SELECT 2")

    async def ask(tx: Tx) -> object:
        return await two(tx.users._tx)

    begun = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1", "SELECT 2", "COMMIT"]
    assert await on.engine.read(ask) == ((1,), (2,))
    assert await on.asked() == ["SELECT 1", *begun]
    await on.asked()
    assert await on.engine.read(ask) == ((1,), (2,))
    assert await on.asked() == begun


@on_engine
async def test_what_has_no_code_of_its_own_is_given_a_transaction(on: EngineUnderTest, url: str) -> None:
    async def ask(number: int, tx: Tx) -> object:
        return await tx.users._tx.fetch_one(f"SELECT {number}")

    assert await on.engine.read(functools.partial(ask, 5)) == (5,)
    assert (await on.asked())[0].startswith("BEGIN")


@on_engine
async def test_two_questions_see_one_picture(on: EngineUnderTest, url: str) -> None:
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
async def test_an_operation_that_reads_may_not_write(on: EngineUnderTest, url: str) -> None:
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
async def test_a_write_is_one_transaction(on: EngineUnderTest, url: str) -> None:
    await on.write(lambda tx: tx.fetch_one("SELECT 1"))
    assert await on.asked() == ["BEGIN ISOLATION LEVEL READ COMMITTED", "SELECT 1", "COMMIT"]


@on_engine
async def test_what_was_written_is_undone_when_the_operation_raises(on: EngineUnderTest, url: str) -> None:
    async def fail(tx: Tx) -> None:
        await tx.users.add(a_user())
        raise KeyError

    for _ in range(20):
        with pytest.raises(KeyError):
            await on.engine.write(fail)
    assert await on.emails() == []
    assert on.engine.pool.idle_count == 1


@on_engine
async def test_a_broken_promise_is_a_conflict_and_leaves_the_connection_whole(
    on: EngineUnderTest, url: str
) -> None:
    await on.engine.write(lambda tx: tx.users.add(a_user()))
    with pytest.raises(StoreConflict) as caught:
        await on.engine.write(lambda tx: tx.users.add(a_user("ADA@example.com")))
    assert caught.value.about == "email"
    assert isinstance(caught.value.__cause__, asyncpg.UniqueViolationError)
    assert await on.emails() == ["ada@example.com"]
    assert on.engine.pool.idle_count == 1


@on_engine
async def test_who_goes_on_after_a_conflict_has_written_nothing_and_is_told(
    on: EngineUnderTest, url: str
) -> None:
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
async def test_s01_a_serialization_failure_has_the_whole_operation_run_again(
    on: EngineUnderTest, url: str
) -> None:
    runs = 0

    async def unlucky(tx: Tx) -> int:
        nonlocal runs
        runs += 1
        await tx.users.add(a_user())
        if runs <= REPEATS:
            await tx.users._tx.execute(raising("40001"))
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


async def purge(tx: Tx) -> int:
    return await tx.notices.purge(NOW, 1)


@pytest.mark.parametrize("found_by", ["a write", "a ping"])
def test_s01_once_it_can_be_written_again_no_connection_from_before_is_kept(
    postgres_url: str, found_by: str
) -> None:
    """As after a failover: who came in while writing was forbidden is forbidden it until they leave."""

    @on_asyncio
    async def run() -> None:
        async with an_engine(postgres_url) as on:
            pool = on.engine.pool
            with pytest.raises(StoreUnavailable, match="cannot be written to"):
                await on.write(lambda tx: tx.execute(raising("25006")))
            reading = await pool.acquire(asyncio.get_running_loop().time() + 5)
            await reading.execute("SET default_transaction_read_only = on")
            await (on.engine.ping() if found_by == "a ping" else on.engine.write(purge))
            pool.release(reading)
            await asyncio.gather(*(on.engine.write(purge) for _ in range(4)))

    run()


@on_engine
async def test_s01_two_that_wait_for_each_other_both_get_through(on: EngineUnderTest, url: str) -> None:
    async with another_way(url) as other:
        await other.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0), (2, 0)")
    met = asyncio.Barrier(2)
    runs = 0

    async def add(first: int, second: int, tx: Tx) -> None:
        nonlocal runs
        runs += 1
        port: SqlTransaction = tx.users._tx
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
async def test_a_table_that_was_changed_under_a_running_server_is_asked_again(
    on: EngineUnderTest, url: str
) -> None:
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
async def test_notices_are_numbered_in_the_order_of_commits(on: EngineUnderTest, url: str) -> None:
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
async def test_an_operation_sees_the_notices_that_it_appended(on: EngineUnderTest, url: str) -> None:
    async def append(tx: Tx) -> list[str]:
        await tx.notices.append(NoticeKind.SESSION_ENDED, "one", NOW)
        await tx.notices.append(NoticeKind.SESSION_ENDED, "two", NOW)
        assert await tx.notices.last_id() == 2
        return [notice.subject for notice in await tx.notices.after(0, 10)]

    assert await on.engine.write(append) == ["one", "two"]


@on_engine
async def test_who_follows_the_notices_misses_none_however_many_write(on: EngineUnderTest, url: str) -> None:
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
async def test_the_mark_changes_with_each_commit_in_whatever_order_they_began(
    on: EngineUnderTest, url: str
) -> None:
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
