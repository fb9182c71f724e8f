"""Rows as they cross between engines: values of JSON, one row a line.

What an engine keeps otherwise (a list as JSON text, a truth as 0 or 1) is turned at its border. A row's line is the
same whatever engine it came from, so the SHA-256 over a table's lines tells whether two engines hold the same.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from visiona.stores.copying.errors import damaged
from visiona.stores.copying.tables import Kind

Cell = str | int | bool | list[str] | None
Row = Sequence[Cell]

BATCH_ROWS = 1000
"""Read, hashed and written at a time: some hundred kilobytes, and some ten milliseconds until Ctrl-C is noticed."""

_BEYOND = 2**63

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Digest:
    """How many lines there are, and the SHA-256 over them in hexadecimal."""

    rows: int
    sha256: str


class Digesting:
    """A digest in the making."""

    def __init__(self) -> None:
        self._rows = 0
        self._hash = hashlib.sha256()

    def add(self, lines: bytes, rows: int) -> None:
        """Counts in so many lines, each with its end."""
        self._rows += rows
        self._hash.update(lines)

    def so_far(self) -> Digest:
        """Of what was added."""
        return Digest(self._rows, self._hash.hexdigest())


def to_lines(rows: Sequence[Row]) -> bytes:
    """The lines of rows; CopyRefused for text that is none."""
    try:
        return "".join(f"{_encode(row)}\n" for row in rows).encode()
    except UnicodeEncodeError as error:
        # Half a character, which JSON can spell and no database keeps.
        raise damaged("a row holds text that is none") from error


def from_line(line: bytes, kinds: Sequence[Kind]) -> Row:
    """The row of a line; CopyRefused where it is none of such a table."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise damaged("a row cannot be read") from error
    if not isinstance(row, list) or len(row) != len(kinds) or not all(map(_is_of_kind, row, kinds)):
        raise damaged("a row has other columns than its table")
    return row


def _is_of_kind(cell: object, kind: Kind) -> bool:
    if cell is None:
        return True
    match kind:
        case Kind.TEXT:
            return type(cell) is str
        case Kind.INTEGER:
            return type(cell) is int and -_BEYOND <= cell < _BEYOND
        case Kind.BOOLEAN:
            return type(cell) is bool
        case Kind.TEXTS:
            return type(cell) is list and all(type(text) is str for text in cell)
