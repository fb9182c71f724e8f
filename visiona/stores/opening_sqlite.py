"""Opening a SQLite file: alone for a server, beside it for a command, with its schema brought up to date."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import trio

from visiona.stores.errors import SchemaMismatch, StoreBusy, StoreDamaged, StoreUnavailable
from visiona.stores.sql import sqlite_file, sqlite_migrate
from visiona.stores.sql.checkpoint import keep_checkpointing
from visiona.stores.sql.migrate import SchemaStatus, known_migrations
from visiona.stores.sql.sqlite import SqliteStores
from visiona.stores.sql.sqlite_errors import is_busy, primary_code, translated

LOCK_SECONDS = 5.0
"""How long another program's transaction is waited for at start."""

LOOK_SECONDS = 0.02

MIGRATION_SECONDS = 5.0
"""How long a command waits for a server that starts at the same time to have migrated."""


@contextlib.asynccontextmanager
async def open_sqlite(path: Path, synchronous: str, *, exclusive: bool) -> AsyncIterator[SqliteStores]:
    """See opening.open_stores."""
    sqlite_file.prepare(path)
    with sqlite_file.sole_server(path) if exclusive else contextlib.nullcontext():
        await _bring_up(path, is_locked=exclusive)
        stores = await _connected(path, synchronous)
        try:
            # A command is over before its log is worth moving, and the last to close a file moves it anyway.
            async with _checkpointing(path, synchronous, stores) if exclusive else contextlib.nullcontext():
                yield stores
        finally:
            stores.close()


async def _connected(path: Path, synchronous: str) -> SqliteStores:
    """Waits for a program that closes the file just now: the last to do so has it alone for a moment."""
    deadline = trio.current_time() + LOCK_SECONDS
    while True:
        try:
            return SqliteStores(path, synchronous)
        except StoreUnavailable as error:
            if not _is_lock(error) or trio.current_time() >= deadline:
                raise
        await trio.sleep(LOOK_SECONDS)


def _is_lock(error: StoreUnavailable) -> bool:
    return isinstance(error.__cause__, sqlite3.Error) and is_busy(error.__cause__)


async def sqlite_status(path: Path) -> SchemaStatus:
    """See opening.schema_status."""
    return await trio.to_thread.run_sync(_status, path)


async def sqlite_up(path: Path) -> SchemaStatus:
    """See opening.migrate_up."""
    sqlite_file.prepare(path)
    return await _bring_up(path, is_locked=False)


async def sqlite_down(path: Path, to: int) -> SchemaStatus:
    """See opening.migrate_down."""
    return await trio.to_thread.run_sync(_down, path, to)


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


def _down(path: Path, to: int) -> SchemaStatus:
    if not path.exists():
        return SchemaStatus((), known_migrations())
    sqlite_file.prepare(path)
    try:
        with sqlite_file.sole_server(path), _translating(path), _opened(path) as connection:
            return sqlite_migrate.down(connection, known_migrations(), to)
    except StoreBusy as busy:
        raise StoreBusy(f"a server uses {path}: stop it first; nothing was changed") from busy


async def _bring_up(path: Path, *, is_locked: bool) -> SchemaStatus:
    """Checks and migrates; where another program holds the server's lock, waits for it to have migrated."""
    deadline = trio.current_time() + MIGRATION_SECONDS
    while True:
        try:
            return await trio.to_thread.run_sync(_bring_up_now, path, is_locked)
        except StoreUnavailable as error:
            # SQLite waits for locks, save where two make the same new file at once.
            if not _is_lock(error) or trio.current_time() >= deadline:
                raise
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
