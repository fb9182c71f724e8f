import sqlite3

import pytest
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.sql.sqlite_errors import is_busy, primary_code, translated


def error(code: int, text: str = "raw text of the driver") -> sqlite3.Error:
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_READONLY_DBMOVED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY_SNAPSHOT,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
    ],
)
def test_s01_the_drivers_text_goes_no_further(code: int) -> None:
    told = translated(error(code))
    assert isinstance(told, StoreUnavailable)
    assert told.retry_after_seconds >= 1
    assert "raw" not in str(told)


def test_a_broken_promise_is_named(request: pytest.FixtureRequest) -> None:
    told = translated(error(sqlite3.SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: session_tokens_ttl"))
    assert isinstance(told, StoreConflict)
    assert told.about == "ttl"
    assert "session_tokens" not in str(told)


def test_a_bug_of_ours_stays_what_it_is() -> None:
    for bug in (error(sqlite3.SQLITE_ERROR), sqlite3.ProgrammingError("bad binding")):
        assert translated(bug) is bug
    assert primary_code(sqlite3.ProgrammingError("bad binding")) == 0


def test_only_a_lock_is_worth_waiting_for() -> None:
    assert is_busy(error(sqlite3.SQLITE_BUSY))
    assert is_busy(error(sqlite3.SQLITE_LOCKED_SHAREDCACHE))
    assert not is_busy(error(sqlite3.SQLITE_FULL))
