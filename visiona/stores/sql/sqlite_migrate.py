"""Bringing a SQLite file's schema up to date: one transaction for each step, under SQLite's own write lock.

Killed anywhere, a step has run whole or not at all; two programs that start at once take turns, and the second
finds nothing left to do.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from visiona.stores.sql.columns import to_micros
from visiona.stores.sql.dialect import SQLITE
from visiona.stores.sql.migrate import (
    CREATE_LEDGER,
    NOTE_STEP,
    READ_LEDGER,
    Applied,
    Migration,
    SchemaStatus,
    status_of,
)


def status(connection: sqlite3.Connection, known: Sequence[Migration]) -> SchemaStatus:
    """How far the file is; raises SchemaMismatch, changes nothing."""
    sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"
    (has_ledger,) = connection.execute(sql).fetchone()
    return status_of(known, _applied(connection) if has_ledger else ())


def up(connection: sqlite3.Connection, known: Sequence[Migration]) -> SchemaStatus:
    """Runs every pending step; says how far the file was before.

    Raises:
        SchemaMismatch: as `status_of`; nothing was changed.
        sqlite3.Error: a step failed and was undone, those before it stay.
    """
    before = status(connection, known)
    while _run_next(connection, known):
        pass
    return before


def _run_next(connection: sqlite3.Connection, known: Sequence[Migration]) -> bool:
    """Runs one step under the write lock, looking again at what ran meanwhile; False if none is left."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(CREATE_LEDGER)
        pending = status_of(known, _applied(connection)).pending
        if pending:
            _run(connection, pending[0])
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return bool(pending)


def _run(connection: sqlite3.Connection, step: Migration) -> None:
    for statement in _statements(SQLITE.spell(step.text)):
        connection.execute(statement)
    values = (step.number, step.name, step.digest, to_micros(datetime.now(UTC)))
    connection.execute(NOTE_STEP, {str(place): value for place, value in enumerate(values, 1)})


def _applied(connection: sqlite3.Connection) -> list[Applied]:
    return [Applied(*row) for row in connection.execute(READ_LEDGER)]


def _statements(text: str) -> Iterator[str]:
    """The statements one by one: `executescript` would commit the transaction first."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError("a migration ends within a statement")
