"""Dictionaries that can take back what was done to them since the transaction began."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Journal:
    """What to undo, the newest last; and whether anything may be done at all.

    Entering begins a transaction; leaving ends it: kept if all went well, undone if not.

    Attributes:
        commits: how many transactions changed anything.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._is_writing = False
        self.commits = 0

    def __enter__(self) -> None:
        self._is_writing = True

    def __exit__(self, error_class: type[BaseException] | None, *_: object) -> None:
        if error_class is not None:
            for undo in reversed(self._undo):
                undo()
        elif self._undo:
            self.commits += 1
        self._undo.clear()
        self._is_writing = False

    def note(self, undo: Callable[[], None]) -> None:
        """Called before each change; RuntimeError outside of a writing transaction."""
        if not self._is_writing:
            raise RuntimeError("an operation that reads may not write")
        self._undo.append(undo)


class Table(Generic[K, V]):
    """Rows by their key. Rows are frozen values: a change puts another one in their place."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: K) -> V | None:
        """The row, or None."""
        return self._rows.get(key)

    def rows(self) -> Iterator[V]:
        """All rows, the oldest key first; not to be used after the next change."""
        return iter(self._rows.values())

    def put(self, key: K, row: V) -> None:
        """Adds or replaces a row."""
        if key in self._rows:
            before = self._rows[key]
            self._journal.note(lambda: self._rows.__setitem__(key, before))
        else:
            self._journal.note(lambda: self._rows.__delitem__(key))
        self._rows[key] = row

    def remove(self, key: K) -> None:
        """Takes a row away."""
        before = self._rows[key]
        # Back at the end, not in its old place: every list is sorted anyway.
        self._journal.note(lambda: self._rows.__setitem__(key, before))
        del self._rows[key]
