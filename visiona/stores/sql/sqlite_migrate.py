"""Bringing a SQLite file's schema up to date, or back: one transaction for each step, under SQLite's own write lock.

Killed anywhere, a step has run whole or not at all; two programs that start at once take turns, and the second
finds nothing left to do.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from visiona.stores.sql.columns import to_micros
from visiona.stores.sql.dialect import SQLITE
from visiona.stores.sql.migrate import (
    CREATE_LEDGER,
    FORGET_STEP,
    NOTE_STEP,
    READ_LEDGER,
    Applied,
    Migration,
    SchemaStatus,
    foreign_ledger,
    status_of,
    step_failed,
    steps_to_undo,
)
from visiona.stores.sql.sqlite_errors import primary_code


def status(connection: sqlite3.Connection, known: Sequence[Migration]) -> SchemaStatus:
    """How far the file is; raises SchemaMismatch, changes nothing."""
    sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"
    (has_ledger,) = connection.execute(sql).fetchone()
    return status_of(known, _applied(connection) if has_ledger else ())


def up(connection: sqlite3.Connection, known: Sequence[Migration]) -> SchemaStatus:
    """Runs every pending step; says how far the file was before.

    Raises:
        SchemaMismatch: as `status_of`, and nothing was changed; or the file does not take a step: it was undone,
            those before it stay.
        sqlite3.Error: it cannot be written, likewise.
    """
    before = status(connection, known)
    is_done = not before.pending
    while not is_done:
        with _turn(connection):
            connection.execute(CREATE_LEDGER)
            # Looked at again: another program may have run it meanwhile.
            pending = status_of(known, _applied(connection)).pending
            if pending:
                run_step(connection, pending[0])
        is_done = len(pending) <= 1
    return before


def down(connection: sqlite3.Connection, known: Sequence[Migration], to: int) -> SchemaStatus:
    """Undoes every step after number `to`, the newest first; says how far the file was before.

    Raises:
        SchemaMismatch: as `status_of`, or a step cannot be undone, and nothing was changed; or the file does not take
            the way back of one: that step stays, those after it are undone.
        sqlite3.Error: as `up`.
    """
    before = status(connection, known)
    is_done = not steps_to_undo(known, before, to)
    while not is_done:
        with _turn(connection):
            steps = steps_to_undo(known, status_of(known, _applied(connection)), to)
            if steps:
                _execute_all(connection, steps[0], steps[0].undo or "")
                connection.execute(FORGET_STEP, {"1": steps[0].number})
        is_done = len(steps) <= 1
    return before


@contextmanager
def _turn(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its beginning."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def run_step(connection: sqlite3.Connection, step: Migration) -> None:
    """Runs one step in the transaction that is open, and notes it in the ledger, which is there."""
    _execute_all(connection, step, step.text)
    values = (step.number, step.name, step.digest, to_micros(datetime.now(UTC)))
    connection.execute(NOTE_STEP, {str(place): value for place, value in enumerate(values, 1)})


def _execute_all(connection: sqlite3.Connection, step: Migration, text: str) -> None:
    try:
        for statement in _statements(SQLITE.spell_schema(text)):
            connection.execute(statement)
    except sqlite3.Error as error:
        if primary_code(error) not in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}:
            raise
        raise step_failed(step, error) from error


def _applied(connection: sqlite3.Connection) -> list[Applied]:
    try:
        return [Applied(*row) for row in connection.execute(READ_LEDGER)]
    except sqlite3.Error as error:
        if primary_code(error) != sqlite3.SQLITE_ERROR:
            raise
        raise foreign_ledger() from error


def _statements(text: str) -> Iterator[str]:
    """The statements one by one: `executescript` would commit the transaction first."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    # What is the other dialect's alone is a comment here.
    if any(line.strip() and not line.startswith("--") for line in statement.splitlines()):
        raise ValueError("a migration ends within a statement")
