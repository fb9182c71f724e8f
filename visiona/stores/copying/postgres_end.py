"""A PostgreSQL database as one end of a copy.

Called from a worker thread like the others; each question crosses to the asyncio loop in Trio's thread and waits there.
"""

import json
from collections.abc import Callable, Coroutine, Iterator, Sequence, Set
from typing import Any, TypeVar

import asyncpg
import trio

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.copying.errors import CommitUncertain, CopyRefused, unfitting
from visiona.stores.copying.rows import BATCH_ROWS, Cell, Digest, Row
from visiona.stores.copying.tables import LEDGER, TABLES, Kind, Table
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.postgres_address import PostgresAddress
from visiona.stores.sql import postgres_migrate
from visiona.stores.sql.columns import from_texts
from visiona.stores.sql.migrate import CREATE_LEDGER, READ_LEDGER, Applied, Migration
from visiona.stores.sql.postgres_errors import DRIVER_ERRORS, translated
from visiona.stores.sql.postgres_migrate import STEP_SECONDS

T = TypeVar("T")

ANSWER_SECONDS = 120.0
"""For one question: they take milliseconds, but counting and analysing take longer the more rows there are."""

BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_MARK = "restored by visiona: "
_READ_MARK = f"SELECT obj_description(to_regclass('{LEDGER}'), 'pg_class')"

# Those that a name without its schema means, as everywhere in our texts.
_TABLES = """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(oid)
    AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"""

_NUMBERED = """SELECT attrelid::regclass::text, attname FROM pg_attribute
    WHERE attidentity <> '' AND attrelid = ANY ($1::regclass[])"""


