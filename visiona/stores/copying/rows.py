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


def from_lines(lines: Sequence[bytes], kinds: Sequence[Kind]) -> list[Row]:
    """The rows of lines; CopyRefused where they are none of such a table."""
    try:
        # All at once, and looked at by columns: three times as quick as one by one.
        rows: list[Row] = json.loads(b"[%b]" % b",".join(lines))
    except (ValueError, RecursionError) as error:
        raise damaged("a row cannot be read") from error
    if not all(type(row) is list and len(row) == len(kinds) for row in rows):
        raise damaged("a row has other columns than its table")
    if not are_of_kinds(rows, kinds):
        raise damaged("a row holds what its table does not")
    return rows


def are_of_kinds(rows: Sequence[Row], kinds: Sequence[Kind]) -> bool:
    """Whether each cell of rows of the right length is what its column holds."""
    return all(map(_are_of_kind, zip(*rows, strict=True), kinds))


_TYPES = {Kind.TEXT: str, Kind.INTEGER: int, Kind.BOOLEAN: bool, Kind.TEXTS: list}


def _are_of_kind(cells: Sequence[Cell], kind: Kind) -> bool:
    if not {*map(type, cells)} <= {_TYPES[kind], type(None)}:
        return False
    if kind is Kind.INTEGER:
        return all(-_BEYOND <= number < _BEYOND for number in cells if isinstance(number, int))
    if kind is Kind.TEXTS:
        return {type(text) for texts in cells if isinstance(texts, list) for text in texts} <= {str}
    return True
