"""The port between SQL texts and a database.

Texts write their values as `$1`, `$2` …; a row is a tuple in the order of the SELECT list. A word between @ signs
(dialect.py) is spelled by the database's side of the port.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from visiona.stores.sql.columns import Texts

Value = str | int | float | bool | bytes | Texts | None
Row = tuple[Any, ...]


class SqlTransaction(Protocol):
    """One open transaction of one database."""

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None.

        Raises:
            StoreConflict, StoreUnavailable: as the interfaces promise; the transaction is then good for nothing
            but its end.
        """
        ...

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """All rows; the text has a LIMIT."""
        ...

    async def execute(self, sql: str, *values: Value) -> int:
        """How many rows were written."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[tuple[Value, ...]]) -> None:
        """As `execute` for each of the rows in their order, and all of it in one go where that is faster."""
        ...

    async def execute_last(self, sql: str, *values: Value) -> None:
        """Has it done at the end, just before the transaction is committed: one such transaction after the other.

        What such texts number is numbered in the order of commits; what they need nobody waits for in between.
        """
        ...

    async def flush_last(self) -> None:
        """Has it done now, for the sake of a question about it."""
        ...