class PostgresEnd:
    """See ends.Source and ends.Target.

    Args:
        connection: for this alone, in a transaction.
        address: of the database, for sentences.
        guest: the loop that the connection lives on.
    """

    def __init__(self, connection: asyncpg.Connection, address: PostgresAddress, guest: AsyncioGuest) -> None:
        self._connection = connection
        self._guest = guest
        self.name = str(address)
        self.engine = "postgresql"

    @property
    def tables(self) -> Set[str]:
        return {name for (name,) in self._ask(self._connection.fetch, _TABLES)}

    @property
    def applied(self) -> Sequence[Applied]:
        if LEDGER not in self.tables:
            return ()
        return [Applied(*row) for row in self._ask(self._connection.fetch, READ_LEDGER)]

    def count(self, table: Table) -> int:
        return int(self._ask(self._connection.fetchval, table.count))

    def batches(self, table: Table) -> Iterator[list[Row]]:
        texts = [place for place, kind in enumerate(table.kinds) if kind is Kind.TEXTS]
        # A cursor of SQL's: the driver's own cannot be closed, and an open one keeps later steps from the table. Its
        # name is the table's, for the driver remembers of each text what it returns.
        cursor = f"copying_{table.name}"
        self._ask(self._connection.execute, f"DECLARE {cursor} NO SCROLL CURSOR FOR {table.select}")
        while records := self._ask(self._connection.fetch, f"FETCH {BATCH_ROWS} FROM {cursor}"):
            yield [_from_postgres(list(record), texts) for record in records]
        self._ask(self._connection.execute, f"CLOSE {cursor}")

    def promised(self, table: Table) -> Digest | None:
        return None

    @property
    def mark(self) -> int:
        said = self._ask(self._connection.fetchval, _READ_MARK)
        return int(said.removeprefix(_MARK)) if said is not None and said.startswith(_MARK) else 0

    def renew(self) -> None:
        self._ask(self._connection.execute, "ROLLBACK")
        self._ask(self._connection.execute, BEGIN_READING)

    def release(self) -> None:
        self._ask(self._connection.execute, "ROLLBACK")

    def begin(self, steps: Sequence[Migration]) -> None:
        present = self.tables
        for name in [LEDGER, *(table.name for table in reversed(TABLES))]:
            if name in present:
                self._ask(self._connection.execute, f"DROP TABLE {name}")
        self._ask(self._connection.execute, CREATE_LEDGER)
        self._run(steps)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        as_text = self._lists_that_are_text(table)
        records = [_to_postgres(list(row), as_text) for row in rows] if as_text else rows
        try:
            self._ask(self._copy, table, records)
        except asyncpg.CharacterNotInRepertoireError as error:
            raise CopyRefused(
                f"{_with_zero(table, rows)} holds a character of code 0, which PostgreSQL cannot keep;"
                " rename it there and try again",
                code="CANNOT_HOLD",
            ) from error

    def finish(self, later_steps: Sequence[Migration]) -> None:
        present = self.tables
        names = [table.name for table in TABLES if table.name in present]
        for table, column in self._ask(self._connection.fetch, _NUMBERED, names):
            sql = f"SELECT setval(pg_get_serial_sequence($1, $2), max({column})) FROM {table} HAVING count(*) > 0"  # noqa: S608
            self._ask(self._connection.fetch, sql, table, column)
        self._run(later_steps)
        # Nothing is known of the new rows yet, and the first questions come before autovacuum does.
        self._ask(self._connection.execute, f"ANALYZE {', '.join(names)}")

    def set_mark(self, mark: int) -> None:
        self._ask(self._connection.execute, f"COMMENT ON TABLE {LEDGER} IS '{_MARK}{mark:d}'")

    def commit(self) -> None:
        try:
            self._ask(self._connection.execute, "COMMIT")
        except StoreUnavailable as error:
            raise CommitUncertain(
                f"{error} at the very end; whether the rows are there is not known",
                advice="look with `visiona user list`; where they are not, do it again",
            ) from error

    async def _copy(self, table: Table, records: Sequence[Row]) -> None:
        await self._connection.copy_records_to_table(table.name, records=records, columns=table.column_names)

    def _run(self, steps: Sequence[Migration]) -> None:
        for step in steps:
            self._ask(postgres_migrate.run_step, self._connection, step, seconds=STEP_SECONDS)

    def _lists_that_are_text(self, table: Table) -> list[int]:
        """Before a step of the schema made arrays of them, lists were JSON here too."""
        texts = [place for place, kind in enumerate(table.kinds) if kind is Kind.TEXTS]
        if not texts:
            return []
        sql = "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND atttypid = 'text'::regtype"
        as_text = {name for (name,) in self._ask(self._connection.fetch, sql, table.name)}
        return [place for place in texts if table.columns[place].name in as_text]

    def _ask(
        self,
        question: Callable[..., Coroutine[Any, Any, T]],
        *values: object,
        seconds: float = ANSWER_SECONDS,
    ) -> T:
        async def cross() -> T:
            with trio.move_on_after(seconds):
                return await self._guest.run(question, *values)
            raise StoreUnavailable(f"the database does not answer ({self.name})")

        try:
            return trio.from_thread.run(cross)
        except DRIVER_ERRORS as error:
            known = translated(error)
            if isinstance(known, StoreConflict):
                raise unfitting(known.about) from error
            if isinstance(known, StoreUnavailable):
                raise StoreUnavailable(f"{known} ({self.name})", advice=known.advice) from error
            raise


def _from_postgres(cells: list[Cell], texts: Sequence[int]) -> Row:
    for place in texts:
        cell = cells[place]
        if isinstance(cell, str):
            cells[place] = json.loads(cell)
    return cells


def _to_postgres(cells: list[Cell], as_text: Sequence[int]) -> Row:
    for place in as_text:
        cell = cells[place]
        if isinstance(cell, list):
            cells[place] = from_texts(cell)
    return cells


def _with_zero(table: Table, rows: Sequence[Row]) -> str:
    """Which row it is, by its key, unless the key is a secret's hash."""
    for row in rows:
        if any("\0" in str(cell) for cell in row):
            cells = dict(zip(table.column_names, row, strict=True))
            return f"{table.name}: {cells.get('id', 'a row')!r}"
    return table.name
