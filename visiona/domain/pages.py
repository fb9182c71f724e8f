"""Lists in pieces: a cursor names the last item seen, so a list can grow and shrink while somebody walks it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from visiona.domain.errors import Invalid
from visiona.domain.ids import is_uuid

T = TypeVar("T")

MAX_PAGE = 500
"""A page is read in one go and blocks everything else meanwhile: about five milliseconds at this size."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_DIGITS = 17  # the year 5138; one more would leave the calendar


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One piece of a list; `next_cursor` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: a moment, and the id that tells apart what happened in the same microsecond."""

    at: datetime
    id: str


def cursor_of(position: Position) -> str:
    """Spells a position for the outside, where it is opaque."""
    return f"{(position.at - _EPOCH) // _MICROSECOND}.{position.id}"


def position_of(cursor: str) -> Position:
    """Reads a cursor; Invalid for one that we never made."""
    digits, _, item_id = cursor.partition(".")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS and is_uuid(item_id)):
        raise Invalid("cursor: give the next_cursor of the page before, unchanged")
    return Position(_EPOCH + int(digits) * _MICROSECOND, item_id)
