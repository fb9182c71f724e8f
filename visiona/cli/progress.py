"""How far something long has come, and how long it may yet take, on stderr: a bar, or a line now and then."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR_SECONDS = 0.1
LINE_SECONDS = 5.0
"""In a journal or a mail of cron's: enough to see that it lives."""

ESTIMATE_SECONDS = 2.0
"""Before that nobody knows how quick it is."""

ROW_WORTH_BYTES = 4096
"""What of a file takes as long as a row: some ten microseconds."""

_BAR_WIDTH = 30
_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


class RowProgress:
    """Shows how many rows, or others, passed, and how many bytes beside them. Short work is over before it says anything.

    Args:
        what: is done with them.
        stream: where to write; stderr unless a test says otherwise.
        clock: seconds.
        unit: of what passes.
    """

    def __init__(
        self,
        what: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "rows",
    ) -> None:
        self._what = what
        self._unit = unit
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._is_terminal = self._stream.isatty()
        self._seconds = BAR_SECONDS if self._is_terminal else LINE_SECONDS
        self._total = self._total_bytes = 0
        self._passed = self._passed_bytes = 0
        self._shown_width = 0
        self._began_at = 0.0
        self._next_at = float("inf")

    def begin(self, total_rows: int, total_bytes: int = 0) -> None:
        """So many rows and bytes will pass."""
        self._total, self._total_bytes = total_rows, total_bytes
        self._began_at = self._clock()
        self._next_at = self._began_at + self._seconds

    def step(self, rows: int) -> None:
        """So many rows more have passed."""
        self._passed += rows
        self._show_now_and_then()

    def pass_bytes(self, count: int) -> None:
        """So many bytes more have passed."""
        self._passed_bytes += count
        self._show_now_and_then()

    def end(self) -> None:
        """Leaves the bar behind as it is, on a line of its own."""
        if self._shown_width:
            self._stream.write("\n")
            self._stream.flush()

    def _show_now_and_then(self) -> None:
        is_last = (self._passed, self._passed_bytes) == (self._total, self._total_bytes)
        if (is_last and self._shown_width) or self._clock() >= self._next_at:
            self._show()
            self._next_at = self._clock() + self._seconds

    def _show(self) -> None:
        total = self._total * ROW_WORTH_BYTES + self._total_bytes
        passed = self._passed * ROW_WORTH_BYTES + self._passed_bytes
        share = min(1.0, passed / total) if total else 1.0
        numbers = ", ".join([*self._counts(), f"{share:.0%}", *self._estimate(share)])
        if self._is_terminal:
            room = shutil.get_terminal_size().columns - len(self._what) - len(numbers) - 6
            width = max(5, min(_BAR_WIDTH, room))
            line = f"{self._what}  {'█' * round(share * width):░<{width}}  {numbers} "
            self._stream.write(f"\r{line:<{self._shown_width}}")
            self._shown_width = len(line)
        else:
            self._stream.write(f"visiona: {self._what}: {numbers}\n")
        self._stream.flush()

    def _counts(self) -> list[str]:
        counts = [f"{self._passed:,} of {self._total:,} {self._unit}"] if self._total else []
        if self._total_bytes:
            unit, size = next((each for each in _UNITS if self._total_bytes >= each[1]), ("bytes", 1))
            digits = 0 if size == 1 else 1
            counts.append(
                f"{self._passed_bytes / size:.{digits}f} of {self._total_bytes / size:.{digits}f} {unit}"
            )
        return counts

    def _estimate(self, share: float) -> list[str]:
        elapsed = self._clock() - self._began_at
        if not 0 < share < 1 or elapsed < ESTIMATE_SECONDS:
            return []
        return [f"{_spoken(elapsed * (1 - share) / share)} left"]


def _spoken(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
