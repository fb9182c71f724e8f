"""Bringing a PostgreSQL database's schema up to date, or back: one transaction for each step, under an advisory lock.

Killed anywhere, on either side, a step has run whole or not at all: the lock and the step's work go with the
transaction. Of two programs that start at once the second waits, and then finds nothing left to do.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from visiona.stores.sql.columns import to_micros
from visiona.stores.sql.dialect import POSTGRES
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

LOCK = int.from_bytes(b"visiona1")
"""The advisory lock's key, one for each database of the server; nobody else's by its unlikeliness."""

TURN_SECONDS = 120
"""How long another program's step is waited for."""

TABLE_SECONDS = 5
"""How long a step waits for a table that somebody uses. Everybody who comes later waits behind it meanwhile."""

STEP_SECONDS = 900
"""How long one statement of a step may run; also how long a server that went silent is waited for."""


_NOT_TAKEN = (
    asyncpg.SyntaxOrAccessError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DependentObjectsStillExistError,
    asyncpg.FeatureNotSupportedError,
)
"""What the database says where a step does not fit what is there; all else passes, or is for its owner to mend."""


async def status(connection: asyncpg.Connection, known: Sequence[Migration]) -> SchemaStatus:
    """How far the database is; raises SchemaMismatch, changes nothing."""
    has_ledger = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    return status_of(known, await _applied(connection) if has_ledger else ())


async def up(connection: asyncpg.Connection, known: Sequence[Migration]) -> SchemaStatus:
    """Runs every pending step; says how far the database was before.

    Raises:
        SchemaMismatch: as `status_of`, and nothing was changed; or the database does not take a step: it was undone,
            those before it stay.
        asyncpg.PostgresError, OSError: it cannot be asked, likewise. LockNotAvailableError: others held the tables,
            or the turn, for too long.
    """
    before = await status(connection, known)
    # Asked first and without the lock: a database that is up to date is only read at a start.
    is_done = not before.pending
    while not is_done:
        async with _turn(connection):
            await connection.execute(CREATE_LEDGER)
            pending = status_of(known, await _applied(connection)).pending
            if pending:
                await run_step(connection, pending[0])
        is_done = len(pending) <= 1
    return before


async def down(connection: asyncpg.Connection, known: Sequence[Migration], to: int) -> SchemaStatus:
    """Undoes every step after number `to`, the newest first; says how far the database was before.

    Raises:
        SchemaMismatch: as `status_of`, or a step cannot be undone, and nothing was changed; or the database does not
            take the way back of one: that step stays, those after it are undone.
        asyncpg.PostgresError, OSError: as `up`.
    """
    before = await status(connection, known)
    is_done = not steps_to_undo(known, before, to)
    while not is_done:
        async with _turn(connection):
            # Looked at again: somebody else may have had a turn.
            steps = steps_to_undo(known, status_of(known, await _applied(connection)), to)
            if steps:
                await _execute(connection, steps[0], steps[0].undo or "")
                await connection.execute(FORGET_STEP, steps[0].number)
        is_done = len(steps) <= 1
    return before


@asynccontextmanager
async def _turn(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction that holds the lock, and sees all that was committed before it had it."""
    # The database's default may be another one, whose picture is taken before the lock is had.
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(
            f"SET LOCAL statement_timeout = '{STEP_SECONDS}s'; SET LOCAL lock_timeout = '{TURN_SECONDS}s';"
            f" SET LOCAL idle_in_transaction_session_timeout = '{TURN_SECONDS}s'"
        )
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK, timeout=TURN_SECONDS + 5)
        await connection.execute(f"SET LOCAL lock_timeout = '{TABLE_SECONDS}s'")
        yield


async def run_step(connection: asyncpg.Connection, step: Migration) -> None:
    """Runs one step in the transaction that is open, and notes it in the ledger, which is there."""
    await _execute(connection, step, step.text)
    now = to_micros(datetime.now(UTC))
    await connection.execute(NOTE_STEP, step.number, step.name, step.digest, now)


async def _execute(connection: asyncpg.Connection, step: Migration, text: str) -> None:
    try:
        await connection.execute(POSTGRES.spell_schema(text), timeout=STEP_SECONDS)
    except asyncpg.InsufficientPrivilegeError:
        raise
    except _NOT_TAKEN as error:
        raise step_failed(step, error.args[0]) from error


async def _applied(connection: asyncpg.Connection) -> list[Applied]:
    try:
        return [Applied(*row) for row in await connection.fetch(READ_LEDGER)]
    except asyncpg.UndefinedColumnError as error:
        raise foreign_ledger() from error
