"""Values between rows and nouns: moments as microseconds since 1970, lists as JSON.

A list of texts that is to be searched is an array where the database has arrays (`Texts`), and JSON elsewhere.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from visiona.domain.devices import Accelerator, AcceleratorStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """A zoned moment as a number; exact."""
    return (at - _EPOCH) // _MICROSECOND


def to_micros_or_none(at: datetime | None) -> int | None:
    """As `to_micros`, None for None."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def to_moment(micros: int) -> datetime:
    """The moment again, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def to_moment_or_none(micros: int | None) -> datetime | None:
    """As `to_moment`, None for None."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def from_texts(texts: Sequence[str]) -> str:
    """A list of texts as one column of text."""
    return json.dumps(list(texts), ensure_ascii=False, separators=(",", ":"))


class Texts(list[str]):
    """A list of texts for a column of type `@texts@`: asyncpg writes an array, sqlite3 what `from_texts` makes."""

    def __conform__(self, _: object) -> str:
        """Asked by sqlite3, https://docs.python.org/3/library/sqlite3.html#how-to-write-adaptable-objects."""
        return from_texts(self)


def to_texts(column: str | Sequence[str]) -> tuple[str, ...]:
    """The texts again, of an array or of JSON."""
    return tuple(json.loads(column) if isinstance(column, str) else column)


def from_accelerators(accelerators: Sequence[Accelerator]) -> str:
    """Accelerators as one column."""
    return json.dumps(
        [
            {
                "local_id": each.local_id,
                "name": each.name,
                "chip": each.chip,
                "status": each.status.value,
                "firmware_version": each.firmware_version,
                "port": each.port,
                "model": each.model,
            }
            for each in accelerators
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def to_accelerators(column: str) -> tuple[Accelerator, ...]:
    """The accelerators again."""
    return tuple(
        Accelerator(**{**each, "status": AcceleratorStatus(each["status"])}) for each in json.loads(column)
    )
