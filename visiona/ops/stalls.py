"""Who blocked the event loop, and for how long.

A Trio instrument notes when the loop begins to run tasks and when it is back at waiting; the time between is how
late everybody else is. That is two clock reads a tick, not a task step: measured, a fifth of the price under load.
Who did it is answered by a thread that looks at the loop's stack while the stall lasts, so the answer is a line of
code, and it comes even when the stall never ends.
"""

import logging
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import trio

log = logging.getLogger(__name__)

LAG_BOUNDS_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

STALL_SECONDS = 0.1
"""From here a stall is logged: a camera picture is visibly late, and it is far from what any code here should take."""

QUIET_SECONDS = 10.0
"""At most one log line in this time; what was not said is counted in the next."""

STACK_LINES = 12


@dataclass(frozen=True, slots=True)
class StallStatistics:
    """Of all ticks so far.

    Attributes:
        counts: how many ticks took up to each of LAG_BOUNDS_SECONDS; one more at the end for longer ones.
        busy_seconds: time spent in ticks; against wall time, how busy the loop is.
        stalls: ticks of STALL_SECONDS or longer, and `stalled_seconds`, their time together.
    """

    counts: tuple[int, ...]
    busy_seconds: float
    stalls: int
    stalled_seconds: float
    worst_seconds: float


class StallWatch(trio.abc.Instrument):
    """The instrument. Its figures may be read at any time from the loop's thread."""

    def __init__(
        self, stall_seconds: float = STALL_SECONDS, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.stall_seconds = stall_seconds
        self.clock = clock
        self.busy_since: float | None = None
        self._counts = [0] * (len(LAG_BOUNDS_SECONDS) + 1)
        self._busy = self._stalled = self._worst = 0.0
        self._stalls = 0
        self._last_stall_ended: float | None = None

    def after_io_wait(self, timeout: float) -> None:
        """The loop starts to run tasks."""
        self.busy_since = self.clock()

    def before_io_wait(self, timeout: float) -> None:
        """The loop has run what was ready."""
        if self.busy_since is None:
            return
        now = self.clock()
        took = now - self.busy_since
        self.busy_since = None
        self._counts[bisect_left(LAG_BOUNDS_SECONDS, took)] += 1
        self._busy += took
        if took >= self.stall_seconds:
            self._stalls += 1
            self._stalled += took
            self._worst = max(self._worst, took)
            self._last_stall_ended = now

    def statistics(self) -> StallStatistics:
        """Counts so far."""
        return StallStatistics(tuple(self._counts), self._busy, self._stalls, self._stalled, self._worst)

    @property
    def stalled_seconds(self) -> float:
        """All stalls together so far. Its growth over a span is what a deadline over that span should forgive."""
        return self._stalled


class StallReporter:
    """The thread's view: asked again and again, it reports each stall once, with the line that blocks."""

    def __init__(self, watch: StallWatch, loop_thread: int) -> None:
        self._watch = watch
        self._loop_thread = loop_thread
        self._reported: float | None = None
        self._quiet_until = float("-inf")
        self._unsaid = 0

    def look(self) -> None:
        """Reports a stall that is going on, if it was not reported and others were not reported just now."""
        since = self._watch.busy_since
        now = self._watch.clock()
        if since is None or since == self._reported or now - since < self._watch.stall_seconds:
            return
        self._reported = since
        if now < self._quiet_until:
            self._unsaid += 1
            return
        self._quiet_until = now + QUIET_SECONDS
        stack = blocked_stack(sys._current_frames().get(self._loop_thread))
        log.warning(
            "the event loop is blocked",
            extra={
                "for_seconds": round(now - since, 3),
                "at": " < ".join(stack) or "unknown",
                "others": self._unsaid,
            },
        )
        self._unsaid = 0


@contextmanager
def watching_stalls(stall_seconds: float = STALL_SECONDS) -> Iterator[StallWatch]:
    """Watches the running Trio loop until the block is left. Call it from the loop's own thread."""
    watch = StallWatch(stall_seconds)
    reporter = StallReporter(watch, threading.get_ident())
    done = threading.Event()

    def keep_looking() -> None:
        while not done.wait(stall_seconds / 2):
            reporter.look()

    thread = threading.Thread(target=keep_looking, name="visiona-stalls", daemon=True)
    trio.lowlevel.add_instrument(watch)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        trio.lowlevel.remove_instrument(watch)
        # Not joined: it ends within half the threshold, and waiting for it here would itself be a stall.


def blocked_stack(frame: FrameType | None) -> list[str]:
    """The calls between the loop and the line that blocks, innermost first: `file.py:12 name`."""
    lines: list[str] = []
    while frame is not None and len(lines) < STACK_LINES:
        path = Path(frame.f_code.co_filename)
        if path.name == "_run.py" and path.parent.name == "_core":
            break
        lines.append(f"{path.parent.name}/{path.name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return lines
