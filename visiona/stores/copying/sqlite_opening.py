"""Opening a SQLite file for a copy: on one picture of it while a server writes, or alone, to be filled."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.sqlite_end import SqliteEnd, translating
from visiona.stores.errors import StoreBusy, StoreDamaged
from visiona.stores.ownership import give_to_owner_of_folder
from visiona.stores.sql import sqlite_file

LOCK_SECONDS = 5.0
"""How long another program's transaction is waited for."""


@contextmanager
def sqlite_source(path: Path, *, is_frozen: bool) -> Iterator[SqliteEnd]:
    """Opens what is there, to be read.

    Args:
        path: the file.
        is_frozen: whether nobody else may write until this ends; else others go on, and are not seen.

    Raises:
        CopyRefused: there is nothing, or a server uses what is to stand still.
        StoreDamaged, StoreUnavailable: it cannot be read.
    """
    if not path.exists():
        raise CopyRefused(f"there is no database at {path}", code="NOTHING_THERE")
    sqlite_file.prepare(path)
    with _alone(path) if is_frozen else nullcontext(), _connected(path) as connection:
        with translating(path):
            connection.execute("BEGIN IMMEDIATE" if is_frozen else "BEGIN")
        end = SqliteEnd(connection, path)
        if not end.applied:
            raise CopyRefused(f"there is nothing in the database {path}", code="NOTHING_THERE")
        yield end


@contextmanager
def sqlite_target(path: Path) -> Iterator[SqliteEnd]:
    """Opens a file to be filled, made if there is none; unless it was committed all is as before at the end.

    Raises:
        CopyRefused: a server uses it.
        StoreDamaged, StoreUnavailable: it cannot be written.
    """
    is_new = not path.exists()
    try:
        sqlite_file.prepare(path)
    except StoreDamaged as error:
        raise StoreDamaged(
            f"{path} is no database, or a damaged one; move it away and restore again"
        ) from error
    with _alone(path):
        end = None
        try:
            give_to_owner_of_folder(path)
            with _connected(path) as connection:
                with translating(path):
                    # Looked at in one sweep at the end instead.
                    connection.execute("PRAGMA foreign_keys = OFF")
                    connection.execute("BEGIN IMMEDIATE")
                end = SqliteEnd(connection, path)
                yield end
        finally:
            if is_new and (end is None or not end.is_committed):
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        with sqlite_file.sole_server(path):
            give_to_owner_of_folder(path.with_name(path.name + ".lock"))
            yield
    except StoreBusy as error:
        raise CopyRefused(f"a server uses {path}; stop it first", code="IN_USE") from error


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with translating(path):
        opened = sqlite_file.connect(path, "full", wait_seconds=LOCK_SECONDS)
    with closing(opened) as connection:
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
