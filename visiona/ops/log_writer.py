"""Log lines leave here: a bounded queue and one thread that writes, so that no log call ever waits for the disk.

A slow or dead reader of stderr (S-08) costs lines, never time: what does not fit is counted, and the count is
written when there is room again. Lines wait a moment in the queue so that a burst leaves in one write.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO

MAX_QUEUED_LINES = 10_000
"""About two seconds of access lines under full load; a few megabytes at worst."""

GATHER_SECONDS = 0.02
"""How long the thread lets lines gather after it woke: one write and one thread switch for all of them."""


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """Lines since the start: written, dropped because the queue was full, lost because the output failed."""

    written: int
    dropped: int
    failed: int
    queued: int


class LineWriter:
    """Writes lines to a binary output from a thread of its own.

    Resource handling: `close()` writes what is queued within its deadline and ends the thread; the output stays open.
    The thread is a daemon, so a reader of stderr that never reads cannot keep the process alive.
    """

    def __init__(self, output: BinaryIO | None, *, max_lines: int = MAX_QUEUED_LINES) -> None:
        self._output = output
        self._max_lines = max_lines
        self._lines: deque[str] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._written = self._dropped = self._failed = 0
        self._dropped_unsaid = 0
        self._thread = threading.Thread(target=self._run, name="visiona-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queues one line; never waits and never raises. Any thread may call it."""
        if len(self._lines) >= self._max_lines:
            self._dropped += 1
            self._dropped_unsaid += 1
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, timeout_seconds: float = 2.0) -> None:
        """Writes what is queued and ends; gives up after the timeout. Harmless when called twice."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_seconds)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def statistics(self) -> WriterStatistics:
        """Counts so far."""
        return WriterStatistics(self._written, self._dropped, self._failed, len(self._lines))

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._closing.wait(GATHER_SECONDS)
            self._wake.clear()
            self._write_queued()
            if self._closing.is_set() and not self._lines:
                return

    def _write_queued(self) -> None:
        batch: list[str] = []
        while self._lines and len(batch) < self._max_lines:
            batch.append(self._lines.popleft())
        if self._dropped_unsaid:
            batch.append(f"{self._dropped_unsaid} log lines were dropped: whoever reads them is too slow")
            self._dropped_unsaid = 0
        if not batch:
            return
        try:
            if self._output is not None:
                self._output.write(("\n".join(batch) + "\n").encode("utf-8", "backslashreplace"))
                self._output.flush()
            self._written += len(batch)
        except (OSError, ValueError):
            # A closed pipe or a full disk: there is nobody left to tell, save the metrics.
            self._failed += len(batch)
