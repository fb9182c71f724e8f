"""A log record as one line of text: for a person (`console`) or for a program (`json`).

Knows nothing about where lines go. Extras given to a logging call are printed as key=value, or as members of the
JSON object. Everything passes through ops/scrub.py, so nothing an agent says can forge a line or colour a terminal.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from visiona.ops.scrub import MASK, SECRET_NAMES, clean

MAX_MESSAGE_CHARACTERS = 8192
MAX_VALUE_CHARACTERS = 2048
MAX_TRACEBACK_LINES = 200
"""Bounds for one record: a peer's text must not fill the disk, a recursion's traceback neither (its end is kept)."""

Line = Callable[[logging.LogRecord], str]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_JSON_OWN = frozenset({"time", "level", "logger", "message", "traceback"})
Value = str | int | float | bool | None


def console_line(record: logging.LogRecord) -> str:
    """`2026-01-02T03:04:05.678Z INFO    relay.listener: tunnel up device_id=…`, then the traceback, indented."""
    name = record.name.removeprefix("visiona.")
    parts = [f"{_time(record)} {record.levelname:<7} {clean(name, MAX_VALUE_CHARACTERS)}: {_message(record)}"]
    parts.extend(f"{key}={_quoted(value)}" for key, value in _extras(record).items())
    return "\n    | ".join([" ".join(parts), *_traceback(record)])


def json_line(record: logging.LogRecord) -> str:
    """One JSON object; the extras are members of it, under `extra_…` where they would hide one of ours."""
    entry: dict[str, Value | list[str]] = {
        "time": _time(record),
        "level": record.levelname.lower(),
        "logger": clean(record.name, MAX_VALUE_CHARACTERS),
        "message": _message(record),
    }
    for key, value in _extras(record).items():
        entry[f"extra_{key}" if key in _JSON_OWN else key] = value
    if traceback := _traceback(record):
        entry["traceback"] = traceback
    return json.dumps(entry, ensure_ascii=False)


LINES: Mapping[str, Line] = {"console": console_line, "json": json_line}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    return clean(record.getMessage(), MAX_MESSAGE_CHARACTERS)


def _extras(record: logging.LogRecord) -> dict[str, Value]:
    return {
        clean(key, MAX_VALUE_CHARACTERS): MASK if key.lower() in SECRET_NAMES and value else _plain(value)
        for key, value in vars(record).items()
        if key not in _STANDARD
    }


def _plain(value: object) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return clean(text, MAX_VALUE_CHARACTERS)


def _quoted(value: Value) -> str:
    text = "-" if value is None else str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(mark in text for mark in ' "=') else text


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info and not record.exc_text and not record.stack_info:
        return []
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    # split("\n"), not splitlines(): the latter also splits at what a hostile text may contain.
    lines = "\n".join(filter(None, (record.exc_text, record.stack_info))).split("\n")
    return [clean(line, MAX_VALUE_CHARACTERS) for line in lines[-MAX_TRACEBACK_LINES:]]
