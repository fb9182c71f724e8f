"""Every engine that stores can run on, opened for a test."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores
from visiona.stores.memory.tables import Table
from visiona.stores.opening import open_stores
from visiona.stores.settings import NO_REDIS, RedisSettings, StoreSettings
from visiona.stores.sql.postgres import PostgresEngine, PostgresStores
from visiona.stores.sql.postgres_connect import SERVER, connector

from tests.support.databases import SharedDatabase

DATABASES = ("memory", "sqlite", "postgres")

ENGINES = (*DATABASES, "postgres-asyncio")
"""The last one is the same engine as the one before, on a plain asyncio loop."""

WITH_REDIS = ("sqlite+redis", "postgres+redis")
"""A database, and people's sessions beside it."""

EVERYWHERE = (*ENGINES, *WITH_REDIS)

PATIENCE_SECONDS = 30.0
"""For one operation: a machine that is busy with other tests is no fault."""


@dataclass(frozen=True, slots=True)
class Place:
    """An engine, and where it keeps what a test gives it.

    Attributes:
        database: an empty one, for the engines that need one.
        redis: likewise, with a prefix of the test's own.
    """

    engine: str
    folder: Path
    database: SharedDatabase | None = None
    redis: RedisSettings = NO_REDIS

    @property
    def settings(self) -> StoreSettings:
        url = self.database.url if self.database is not None else None
        return StoreSettings(
            "memory:" if self.engine == "memory" else url,
            self.folder,
            timeout_seconds=PATIENCE_SECONDS,
            redis=self.redis,
        )


def contents(place: Place, stores: Stores) -> dict[str, object]:
    """Everything that is kept, to be compared with what is kept later."""
    if place.database is not None:
        return {**place.database.contents()}
    if isinstance(stores, MemoryStores):
        tables = {name: each for name, each in vars(stores._state).items() if isinstance(each, Table)}
        return {name: dict(each._rows) for name, each in tables.items()}
    with contextlib.closing(sqlite3.connect(place.settings.database_file)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names}


@contextlib.asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Stores]:
    """Stores of the engine."""
    if place.engine == "postgres-asyncio":
        assert place.database is not None
        async with opened_on_asyncio(place.settings, place.database) as stores:
            yield stores
    else:
        async with open_stores(place.settings, exclusive=True) as stores:
            yield stores


@contextlib.asynccontextmanager
async def opened_on_asyncio(settings: StoreSettings, database: SharedDatabase) -> AsyncIterator[Stores]:
    connect = connector(settings.postgres, settings.timeout_seconds, name=SERVER)
    engine = PostgresEngine(connect, pool_size=settings.pool_size, timeout_seconds=settings.timeout_seconds)
    try:
        yield PostgresStores(engine, cast("AsyncioGuest", database.loop))
    finally:
        database.loop.run_sync(engine.close())
