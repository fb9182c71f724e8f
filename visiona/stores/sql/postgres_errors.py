"""What PostgreSQL and its driver say, in our words. Their own text goes no further than the cause of the exception."""

import asyncpg
from asyncpg.exceptions import OutdatedSchemaCacheError

from visiona.stores.errors import StoreConflict, StoreError, StoreUnavailable
from visiona.stores.sql.dialect import POSTGRES

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""All that a question to the server can raise, but for bugs of ours. A TimeoutError is an OSError."""

_READ_ONLY = ("the database cannot be written to", 5)
_NO_SPACE = ("the disk of the database is full", 30)
_NO_ROOM = ("the database has no room for more connections", 2)
_RESTARTS = ("the database is restarting", 2)
_LOST = ("the connection to the database was lost", 2)
_SLOW = ("the database took too long", 2)
_OTHERS = ("others are writing to the same", 1)
_DENIED = ("the database does not let this user in", 30)

# https://www.postgresql.org/docs/current/errcodes-appendix.html, whole codes and then classes; with each, when it may
# be asked again.
_UNAVAILABLE = {
    "25006": _READ_ONLY,
    "25P03": _SLOW,
    "25P04": _SLOW,
    "3D000": ("the database is not there", 30),
    "40001": _OTHERS,
    "40P01": _OTHERS,
    "42501": ("the database does not let this user do that", 30),
    "53100": _NO_SPACE,
    "53200": ("there is no memory left for the database", 5),
    "53300": _NO_ROOM,
    "55P03": _OTHERS,
    "57014": _SLOW,
    "57P01": _RESTARTS,
    "57P02": _RESTARTS,
    "57P03": _RESTARTS,
    "57P04": ("the database is not there", 30),
    "57P05": _LOST,
    "XX001": ("the database is damaged; restore a backup", 60),
    "XX002": ("an index of the database is damaged; rebuild it with REINDEX", 60),
    "08": _LOST,
    "28": _DENIED,
    "53": ("the database lacks resources", 5),
    "57": _RESTARTS,
    "58": ("the disk of the database does not work", 30),
}

_CONFLICT = "23"
_CONNECTION = "08"
_AGAIN = {"40001", "40P01"}
_WRITE_TROUBLE = ("25006", "42501", "53100", "53200", "53400", "58", "XX00")
_STALE = {"25006", "57P01", "57P02", "57P03", "57P04", "57P05"}


def code_of(error: BaseException | None) -> str:
    """The server's code, such as `53100`, or the name of the driver's error."""
    return getattr(error, "sqlstate", None) or type(error).__name__


def is_from_server(error: BaseException | None) -> bool:
    """Whether the server itself said so, and is therefore alive; the driver has such errors of its own."""
    return isinstance(error, asyncpg.PostgresError) and not code_of(error).startswith(_CONNECTION)


def is_worth_repeating(error: BaseException | None) -> bool:
    """Whether the whole operation may be run again: another transaction was in its way, or a plan was outdated."""
    return code_of(error) in _AGAIN or isinstance(
        error, (asyncpg.InvalidCachedStatementError, OutdatedSchemaCacheError)
    )


def is_stale(error: BaseException | None) -> bool:
    """Whether the server behind this connection is no longer the one to ask: it restarts, or others took over."""
    return code_of(error) in _STALE


def is_write_trouble(error: BaseException | None) -> bool:
    """Whether reading may go on and writing will not, for as long as nobody mends it."""
    return is_from_server(error) and code_of(error).startswith(_WRITE_TROUBLE)


def is_no_space(error: BaseException | None) -> bool:
    """Whether the server's disk is full."""
    return code_of(error) == "53100"


def is_denied(error: BaseException | None) -> bool:
    """Whether the server let the user in, and not do this."""
    return code_of(error) == "42501"


def translated(error: Exception) -> StoreError | Exception:
    """The error to raise from this one; itself if it can only be a bug of ours (a text that is no SQL)."""
    if isinstance(error, asyncpg.PostgresError):
        return _of_server(error)
    if isinstance(error, TimeoutError):
        return _unavailable(_SLOW)
    if isinstance(error, OSError):
        return _unavailable(("the database cannot be reached", 2))
    if isinstance(error, ValueError) or (
        isinstance(error, asyncpg.InterfaceError) and "in progress" in str(error)
    ):
        # The driver about what we gave it: a value of the wrong type, two questions at once on one connection. It has
        # similar words (InternalClientError) for a connection whose end it has heard of and not yet seen.
        return error
    return _unavailable(_LOST)


def _of_server(error: asyncpg.PostgresError) -> StoreError | Exception:
    code = error.sqlstate or ""
    if code.startswith(_CONFLICT):
        about = POSTGRES.about(error.constraint_name or "")
        return StoreConflict(f"this would break a promise of the database ({about})", about=about)
    known = _UNAVAILABLE.get(code) or _UNAVAILABLE.get(code[:2])
    if known is None and is_worth_repeating(error):
        known = ("the schema of the database has just changed", 1)
    return _unavailable(known) if known is not None else error


def _unavailable(known: tuple[str, int]) -> StoreUnavailable:
    message, retry_after_seconds = known
    return StoreUnavailable(message, retry_after_seconds=retry_after_seconds)
