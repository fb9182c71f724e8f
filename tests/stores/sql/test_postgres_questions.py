"""Every question is answered by an index on PostgreSQL too, also in a plan that is kept."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.models import ModelFilter, ModelSource
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.dialect import POSTGRES
from visiona.stores.sql.engine import Row, Value
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.models import SqlModels
from visiona.stores.sql.postgres_migrate import up

from tests.stores.sql.test_questions import MAY_SCAN
from tests.support.asyncio_tests import on_asyncio
from tests.support.everything import do_everything
from tests.support.many_rows import fill
from tests.support.servers.postgres import NamedPostgres, PostgresServer

SORTED_AT_MOST = 1000
"""Rows of one user or one device may be sorted after an index has found them; there are no more (MAX_ROWS)."""

CUSTOM_PLANS = 5
"""So often PostgreSQL makes a plan for the values at hand, before it compares these with one for all."""

Asked = dict[str, tuple[Value, ...]]


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer | NamedPostgres) -> str:
    """A database with our schema and many rows."""
    made = postgres_server.create_database()

    @on_asyncio
    async def prepare() -> None:
        async with connected(made) as connection:
            await up(connection, known_migrations())
            await fill(connection)

    prepare()
    return made


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every text that is asked from now on, as the driver gets it, with some values."""
    texts: Asked = {}
    plain_connect = asyncpg.connect

    async def connect(*args: Any, **options: Any) -> asyncpg.Connection:
        connection = await plain_connect(*args, **options)
        connection.add_query_logger(lambda query: texts.setdefault(query.query, tuple(query.args)))
        return connection

    monkeypatch.setattr(asyncpg, "connect", connect)
    return texts


@pytest.fixture
async def questions(url: str, asked: Asked, tmp_path: Path) -> Asked:
    """What all services ask."""
    async with open_stores(StoreSettings(url, tmp_path), exclusive=True) as stores:
        await do_everything(stores)
    found = {}
    for text, values in asked.items():
        if text.split()[0] in {"SELECT", "UPDATE", "DELETE"} and "schema_migrations" not in text:
            # Of a text that was asked for many rows at once, the first.
            found[text] = tuple(values[0]) if values and isinstance(values[0], tuple) else values
    return found


def parts_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from parts_of(part)


def unwanted(plan: dict[str, Any]) -> list[str]:
    """What of the plan walks a table, or sorts more than it may."""
    found = []
    for part in parts_of(plan):
        if part["Node Type"] == "Seq Scan":
            found.append(f"Seq Scan on {part['Relation Name']}")
        if "Sort" in part["Node Type"] and part["Plan Rows"] > SORTED_AT_MOST:
            found.append(f"Sort of {part['Plan Rows']} rows")
    return found


async def plan_of(connection: asyncpg.Connection, text: str, values: tuple[Value, ...]) -> dict[str, Any]:
    """How the server would answer with these values."""
    return read(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {text}", *values))


async def plan_kept(connection: asyncpg.Connection, text: str, values: tuple[Value, ...]) -> dict[str, Any]:
    """How it answers once it has been asked so often that it may keep one plan for all values."""
    await connection.execute(f"PREPARE q AS {text}")
    given = f"({', '.join(literal(value) for value in values)})" if values else ""
    for _ in range(CUSTOM_PLANS + 1):
        found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE q{given}")
    await connection.execute("DEALLOCATE q")
    return read(found)


def literal(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return str(value)
        case list():
            return f"ARRAY[{', '.join(literal(each) for each in value)}]::text[]"
        case _:
            return f"'{value}'"


def read(explained: str) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return plan


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_no_question_reads_a_whole_table(url: str, questions: Asked) -> None:
    assert len(questions) > 60

    @on_asyncio
    async def look() -> None:
        async with connected(url) as connection:
            for look_at in (plan_of, plan_kept):
                plans = {text: await look_at(connection, text, values) for text, values in questions.items()}
                scans = {
                    text: found
                    for text, plan in plans.items()
                    if not text.startswith(MAY_SCAN) and (found := unwanted(plan))
                }
                assert scans == {}

    look()


@pytest.mark.slow
@pytest.mark.timeout(180)
@on_asyncio
async def test_each_filter_of_models_is_served_by_an_index(url: str) -> None:
    owner, converted, rare = UserId("u7"), ModelSource.CONVERTED, "RARE6"
    workspace = WorkspaceId("w7")
    best = {
        ModelFilter(): {"models_of_workspace"},
        ModelFilter(owner): {"models_of_owner"},
        ModelFilter(source=converted): {"models_of_source"},
        ModelFilter(chip=rare): {"models_of_chip"},
        # What nearly all are for is found soonest along the newest.
        ModelFilter(chip="KL520"): {"models_of_workspace"},
        ModelFilter(owner, chip="KL520"): {"models_of_owner"},
        ModelFilter(owner, rare): {"models_of_owner", "models_of_chip"},
        ModelFilter(owner, source=converted): {"models_of_owner_and_source"},
        ModelFilter(chip=rare, source=converted): {"models_of_chip"},
        ModelFilter(owner, rare, converted): {"models_of_owner_and_source", "models_of_chip"},
    }
    async with connected(url) as connection:
        for wanted, indexes in best.items():
            asked = Noted()
            await SqlModels(asked).list_in([workspace], wanted, 50)
            plan = await plan_of(connection, POSTGRES.spell(asked.text), asked.values)
            used = {part["Index Name"] for part in parts_of(plan) if "Index Name" in part}
            assert (wanted, used or plan) == (wanted, used & indexes)
            assert unwanted(plan) == []


class Noted:
    """Stands where a transaction does, and notes the first question."""

    text = ""
    values: tuple[Value, ...] = ()

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        if not self.text:
            self.text, self.values = sql, values
        return []
