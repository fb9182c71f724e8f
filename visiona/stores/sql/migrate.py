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
FORGET_STEP = "DELETE FROM schema_migrations WHERE number = $1"

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOSS = re.compile(r"-- Loses: (.+)\.\n")


@dataclass(frozen=True, slots=True)
class Applied:
    """A step that ran on a database, as it is on record there."""

    number: int
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A step that this program knows; `undo` is the text that takes it back, if there is a way."""

    number: int
    name: str
    text: str
    undo: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def loss(self) -> str:
        """What is lost when it is taken back, for a person."""
        match = _LOSS.match(self.undo or "")
        return match[1] if match is not None else "what it brought"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """How far a database is."""

    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]


@cache
def known_migrations() -> tuple[Migration, ...]:
    """The embedded steps, in their order."""
    folder = resources.files("visiona.stores.sql.migrations")
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.is_file()}
    steps = (
        Migration(int(match[1]), match[2], text, texts.get(f"{match[1]}_{match[2]}.down.sql"))
        for name, text in texts.items()
        if (match := _FILE_NAME.fullmatch(name)) is not None
    )
    return tuple(sorted(steps, key=lambda step: step.number))


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
                f"the database was written by a newer visiona (its step {ran.number:04} is unknown here); install that"
                f" version, whose `visiona migrate down --to {ran.number - 1}` leads back here, or restore the backup"
                " from before its upgrade"
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


def steps_to_undo(known: Sequence[Migration], found: SchemaStatus, to: int) -> tuple[Migration, ...]:
    """The steps after number `to` that ran, the newest first.

    Raises:
        SchemaMismatch: one of them cannot be undone.
    """
    ran = {applied.number for applied in found.applied}
    steps = tuple(step for step in reversed(known) if step.number in ran and step.number > to)
    for step in steps:
        if step.undo is None:
            raise SchemaMismatch(
                f"step {step.number:04} ({step.name}) cannot be undone; restore the backup from before it"
            )
    return steps


def foreign_ledger() -> SchemaMismatch:
    """To raise where the table that remembers is somebody else's; its name is a common one."""
    return SchemaMismatch(
        "the database belongs to another program (its table schema_migrations is not ours);"
        " give visiona a database of its own"
    )


def step_failed(step: Migration, said: object) -> SchemaMismatch:
    """To raise where the database does not take a step; `said` is what it said, for whoever has to mend it."""
    return SchemaMismatch(
        f"step {step.number:04} ({step.name}) of the schema failed and was undone: {said}; give visiona a database"
        " of its own, or restore a backup"
    )
