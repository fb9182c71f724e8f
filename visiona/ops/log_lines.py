"""A log record as one line of text: for a person (`console`) or for a program (`json`).

Knows nothing about where lines go. Extras given to a logging call are printed as key=value, or as members of the
JSON object. Everything passes through ops/scrub.py, so nothing an agent says can forge a line or colour a terminal.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from visiona.ops.scrub import MASK, SECRET_NAMES, clean, is_harmless

MAX_MESSAGE_CHARACTERS = 8192
MAX_VALUE_CHARACTERS = 2048
MAX_TRACEBACK_LINES = 200
"""Bounds for one record: a peer's text must not fill the disk, a recursion's traceback neither (its end is kept)."""

Line = Callable[[logging.LogRecord], str]

_PLAIN = vars(logging.makeLogRecord({"levelno": logging.INFO, "levelname": "INFO"}))
_STANDARD = frozenset(_PLAIN) | {"message", "asctime", "taskName", "plain_extras"}
_JSON_OWN = frozenset({"time", "level", "logger", "message", "traceback"})
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
Value = str | int | float | bool | None


class PlainRecord(logging.LogRecord):
    """A record at INFO for lines that are many: its making and its line cost a third of what others' do.

    Nobody looks around for who calls, and the names of the extras are taken for what they are: not those of secrets.
    Their values are looked at as all others.
    """

    def __init__(self, name: str, message: str, extras: Mapping[str, str | int | float]) -> None:
        # Not the inherited one: it reads the process and the path, for fields that no line of ours shows. They are
        # there all the same, because other handlers (a debugger's, a test's) take the record's fields as a dict.
        self.__dict__.update(_PLAIN)
        self.__dict__.update(extras)
        self.name = name
        self.msg = message
        self.created = time.time()
        self.plain_extras = extras


def console_line(record: logging.LogRecord) -> str:
    """`2026-01-02T03:04:05.678Z INFO    relay.listener: tunnel up device_id=…`, then the traceback, indented."""
    line = _plain_console(record) if isinstance(record, PlainRecord) else None
    if line is None:
        line = _console(record, record.getMessage(), _extras(record))
    if _is_fit(line, record):
        return line
    extras = {_clean(key): _cleaned(value) for key, value in _extras(record).items()}
    line = _console(record, clean(record.getMessage(), MAX_MESSAGE_CHARACTERS), extras)
    return "\n    | ".join([line, *_traceback(record)])


def json_line(record: logging.LogRecord) -> str:
    """One JSON object; the extras are members of it, under `extra_…` where they would hide one of ours."""
    line = _encode(_entry(record, record.getMessage(), _extras(record)))
    if _is_fit(line, record):
        return line
    extras = {_clean(key): _cleaned(value) for key, value in _extras(record).items()}
    entry = _entry(record, clean(record.getMessage(), MAX_MESSAGE_CHARACTERS), extras)
    if traceback := _traceback(record):
        entry["traceback"] = traceback
    return _encode(entry)


LINES: Mapping[str, Line] = {"console": console_line, "json": json_line}


def _is_fit(line: str, record: logging.LogRecord) -> bool:
    """Whether a line made without a closer look may stay. Short: then no part of it is longer than its own limit."""
    has_traceback = record.exc_info or record.exc_text or record.stack_info
    return not has_traceback and len(line) <= MAX_VALUE_CHARACTERS and is_harmless(line)


def _console(record: logging.LogRecord, message: str, extras: Mapping[str, object]) -> str:
    words = [
        _time(record.created),
        f"{record.levelname:<7}",
        record.name.removeprefix("visiona.") + ":",
        message,
    ]
    words.extend([f"{key}={_quoted(value)}" for key, value in extras.items()])
    return " ".join(words)


def _plain_console(record: PlainRecord) -> str | None:
    """The line, if none of its values needs to be quoted, which is seen in all of them at once."""
    extras = record.plain_extras
    text = " ".join([f"{key}={value}" for key, value in extras.items()])
    count = len(extras)
    if (
        text.count("=") != count
        or text.count(" ") != count - 1
        or '"' in text
        or "= " in text
        or text[-1:] == "="
    ):
        return None
    return f"{_time(record.created)} INFO    {record.name.removeprefix('visiona.')}: {record.msg} {text}"


def _entry(record: logging.LogRecord, message: str, extras: Mapping[str, object]) -> dict[str, object]:
    entry: dict[str, object] = {
        "time": _time(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": message,
    }
    for key, value in extras.items():
        entry[f"extra_{key}" if key in _JSON_OWN else key] = value
    return entry


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _time(created: float) -> str:
    seconds = int(created)
    return f"{_second(seconds)}.{int((created - seconds) * 1000):03d}Z"


def _extras(record: logging.LogRecord) -> dict[str, object]:
    """What the call gave besides the message; what must not be seen whatever it is, masked."""
    if isinstance(record, PlainRecord):
        return dict(record.plain_extras)
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    for key in SECRET_NAMES.intersection(map(str.lower, extras)):
        extras.update({name: MASK for name in extras if name.lower() == key and extras[name]})
    return extras


def _clean(text: str) -> str:
    return clean(text, MAX_VALUE_CHARACTERS)


def _cleaned(value: object) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value))


def _quoted(value: object) -> str:
    text = "-" if value is None else str(value)
    if text and not (" " in text or "=" in text or '"' in text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info and not record.exc_text and not record.stack_info:
        return []
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    # split("\n"), not splitlines(): the latter also splits at what a hostile text may contain.
    lines = "\n".join(filter(None, (record.exc_text, record.stack_info))).split("\n")
    return [_clean(line) for line in lines[-MAX_TRACEBACK_LINES:]]
