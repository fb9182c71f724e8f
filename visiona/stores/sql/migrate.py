"""Steps of the schema: which there are, which ran, and whether the two can be brought together.

Here is what all databases share, without one: the steps that this program knows, and the judgement. A step is known
by its number and by the digest of its text; one that ran here under another digest was edited, and then nobody knows
what the schema is.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from visiona.stores.errors import SchemaMismatch

# The table that remembers, the same in both dialects.
CREATE_LEDGER = """CREATE TABLE IF NOT EXISTS schema_migrations (
    number BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)"""
READ_LEDGER = "SELECT number, name, digest FROM schema_migrations ORDER BY number"
NOTE_STEP = "INSERT INTO schema_migrations (number, name, digest, applied_at) VALUES ($1, $2, $3, $4)"

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Applied:
    """A step that ran on a database, as it is on record there."""

    number: int
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A step that this program knows."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """How far a database is."""

    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]


@cache
def known_migrations() -> tuple[Migration, ...]:
    """The embedded steps, in their order."""
    found = []
    for entry in resources.files("visiona.stores.sql.migrations").iterdir():
        match = _FILE_NAME.fullmatch(entry.name)
        if match is not None:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda step: step.number))


def status_of(known: Sequence[Migration], applied: Sequence[Applied]) -> SchemaStatus:
    """What is still to run.

    Raises:
        SchemaMismatch: a step that ran is unknown here, or ran with another text, or one before it did not run.
    """
    by_number = {step.number: step for step in known}
    for ran in applied:
        step = by_number.get(ran.number)
        if step is None:
            raise SchemaMismatch(
                f"the database was written by a newer visiona (its step {ran.number:04} is unknown here);"
                " install that version, or restore the backup from before its upgrade"
            )
        if step.digest != ran.digest:
            raise SchemaMismatch(
                f"step {ran.number:04} ({ran.name}) of the database's schema is not the one this program knows;"
                " install the version that made it"
            )
    last = max((ran.number for ran in applied), default=0)
    numbers = {ran.number for ran in applied}
    pending = tuple(step for step in known if step.number not in numbers)
    if any(step.number < last for step in pending):
        raise SchemaMismatch("the database lacks a step from between those that ran; restore a backup")
    return SchemaStatus(tuple(applied), pending)
