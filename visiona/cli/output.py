"""What commands print: tables for people, JSON for programs, one sentence for an error."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum

from visiona.ops.scrub import mask_secrets


class Exit(IntEnum):
    """Exit codes; they are for programs and do not change."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STORE_UNAVAILABLE = 3
    NOT_FOUND = 4


class CommandError(Exception):
    """A person's mistake or a world that is down: one sentence, what to do, a code; never a traceback."""

    def __init__(self, message: str, *, code: str, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.exit_code = exit_code


def print_error(message: str, code: str) -> None:
    """Writes an error to stderr, which is often a journal: a token typed in the wrong place is masked."""
    print(f"visiona: {_one_line(mask_secrets(message))} [{code}]", file=sys.stderr)


def print_note(message: str) -> None:
    """Writes something worth knowing to stderr, out of the way of what a program reads."""
    print(f"visiona: {_one_line(mask_secrets(message))}", file=sys.stderr)


def print_json(value: object) -> None:
    """Writes a value for a program."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Writes a table for a person; `empty` where there is nothing to show."""
    if not rows:
        print(empty)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(headings), *cells]) for column in range(len(headings))]
    for row in [[heading.upper() for heading in headings], *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_facts(facts: Mapping[str, object]) -> None:
    """Writes one thing's properties for a person."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name.ljust(width)}  {_cell(value)}")


def moment(at: datetime | None) -> str | None:
    """A moment for a program: RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def _cell(value: object) -> str:
    match value:
        case None | "" | () | []:
            return "-"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case list() | tuple():
            return ", ".join(_cell(item) for item in value)
        case _:
            return _one_line(str(value))


def _one_line(text: str) -> str:
    # What an agent calls itself must not move the cursor or start a line of its own.
    return "".join(character if character.isprintable() else " " for character in text)
