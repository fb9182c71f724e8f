"""Opening stores: the only place that knows which engines are behind them.

What needs a driver is imported where it is asked for: asyncpg and redis-py would cost every command and every server on
SQLite 11 MiB and a tenth of a second.
"""

import contextlib
from collections.abc import AsyncIterator

from visiona.stores.asyncio_guest import AsyncioGuest, open_guest
from visiona.stores.copying.state_files import is_staged
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores
from visiona.stores.opening_sqlite import open_sqlite, sqlite_down, sqlite_status, sqlite_up
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.migrate import SchemaStatus


@contextlib.asynccontextmanager
async def open_stores(settings: StoreSettings, *, exclusive: bool) -> AsyncIterator[Stores]:
    """Opens the stores, brings their schema up to date, closes them at the end.

    A Redis that is down does not matter here: what needs it is refused until it comes.

    Args:
        settings: must have passed `check()`.
        exclusive: True for a server, of which there is one for each SQLite file; False for a command that works
            while that server serves.

    Raises:
        StoreBusy: exclusive, and another server has it.
        SchemaMismatch: the schema is not this program's, or would have to be migrated under a running server.
        StoreDamaged: the file is broken; it was left as it is.
        StoreUnavailable: it cannot be opened.
    """
    async with contextlib.AsyncExitStack() as opened:
        guest = None
        if settings.is_postgres or settings.redis.url is not None:
            guest = await opened.enter_async_context(open_guest())
        stores = await opened.enter_async_context(_database(settings, guest, exclusive=exclusive))
        if not settings.is_memory and is_staged(settings.state_dir):
            from visiona.stores.copying.settling import settle_restore

            await settle_restore(settings)
        if guest is not None and settings.redis.url is not None:
            from visiona.stores.redis.stores import open_redis

            beside = open_redis(settings.redis, guest, stores, listens=exclusive)
            stores = await opened.enter_async_context(beside)
        yield stores


def _database(
    settings: StoreSettings, guest: AsyncioGuest | None, *, exclusive: bool
) -> contextlib.AbstractAsyncContextManager[Stores]:
    if settings.is_memory:
        return contextlib.nullcontext(MemoryStores())
    if guest is not None and settings.is_postgres:
        from visiona.stores.opening_postgres import open_postgres

        return open_postgres(settings, guest, exclusive=exclusive)
    return open_sqlite(settings.database_file, settings.synchronous, exclusive=exclusive)


async def schema_status(settings: StoreSettings) -> SchemaStatus | None:
    """How far the database's schema is; None for an engine that has none. Changes nothing.

    Raises:
        SchemaMismatch, StoreDamaged, StoreUnavailable: as `open_stores`.
    """
    if settings.is_memory:
        return None
    if settings.is_postgres:
        from visiona.stores.opening_postgres import postgres_status

        async with open_guest() as guest:
            return await postgres_status(settings, guest)
    return await sqlite_status(settings.database_file)


async def migrate_up(settings: StoreSettings) -> SchemaStatus | None:
    """Brings the schema up to date; says how far it was before. Raises as `open_stores(exclusive=False)`."""
    if settings.is_memory:
        return None
    if settings.is_postgres:
        from visiona.stores.opening_postgres import postgres_up

        async with open_guest() as guest:
            return await postgres_up(settings, guest)
    return await sqlite_up(settings.database_file)


async def migrate_down(settings: StoreSettings, to: int) -> SchemaStatus | None:
    """Takes back every step of the schema after number `to`; says how far it was before.

    Raises:
        StoreBusy: a server uses the database; nothing was changed.
        SchemaMismatch: the schema is not this program's, or a step cannot be taken back; nothing was changed.
        StoreDamaged, StoreUnavailable: as `open_stores`.
    """
    if settings.is_memory:
        return None
    if settings.is_postgres:
        from visiona.stores.opening_postgres import postgres_down

        async with open_guest() as guest:
            return await postgres_down(settings, guest, to)
    return await sqlite_down(settings.database_file, to)
