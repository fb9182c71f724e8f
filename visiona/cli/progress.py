"""How far something long has come, on stderr: a bar in a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR_SECONDS = 0.1
LINE_SECONDS = 5.0
"""In a journal or a mail of cron's: enough to see that it lives."""

_BAR_WIDTH = 30


class RowProgress:
    """Shows how many rows, or others, passed. Short work is over before it says anything.

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
        self._total = 0
        self._passed = 0
        self._has_bar = False
        self._next_at = float("inf")

    def begin(self, total_rows: int) -> None:
        """So many rows will pass."""
        self._total = total_rows
        self._next_at = self._clock() + self._seconds

    def step(self, rows: int) -> None:
        """So many more have passed."""
        self._passed += rows
        is_last = self._has_bar and self._passed == self._total
        if is_last or self._clock() >= self._next_at:
            self._show()
            self._next_at = self._clock() + self._seconds

    def end(self) -> None:
        """Leaves the bar behind as it is, on a line of its own."""
        if self._has_bar:
            self._stream.write("\n")
            self._stream.flush()

    def _show(self) -> None:
        share = self._passed / self._total if self._total else 1.0
        numbers = f"{self._passed:,} of {self._total:,} {self._unit}, {share:.0%}"
        if self._is_terminal:
            bar = "█" * round(share * _BAR_WIDTH)
            self._stream.write(f"\r{self._what}  {bar:░<{_BAR_WIDTH}}  {numbers} ")
            self._has_bar = True
        else:
            self._stream.write(f"visiona: {self._what}: {numbers}\n")
        self._stream.flush()
