"""A SQLite file as one end of a copy."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path

from visiona.stores.copying.errors import CopyRefused, unfitting
from visiona.stores.copying.rows import BATCH_ROWS, Cell, Digest, Row, are_of_kinds
from visiona.stores.copying.tables import LEDGER, TABLES, Kind, Table
from visiona.stores.errors import StoreConflict, StoreDamaged, StoreUnavailable
from visiona.stores.sql import sqlite_migrate
from visiona.stores.sql.columns import from_texts
from visiona.stores.sql.migrate import CREATE_LEDGER, READ_LEDGER, Applied, Migration
from visiona.stores.sql.sqlite_errors import primary_code, translated

_TRUTHS: Mapping[Cell, Cell] = {0: False, 1: True}


class SqliteEnd:
    """See ends.Source and ends.Target.

    Args:
        connection: for this alone, in a transaction; for a target one that writes, and foreign keys are off.
        path: of the file, for sentences.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self.name = str(path)
        self.engine = "sqlite"
        self.is_committed = False

    @property
    def tables(self) -> Set[str]:
        with translating(self._path):
            sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            return {name for (name,) in self._connection.execute(sql)}

    @property
    def applied(self) -> Sequence[Applied]:
        if LEDGER not in self.tables:
            return ()
        with translating(self._path):
            return [Applied(*row) for row in self._connection.execute(READ_LEDGER)]

    def count(self, table: Table) -> int:
        with translating(self._path):
            (rows,) = self._connection.execute(table.count).fetchone()
            return int(rows)

    def batches(self, table: Table) -> Iterator[list[Row]]:
        special = [place for place, kind in enumerate(table.kinds) if kind in {Kind.BOOLEAN, Kind.TEXTS}]
        with translating(self._path):
            cursor = self._connection.execute(table.select)
            while rows := cursor.fetchmany(BATCH_ROWS):
                batch = [_from_sqlite(row, special, table.kinds) for row in rows] if special else rows
                if not are_of_kinds(batch, table.kinds):
                    # SQLite keeps whatever it is given, and whoever restores this would find out too late.
                    raise CopyRefused(
                        f"a row of {table.name} holds something of another kind than its column; mend it first",
                        code="CANNOT_HOLD",
                    )
                yield batch

    def promised(self, table: Table) -> Digest | None:
        return None

    @property
    def mark(self) -> int:
        with translating(self._path):
            (mark,) = self._connection.execute("PRAGMA user_version").fetchone()
            return int(mark)

    def renew(self) -> None:
        with translating(self._path):
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN")

    def release(self) -> None:
        with translating(self._path):
            self._connection.execute("ROLLBACK")

    def begin(self, steps: Sequence[Migration]) -> None:
        present = self.tables
        with translating(self._path):
            for name in [LEDGER, *(table.name for table in reversed(TABLES))]:
                if name in present:
                    self._connection.execute(f"DROP TABLE {name}")
            self._connection.execute(CREATE_LEDGER)
            for step in steps:
                sqlite_migrate.run_step(self._connection, step)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        texts = [place for place, kind in enumerate(table.kinds) if kind is Kind.TEXTS]
        values = [_to_sqlite(row, texts) for row in rows] if texts else rows
        with translating(self._path):
            self._connection.executemany(table.insert, values)

    def finish(self, later_steps: Sequence[Migration]) -> None:
        with translating(self._path):
            lost = self._connection.execute("PRAGMA foreign_key_check").fetchone()
            if lost is not None:
                raise unfitting(lost[0])
            for step in later_steps:
                sqlite_migrate.run_step(self._connection, step)

    def set_mark(self, mark: int) -> None:
        with translating(self._path):
            self._connection.execute(f"PRAGMA user_version = {mark:d}")

    def commit(self) -> None:
        with translating(self._path):
            self._connection.execute("COMMIT")
        self.is_committed = True


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turns what SQLite says into errors of ours."""
    try:
        yield
    except sqlite3.Error as error:
        if primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise StoreDamaged(f"the database {path} is damaged; it was left as it is") from error
        known = translated(error)
        if isinstance(known, StoreConflict):
            raise unfitting(known.about) from error
        if isinstance(known, StoreUnavailable):
            raise StoreUnavailable(f"{known} ({path})", advice=known.advice) from error
        raise


def _from_sqlite(row: Row, special: Sequence[int], kinds: Sequence[Kind]) -> Row:
    cells: list[Cell] = list(row)
    for place in special:
        cell = cells[place]
        if kinds[place] is Kind.BOOLEAN:
            cells[place] = _TRUTHS.get(cell, cell)
        elif isinstance(cell, str):
            with contextlib.suppress(ValueError):
                cells[place] = json.loads(cell)
    return cells


def _to_sqlite(row: Row, texts: Sequence[int]) -> Row:
    cells: list[Cell] = list(row)
    for place in texts:
        cell = cells[place]
        if isinstance(cell, list):
            cells[place] = from_texts(cell)
    return cells
