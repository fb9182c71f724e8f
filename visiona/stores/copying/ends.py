"""The two ends of a copy: a source of rows, and a database that takes them."""

from collections.abc import Iterator, Sequence, Set
from typing import Protocol

from visiona.stores.copying.rows import Digest, Row
from visiona.stores.copying.tables import Table
from visiona.stores.sql.migrate import Applied, Migration


class Progress(Protocol):
    """Somebody who watches; called from worker threads."""

    def begin(self, total_rows: int, total_bytes: int = 0) -> None:
        """So many rows will pass, and so many bytes of files; each counts as often as it is looked at."""
        ...

    def step(self, rows: int) -> None: ...

    def pass_bytes(self, count: int) -> None: ...


class Source(Protocol):
    """One unchanging picture of all rows. Its methods block: call them in a worker thread.

    Everything raises StoreError where the engine fails, CopyRefused where what it holds cannot be copied.
    """

    @property
    def name(self) -> str:
        """For people: where it is; no secret."""
        ...

    @property
    def engine(self) -> str:
        """`sqlite` or `postgresql`."""
        ...

    @property
    def applied(self) -> Sequence[Applied]:
        """The steps of the schema that ran there; none where there is no ledger."""
        ...

    def count(self, table: Table) -> int: ...

    def batches(self, table: Table) -> Iterator[list[Row]]:
        """The rows in the key's order, at most BATCH_ROWS at once."""
        ...

    def promised(self, table: Table) -> Digest | None:
        """What the rows were when they were written down, where that is on record."""
        ...

    @property
    def mark(self) -> int:
        """The number that the last restore left here, or 0."""
        ...

    def renew(self) -> None:
        """From now on a newer picture, where there is one."""
        ...

    def release(self) -> None:
        """Nothing more will be asked; others need not keep the picture any longer."""
        ...


class Target(Source, Protocol):
    """A database in one open transaction, undone as a whole unless `commit` returns. Its methods block."""

    @property
    def tables(self) -> Set[str]:
        """The names of all tables that are there, whoever made them."""
        ...

    def begin(self, steps: Sequence[Migration]) -> None:
        """Takes away what is there and makes the empty tables of these steps."""
        ...

    def put(self, table: Table, rows: Sequence[Row]) -> None: ...

    def finish(self, later_steps: Sequence[Migration]) -> None:
        """Sees that the rows fit together and that new numbers go on after theirs; then runs the later steps."""
        ...

    def set_mark(self, mark: int) -> None:
        """Leaves a number with the rows: it is there if they are."""
        ...

    def commit(self) -> None:
        """Raises CommitUncertain where nobody knows whether it did."""
        ...
