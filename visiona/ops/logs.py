"""Sets up the standard library's logging for a process: format, level, masking, flood limits, one writer thread.

Code elsewhere just says `logging.getLogger(__name__).info("tunnel up", extra={"device_id": …})`. Nothing here is
imported by it. Lines are made by ops/log_lines.py and written by ops/log_writer.py.
"""

import atexit
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from visiona.ops.log_lines import LINES, Line
from visiona.ops.log_writer import LineWriter

LEVELS = ("debug", "info", "warning", "error")

ACCESS_LOGGER = "visiona.access"
"""The logger of access lines: one line a request is wanted, so the flood limit passes over it."""

FLOOD_LINES = 50
FLOOD_SECONDS = 10.0
"""The same message of the same logger at most 50 times in 10 s: enough to see a fault, too few to bury another."""

FLOOD_KEYS = 1000
"""Distinct messages remembered; the program has fewer, so a larger number means that text from outside is a format."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Section `[log]`.

    Attributes:
        level: debug, info, warning or error.
        format: `console` for people, `json` for programs.
    """

    level: str = "info"
    format: str = "console"

    def check(self) -> list[str]:
        """Every fault, one sentence each."""
        faults = []
        if self.level not in LEVELS:
            faults.append(f"level is {self.level!r}; use one of {', '.join(LEVELS)}")
        if self.format not in LINES:
            faults.append(f"format is {self.format!r}; use one of {', '.join(LINES)}")
        return faults


CHATTY = ("httpx", "httpcore", "hypercorn.access")
"""Libraries that write a line a request at INFO; what matters of it our own lines say."""

TELLTALE = ("hpack", "h2")
"""Libraries that at DEBUG write down every field of every request, packed as well, where no mask finds a secret."""


class FloodGate:
    """Counts equal messages in fixed spans of time. Not locked: a lost count under threads does no harm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, logger: str, message: str) -> int | None:
        """None if the message is one too many, else how many like it were held back just before."""
        now = self._clock()
        key = (logger, message)
        since, count = self._seen.get(key, (now, 0))
        held_back = 0
        if now - since >= FLOOD_SECONDS:
            held_back = max(0, count - FLOOD_LINES)
            since, count = now, 0
        elif key not in self._seen and len(self._seen) >= FLOOD_KEYS:
            self._seen.clear()
        self._seen[key] = (since, count + 1)
        return held_back if count < FLOOD_LINES else None


class LineHandler(logging.Handler):
    """Makes the line in the thread that logs (arguments may change later) and queues it."""

    def __init__(self, line: Line, writer: LineWriter, gate: FloodGate) -> None:
        super().__init__()
        self.writer = writer
        self._line = line
        self._gate = gate

    def emit(self, record: logging.LogRecord) -> None:
        """Queues the record's line; a record that cannot be formatted becomes a line that says so."""
        if record.name != ACCESS_LOGGER:
            held_back = self._gate.admit(record.name, str(record.msg))
            if held_back is None:
                return
            if held_back:
                record.held_back = held_back
        try:
            line = self._line(record)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # A wrong number of arguments, a broken __str__: a bug at the caller, which must not end the caller.
            line = f"a log record of {record.name} ({record.pathname}:{record.lineno}) has no text: {type(error).__name__}"
        self.writer.put(line)


def setup_logging(settings: LogSettings, output: BinaryIO | None = None) -> LineWriter:
    """Sends the process's logging to stderr (or `output`) as one line a record; replaces what was set up before.

    Warnings of the `warnings` module come along. The returned writer is closed at exit; its `statistics()` are for
    the metrics.
    """
    # Nothing of these is printed, and each costs a little for every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    writer = _writer_for(output, root)
    for old in list(root.handlers):
        # Exactly the standard handler: its subclasses belong to somebody (a test's capture, a debugger).
        if isinstance(old, LineHandler) or type(old) is logging.StreamHandler:
            root.removeHandler(old)
    root.addHandler(LineHandler(LINES[settings.format], writer, FloodGate()))
    root.setLevel(settings.level.upper())
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    for telltale in TELLTALE:
        logging.getLogger(telltale).setLevel(max(logging.INFO, root.level))
    logging.captureWarnings(capture=True)
    return writer


def _writer_for(output: BinaryIO | None, root: logging.Logger) -> LineWriter:
    """The writer that is there already where stderr is set up again (SIGHUP), so that nobody waits for its thread."""
    if output is None:
        for old in root.handlers:
            if isinstance(old, LineHandler) and not old.writer.is_closed:
                return old.writer
        output = getattr(sys.stderr, "buffer", None)
    writer = LineWriter(output)
    atexit.register(writer.close)
    return writer
