"""Opening stores: the only place that knows which engine is behind them."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import trio

from visiona.stores.errors import SchemaMismatch, StoreBusy, StoreDamaged, StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import sqlite_file, sqlite_migrate
from visiona.stores.sql.checkpoint import keep_checkpointing
from visiona.stores.sql.migrate import SchemaStatus, known_migrations
from visiona.stores.sql.sqlite import SqliteStores
from visiona.stores.sql.sqlite_errors import primary_code, translated

LOCK_SECONDS = 5.0
"""How long another program's transaction is waited for at start."""

MIGRATION_SECONDS = 5.0
"""How long a command waits for a server that starts at the same time to have migrated."""


@contextlib.asynccontextmanager
async def open_stores(settings: StoreSettings, *, exclusive: bool) -> AsyncIterator[Stores]:
    """Opens the stores, brings their schema up to date, closes them at the end.

    Args:
        settings: must have passed `check()`.
        exclusive: True for a server, of which there is one for each database; False for a command that works while
            that server serves.

    Raises:
        StoreBusy: exclusive, and another server has it.
        SchemaMismatch: the schema is not this program's, or would have to be migrated under a running server.
        StoreDamaged: the file is broken; it was left as it is.
        StoreUnavailable: it cannot be opened.
    """
    if settings.is_memory:
        yield MemoryStores()
        return
    path, synchronous = settings.database_file, settings.synchronous
    sqlite_file.prepare(path)
    with sqlite_file.sole_server(path) if exclusive else contextlib.nullcontext():
        await _bring_up(path, is_locked=exclusive)
        stores = SqliteStores(path, synchronous)
        try:
            # A command is over before its log is worth moving, and the last to close a file moves it anyway.
            async with _checkpointing(path, synchronous, stores) if exclusive else contextlib.nullcontext():
                yield stores
        finally:
            stores.close()


async def schema_status(settings: StoreSettings) -> SchemaStatus | None:
    """How far the database's schema is; None for an engine that has none. Changes nothing.

    Raises:
        SchemaMismatch, StoreDamaged, StoreUnavailable: as `open_stores`.
    """
    if settings.is_memory:
        return None
    return await trio.to_thread.run_sync(_status, settings.database_file)


async def migrate_up(settings: StoreSettings) -> SchemaStatus | None:
    """Brings the schema up to date; says how far it was before. Raises as `open_stores(exclusive=False)`."""
    if settings.is_memory:
        return None
    sqlite_file.prepare(settings.database_file)
    return await _bring_up(settings.database_file, is_locked=False)


@contextlib.asynccontextmanager
async def _checkpointing(path: Path, synchronous: str, stores: SqliteStores) -> AsyncIterator[None]:
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_checkpointing, path, synchronous, stores.change_mark)
            yield
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The caller's own exception went through a nursery that the caller does not know of: give it back as it was.
        if len(group.exceptions) > 1:
            raise
        error = group.exceptions[0]
        raise error from error.__cause__


def _status(path: Path) -> SchemaStatus:
    if not path.exists():
        return SchemaStatus((), known_migrations())
    sqlite_file.prepare(path)
    with _translating(path), _opened(path) as connection:
        return sqlite_migrate.status(connection, known_migrations())


async def _bring_up(path: Path, *, is_locked: bool) -> SchemaStatus:
    """Checks and migrates; where another program holds the server's lock, waits for it to have migrated."""
    deadline = trio.current_time() + MIGRATION_SECONDS
    while True:
        try:
            return await trio.to_thread.run_sync(_bring_up_now, path, is_locked)
        except StoreBusy as busy:
            if trio.current_time() >= deadline:
                raise SchemaMismatch(
                    "the database must be migrated, and a server of another version uses it; restart that server"
                ) from busy
        await trio.sleep(0.1)


def _bring_up_now(path: Path, is_locked: bool) -> SchemaStatus:
    """As `_bring_up`; StoreBusy where a step is pending and a server holds the lock."""
    with _translating(path), _opened(path) as connection:
        if is_locked:
            sqlite_file.check(connection, path)
        before = sqlite_migrate.status(connection, known_migrations())
        if before.pending:
            with contextlib.nullcontext() if is_locked else sqlite_file.sole_server(path):
                sqlite_migrate.up(connection, known_migrations())
        return before


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite_file.connect(path, "full", wait_seconds=LOCK_SECONDS))


@contextlib.contextmanager
def _translating(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise StoreDamaged(
                f"the database {path} is damaged; it was left as it is: restore a backup"
            ) from error
        known = translated(error)
        if isinstance(known, StoreUnavailable):
            raise StoreUnavailable(f"{known} ({path})") from error
        raise
