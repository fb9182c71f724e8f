"""The SQLite file itself: created private, locked for one server, opened with our settings, checked.

Nothing here waits for the event loop; all of it is quick or runs in a worker thread at start.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from visiona.stores.errors import StoreBusy, StoreDamaged, StoreUnavailable

NOT_OURS = "let this user write there, or name another place with state_dir or database.url"
"""What to do about a place that refuses us."""

_MAGIC = b"SQLite format 3\x00"

STATEMENT_CACHE = 256
"""More than there are texts."""

WAL_LIMIT_BYTES = 16 * 1024 * 1024
"""What the write-ahead log is cut back to after a burst."""

ROOM_BYTES = 256 * 1024
"""With less on the disk it still counts as full: the largest transaction of ours writes some twenty pages."""

CHECKED_UP_TO_BYTES = 256 * 1024 * 1024
"""The whole file is checked at start up to this size: about a second; beyond, damage shows when it is met."""


def prepare(path: Path) -> None:
    """Makes the folder and an empty private file where there is none.

    Raises:
        StoreUnavailable: neither is possible.
        StoreDamaged: what is there is no database.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path} cannot be opened: {error.filename or path}: {error.strerror}",
            advice=NOT_OURS,
        ) from error
    if start and start != _MAGIC:
        raise StoreDamaged(f"{path} is no database, or a damaged one; it was left as it is: restore a backup")


@contextlib.contextmanager
def sole_server(path: Path) -> Iterator[None]:
    """Holds the lock that one server at a time may hold; the kernel drops it with the process, however that ends.

    Raises:
        StoreBusy: another server holds it.
        StoreUnavailable: the lock file cannot be made.
    """
    lock_file = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock_file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"the lock file {lock_file} cannot be opened: {error.strerror}", advice=NOT_OURS
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusy(
                f"another visiona server uses {path}; stop it, or give this one a state directory of its own"
            ) from error
        yield
    finally:
        os.close(descriptor)


def connect(path: Path, synchronous: str, *, wait_seconds: float = 0.0) -> sqlite3.Connection:
    """A connection with our settings, in no transaction. It may be used by one thread at a time, any.

    Raises:
        sqlite3.Error: as it comes; the caller translates.
    """
    connection = sqlite3.connect(
        path,
        timeout=wait_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENT_CACHE,
    )
    try:
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {synchronous.upper()}",
            # Checkpoints are made in a worker thread (checkpoint.py): an fsync in the loop delays every device.
            "wal_autocheckpoint = 0",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def free_bytes(path: Path) -> int:
    """How much room there is for us on the disk of the file."""
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Reads the whole file; raises StoreDamaged for a broken one."""
    if path.stat().st_size > CHECKED_UP_TO_BYTES:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StoreDamaged(f"the database {path} is damaged; it was left as it is: restore a backup")
