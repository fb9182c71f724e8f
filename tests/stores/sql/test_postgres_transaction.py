import asyncio  # noqa: TID251 - the driver's loop
from typing import Any

import asyncpg
import pytest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.sql.postgres_transaction import NOTICES_LOCK, AsksAgain, PostgresTransaction

from tests.support.servers.postgres import NamedPostgres, PostgresServer


class FakeConnection:
    """Answers every question with one row, or with the error it was given."""

    def __init__(self, error: Exception | None = None, status: str = "UPDATE 3") -> None:
        self.asked: list[tuple[object, ...]] = []
        self._error = error
        self._status = status

    def is_closed(self) -> bool:
        return False

    async def fetchrow(self, sql: str, *values: object) -> tuple[int]:
        self.asked.append((sql, *values))
        if self._error is not None:
            raise self._error
        return (1,)

    async def execute(self, sql: str, *values: object) -> str:
        await self.fetchrow(sql, *values)
        return self._status

    async def executemany(self, sql: str, rows: object) -> None:
        await self.fetchrow(sql, rows)


def a_transaction(
    connection: FakeConnection, *, may_write: bool = True, is_single: bool = False
) -> PostgresTransaction:
    return PostgresTransaction(connection, lambda: None, may_write=may_write, is_single=is_single)


@pytest.mark.parametrize(
    ("status", "count"), [("UPDATE 3", 3), ("INSERT 0 1", 1), ("DELETE 0", 0), ("CREATE TABLE", 0)]
)
async def test_the_count_of_rows_is_read_from_what_the_server_says(status: str, count: int) -> None:
    connection = FakeConnection(status=status)
    assert await a_transaction(connection).execute("UPDATE t SET x = $1", 5) == count
    assert connection.asked == [("UPDATE t SET x = $1", 5)]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (1)",
        " UPDATE t SET x = 1 RETURNING x",
        "DELETE FROM t",
        "WITH gone AS (DELETE FROM t RETURNING x) SELECT x FROM gone",
        "SELECT x FROM t @for_update@",
        "TRUNCATE t",
    ],
)
async def test_an_operation_that_reads_may_not_write(text: str) -> None:
    connection = FakeConnection()
    with pytest.raises(RuntimeError, match="may not write"):
        await a_transaction(connection, may_write=False).fetch_one(text)
    assert connection.asked == []


async def test_a_second_question_needs_a_transaction() -> None:
    tx = a_transaction(FakeConnection(), may_write=False, is_single=True)
    assert await tx.fetch_one("SELECT 1") == (1,)
    with pytest.raises(AsksAgain):
        await tx.fetch_one("SELECT 2")


async def test_what_comes_last_comes_last_and_under_the_lock() -> None:
    connection = FakeConnection()
    tx = a_transaction(connection)
    await tx.execute_last("INSERT INTO n VALUES ($1)", 1)
    await tx.execute_last("INSERT INTO n VALUES ($1)", 2)
    await tx.execute("UPDATE t SET x = 1")
    assert len(connection.asked) == 1
    await tx.flush_last()
    await tx.flush_last()
    assert [asked[0] for asked in connection.asked] == [
        "UPDATE t SET x = 1",
        f"SELECT pg_advisory_xact_lock({NOTICES_LOCK})",
        "INSERT INTO n VALUES ($1)",
    ]
    assert connection.asked[-1][1] == [(1,), (2,)]


async def test_nothing_is_asked_after_its_end() -> None:
    tx = a_transaction(FakeConnection())
    tx.end()
    with pytest.raises(RuntimeError, match="has ended"):
        await tx.fetch_one("SELECT 1")
    with pytest.raises(RuntimeError, match="has ended"):
        await tx.execute_last("INSERT INTO n VALUES (1)")


async def test_the_first_failure_is_remembered_whatever_the_operation_makes_of_it() -> None:
    tx = a_transaction(FakeConnection(asyncpg.ConnectionDoesNotExistError("hush")))
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            await tx.fetch_one("SELECT 1")
    assert isinstance(tx.failure, StoreUnavailable)
    assert tx.failure is not caught.value


class CutInBetween(asyncpg.Connection):
    """Cut when a question has been understood and is not asked yet: there the deadline of a slow operation may fall."""

    async def _get_statement(self, *args: Any, **options: Any) -> Any:
        statement = await super()._get_statement(*args, **options)
        self.terminate()
        return statement


def test_s01_a_connection_that_is_cut_between_two_steps_of_a_question_is_an_outage_and_no_bug(
    postgres_server: PostgresServer | NamedPostgres,
) -> None:
    url = postgres_server.create_database()

    async def ask() -> None:
        connection = await asyncpg.connect(url, connection_class=CutInBetween)
        tx = PostgresTransaction(connection, lambda: None, may_write=True)
        with pytest.raises(StoreUnavailable, match="connection to the database was lost"):
            await tx.fetch_one("SELECT $1::text", "ada")
        assert isinstance(tx.failure, StoreUnavailable)

    asyncio.run(ask())


async def test_a_slip_of_ours_stays_one() -> None:
    connection = FakeConnection(AttributeError("'NoneType' object has no attribute 'encode'"))
    with pytest.raises(AttributeError):
        await a_transaction(connection).fetch_one("SELECT 1")
