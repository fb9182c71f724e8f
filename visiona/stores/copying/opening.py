"""Opening either end of a copy, on whatever engine the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from visiona.stores.copying.ends import Source, Target
from visiona.stores.copying.in_threads import entered
from visiona.stores.copying.sqlite_opening import sqlite_source, sqlite_target
from visiona.stores.settings import StoreSettings


@asynccontextmanager
async def open_source(settings: StoreSettings) -> AsyncIterator[Source]:
    """What is there now, while servers go on writing.

    Raises:
        CopyRefused: there is nothing.
        StoreError: it cannot be read.
    """
    async with entered(sqlite_source(settings.database_file, is_frozen=False)) as source:
        yield source


@asynccontextmanager
async def open_target(settings: StoreSettings) -> AsyncIterator[Target]:
    """A database to be filled; all is as before at the end unless the target was committed.

    Raises:
        CopyRefused: a server uses it.
        StoreError: it cannot be written.
    """
    async with entered(sqlite_target(settings.database_file)) as target:
        yield target
