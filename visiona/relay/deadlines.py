"""Deadlines of everything in flight, watched by one task.

A cancel scope per request costs more than the rest of the request's bookkeeping (docs/performance.md), and nothing
here needs more precision than half a second. So whatever has a deadline notes *when it last moved* on the sweeper's
own clock, and the sweeper asks it twice a second whether that was too long ago.

The sweeper's clock stands still while this process does: a stall of ours is never charged to a peer.
"""

from dataclasses import dataclass, fields
from typing import Protocol

import trio

TICK_SECONDS = 0.5
"""How often everything is looked at. A client that left must be noticed within a second."""

MAX_STEP_SECONDS = 2 * TICK_SECONDS
"""The most the clock moves in one tick; what a tick was late beyond that was our own stall."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one exchange with a device may take, piece by piece.

    Attributes:
        answer_head_seconds: from the last byte of a GET, HEAD or OPTIONS to the head of its answer.
        slow_answer_head_seconds: the same for the methods that do something. Connecting a KL520 accelerator takes
            up to 106 s on some hosts.
        idle_seconds: between two pieces of an answer, or two moments at which the device takes more of an upload.
        pipe_idle_seconds: a WebSocket over which nobody says anything. The tunnel's own keepalive and TCP's prove
            that both ends are there, so this only ends what was forgotten.
        linger_seconds: for the device's end of stream after its answer was whole; then the stream is reset.
        client_stall_seconds: a client that takes none of its answer, or sends none of the body it announced.
    """

    answer_head_seconds: float = 60.0
    slow_answer_head_seconds: float = 300.0
    idle_seconds: float = 120.0
    pipe_idle_seconds: float = 3600.0
    linger_seconds: float = 5.0
    client_stall_seconds: float = 60.0

    def check(self) -> list[str]:
        """Every fault of the values."""
        return [
            f"{field.name} must be more than 0" for field in fields(self) if getattr(self, field.name) <= 0
        ]


class Watched(Protocol):
    """Something that may wait too long for somebody else."""

    def check_deadlines(self, now: float) -> None:
        """Acts on whatever is overdue. Must neither block nor raise, and may forget itself."""


class Sweeper:
    """The clock and the watcher of everything in flight.

    Attributes:
        now: seconds on the sweeper's clock, moved twice a second; good for deadlines, not for measuring.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._watched: dict[Watched, None] = {}

    def watch(self, item: Watched) -> None:
        """Starts asking the item; once is enough."""
        self._watched[item] = None

    def forget(self, item: Watched) -> None:
        """Stops asking; harmless when nobody did."""
        self._watched.pop(item, None)

    @property
    def watched_count(self) -> int:
        """How many items have deadlines now."""
        return len(self._watched)

    def tick(self, elapsed_seconds: float) -> None:
        """Moves the clock and asks everybody."""
        self.now += min(elapsed_seconds, MAX_STEP_SECONDS)
        for item in list(self._watched):
            # An earlier item of this round may have ended this one.
            if item in self._watched:
                item.check_deadlines(self.now)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Ticks until cancelled."""
        task_status.started()
        before = trio.current_time()
        while True:
            await trio.sleep(TICK_SECONDS)
            now = trio.current_time()
            self.tick(now - before)
            before = now
