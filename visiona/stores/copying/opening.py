"""Opening either end of a copy, on whatever engine the settings name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from visiona.stores.asyncio_guest import open_guest
from visiona.stores.copying.ends import Source, Target
from visiona.stores.copying.in_threads import entered
from visiona.stores.copying.postgres_opening import postgres_source, postgres_target
from visiona.stores.copying.sqlite_opening import sqlite_source, sqlite_target
from visiona.stores.settings import StoreSettings


@asynccontextmanager
async def open_source(settings: StoreSettings) -> AsyncIterator[Source]:
    """What is there now, while servers go on writing.

    Raises:
        CopyRefused: there is nothing.
        StoreError: it cannot be read.
    """
    async with AsyncExitStack() as opened:
        if settings.is_postgres:
            guest = await opened.enter_async_context(open_guest())
            yield await opened.enter_async_context(postgres_source(settings.postgres, guest))
        else:
            file = sqlite_source(settings.database_file, is_frozen=False)
            yield await opened.enter_async_context(entered(file))


@asynccontextmanager
async def open_target(settings: StoreSettings) -> AsyncIterator[Target]:
    """A database to be filled; all is as before at the end unless the target was committed.

    Raises:
        CopyRefused: a server uses it.
        StoreError: it cannot be written.
    """
    async with AsyncExitStack() as opened:
        if settings.is_postgres:
            guest = await opened.enter_async_context(open_guest())
            yield await opened.enter_async_context(postgres_target(settings.postgres, guest))
        else:
            yield await opened.enter_async_context(entered(sqlite_target(settings.database_file)))
