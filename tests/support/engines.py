"""Every engine that stores can run on, opened for a test."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.postgres import PostgresEngine, PostgresStores
from visiona.stores.sql.postgres_connect import SERVER, connector

from tests.support.databases import SharedDatabase

DATABASES = ("memory", "sqlite", "postgres")

ENGINES = (*DATABASES, "postgres-asyncio")
"""The last one is the same engine as the one before, on a plain asyncio loop."""

PATIENCE_SECONDS = 30.0
"""For one operation: a machine that is busy with other tests is no fault."""


@dataclass(frozen=True, slots=True)
class Place:
    """An engine, and where it keeps what a test gives it.

    Attributes:
        database: an empty one, for the engines that need one.
    """

    engine: str
    folder: Path
    database: SharedDatabase | None

    @property
    def settings(self) -> StoreSettings:
        url = self.database.url if self.database is not None else None
        return StoreSettings(
            "memory:" if self.engine == "memory" else url, self.folder, timeout_seconds=PATIENCE_SECONDS
        )


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
