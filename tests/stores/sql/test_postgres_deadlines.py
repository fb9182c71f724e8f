import asyncio  # noqa: TID251  the engine's loop
import contextlib
import time

import pytest
from visiona.stores.errors import StoreConflict, StoreUnavailable

from tests.support.asyncio_tests import on_asyncio, until
from tests.support.lateness import within
from tests.support.nouns import a_user
from tests.support.postgres_engines import (
    EngineUnderTest,
    an_engine,
    another_way,
    nothing_runs,
    on_engine,
    raising,
)


@on_engine
async def test_what_is_not_worth_waiting_is_left_when_somebody_holds_the_row(
    on: EngineUnderTest, url: str
) -> None:
    await on.engine.write(lambda tx: tx.users.add(a_user()))
    async with another_way(url) as other:
        await other.execute("BEGIN; UPDATE users SET name = 'held'")
        with within(1.0), pytest.raises(StoreUnavailable, match="others are writing"):
            await on.write(lambda tx: tx.execute("UPDATE users SET name = 'x'"), waits=False)
        waiting = asyncio.create_task(on.write(lambda tx: tx.execute("UPDATE users SET name = 'y'")))
        await until(lambda: on.engine.pool.lent_count == 1)
        await other.execute("ROLLBACK")
        assert await waiting == 1
    assert await on.write(lambda tx: tx.execute("UPDATE users SET name = 'z'"), waits=False) == 1


@on_engine
async def test_s01_a_lock_or_a_slow_question_ends_at_the_deadline_and_on_the_server_too(
    default: EngineUnderTest, url: str
) -> None:
    async with another_way(url) as other, an_engine(url, timeout_seconds=0.3) as on:
        await on.engine.write(lambda tx: tx.users.add(a_user()))
        await other.execute("BEGIN; UPDATE users SET name = 'held'")
        for text in ("UPDATE users SET name = 'x'", "SELECT pg_sleep(60)"):
            began = time.monotonic()
            with within(1.0), pytest.raises(StoreUnavailable, match="took too long"):
                await on.write(lambda tx, text=text: tx.fetch_one(text))
            assert time.monotonic() - began > 0.25
        # What we no longer wait for the server gives up half a second later, by itself.
        await other.execute("ROLLBACK")
        await nothing_runs(other)
        await until_it_says(on, ["ada@example.com"])


async def until_it_says(on: EngineUnderTest, emails: list[str]) -> None:
    """With so short a deadline a busy machine may be late once or twice."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(StoreUnavailable):
                assert await on.emails() == emails
                return
            await asyncio.sleep(0.001)


@on_engine
async def test_s01_a_pool_in_full_use_is_waited_for_until_the_deadline(
    default: EngineUnderTest, url: str
) -> None:
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
        with within(0.4):
            await until_it_says(on, [])


@on_engine
async def test_a_commit_that_was_sent_is_finished_though_the_caller_is_cancelled(
    on: EngineUnderTest, url: str
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
async def test_s01_a_commit_without_an_answer_is_said_to_be_in_doubt(
    default: EngineUnderTest, url: str
) -> None:
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
    on: EngineUnderTest, url: str
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
async def test_a_write_that_succeeds_ends_the_trouble_too(on: EngineUnderTest, url: str) -> None:
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
