"""The engines under measurement, on servers of the measurement's own."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import RedisSettings, StoreSettings

DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
}
"""PostgreSQL as it is run for real; the servers of the tests are quicker than that, for they may lose everything."""

KEPT = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
"""Redis as docs/operations.md wants it for sessions."""

BARE = "asyncpg alone"
NAMES = ("memory", "sqlite", "sqlite full", "postgres", BARE, "sqlite+redis", "postgres+redis")


class Engine(NamedTuple):
    """One choice of where state is kept."""

    name: str
    settings: StoreSettings

    @property
    def keeps(self) -> bool:
        """Whether what was put there is still there when it is opened again."""
        return self.name != "memory"

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Stores]:
        async with open_stores(self.settings, exclusive=True) as stores:
            yield stores


class Servers:
    """The servers that are needed, started when they are; close them.

    Args:
        folder: for what engines keep.
        pool_size: connections of an engine to each of its servers.
    """

    def __init__(self, folder: Path, pool_size: int = 8) -> None:
        self._folder = folder
        self._pool_size = pool_size
        self._running = contextlib.ExitStack()
        self._postgres: PostgresServer | None = None
        self._redis: RedisServer | None = None

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def postgres(self) -> PostgresServer:
        if self._postgres is None:
            self._postgres = self._running.enter_context(PostgresServer(options=DURABLE))
        return self._postgres

    @property
    def redis(self) -> RedisServer:
        if self._redis is None:
            self._redis = self._running.enter_context(RedisServer(options=KEPT))
        return self._redis

    def engine(self, name: str) -> Engine:
        """An empty one of this name."""
        kind, _, redis = ("postgres" if name == BARE else name).partition("+")
        database, _, synchronous = kind.partition(" ")
        place = self._folder / name.replace(" ", "-")
        place.mkdir()
        url = {"memory": "memory:", "sqlite": None}.get(database, "")
        if database == "postgres":
            url = self.postgres.create_database()
        settings = StoreSettings(url, place, synchronous or "normal", pool_size=self._pool_size)
        if redis:
            settings = replace(
                settings, redis=RedisSettings(self.redis.url(), self._pool_size, key_prefix=f"{database}:")
            )
        return Engine(name, settings)
