"""What SQLite says, in our words. Its own text goes no further than the cause of the exception."""

import sqlite3

from visiona.stores.errors import StoreConflict, StoreError, StoreUnavailable
from visiona.stores.sql.dialect import SQLITE

# Primary result codes, https://www.sqlite.org/rescode.html; what may pass by itself is asked again sooner.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: ("another program is writing to the database", 1),
    sqlite3.SQLITE_LOCKED: ("another program is writing to the database", 1),
    sqlite3.SQLITE_FULL: ("the disk of the database is full", 30),
    sqlite3.SQLITE_IOERR: ("the disk of the database does not work", 30),
    sqlite3.SQLITE_READONLY: ("the database cannot be written to", 30),
    sqlite3.SQLITE_CANTOPEN: ("the database file cannot be opened", 30),
    sqlite3.SQLITE_PERM: ("the database file may not be opened", 30),
    sqlite3.SQLITE_NOMEM: ("there is no memory left for the database", 5),
    sqlite3.SQLITE_CORRUPT: ("the database file is damaged; restore a backup", 60),
    sqlite3.SQLITE_NOTADB: ("the database file is damaged; restore a backup", 60),
    sqlite3.SQLITE_PROTOCOL: ("the database is locked", 1),
    sqlite3.SQLITE_INTERRUPT: ("the database took too long", 1),
}

_PRIMARY = 0xFF
"""Extended codes carry the primary one in their lowest byte."""


def primary_code(error: sqlite3.Error) -> int:
    """The primary result code; 0 where the driver itself objected."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def code_name(error: BaseException | None) -> str:
    """What SQLite calls it, such as `SQLITE_FULL`."""
    return getattr(error, "sqlite_errorname", type(error).__name__)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock just now."""
    return primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_full(error: BaseException | None) -> bool:
    """Whether there was no room on the disk."""
    return isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_FULL


def translated(error: sqlite3.Error) -> StoreError | sqlite3.Error:
    """The error to raise from this one; itself if it can only be a bug of ours (a text that is no SQL)."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_CONSTRAINT:
        about = SQLITE.about(str(error))
        return StoreConflict(f"this would break a promise of the database ({about})", about=about)
    if code in _UNAVAILABLE:
        message, retry_after_seconds = _UNAVAILABLE[code]
        return StoreUnavailable(message, retry_after_seconds=retry_after_seconds)
    return error
