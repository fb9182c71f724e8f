"""One task that minds all tunnels: pings, deadlines, and what a standstill of this process must not cost.

A tunnel is dead when nothing was heard of it for `dead_seconds`, but time in which this process itself stood still
(a collection, a slow disk, a busy neighbour) is taken off: nobody could be heard then. How long it stood still is how
late this task was woken.
"""

import math
from typing import Protocol

import trio

BEAT_SECONDS = 0.5
"""How exact the deadlines are. A beat over 5,000 tunnels costs about a millisecond."""

STALL_SECONDS = 1.0
"""Woken later than this, the process stood still; less is an ordinary busy moment."""

LOSING_STALL_SECONDS = 8.0
"""A standstill after which agents may have given up by themselves: their patience for a ping is 10 s."""

AFTERMATH_SECONDS = 10.0
"""How long after such a standstill a connection that ends is its victim."""


class Minded(Protocol):
    """What is minded; `session.Tunnel` is."""

    def sweep(self, now: float) -> None:
        """Does what is due."""
        ...

    def forgive(self, seconds: float) -> None:
        """Takes time off that was this process's fault."""
        ...


class Pinger:
    """Minds tunnels. Watching and forgetting is one dictionary operation each."""

    def __init__(self) -> None:
        self._tunnels: dict[Minded, None] = {}
        self._due = math.inf
        self._stalled_at = -math.inf
        self.longest_stall_seconds = 0.0

    def __len__(self) -> int:
        return len(self._tunnels)

    def watch(self, tunnel: Minded) -> None:
        """Minds the tunnel from the next beat on."""
        self._tunnels[tunnel] = None

    def forget(self, tunnel: Minded) -> None:
        """The tunnel is over; harmless when it was not watched."""
        self._tunnels.pop(tunnel, None)

    def stalled_recently(self, now: float) -> bool:
        """Whether this process stood still, just now or a short while ago, for as long as agents do not wait."""
        return now - self._due > LOSING_STALL_SECONDS or now - self._stalled_at < AFTERMATH_SECONDS

    def beat(self, now: float) -> None:
        """One round; `now` is the loop's clock."""
        late = now - self._due
        if late > STALL_SECONDS:
            self._forgive(late, now)
        self._due = now + BEAT_SECONDS
        for tunnel in list(self._tunnels):
            tunnel.sweep(now)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beats until cancelled."""
        self._due = trio.current_time() + BEAT_SECONDS
        task_status.started()
        while True:
            await trio.sleep_until(self._due)
            self.beat(trio.current_time())

    def _forgive(self, late: float, now: float) -> None:
        self.longest_stall_seconds = max(self.longest_stall_seconds, late)
        if late > LOSING_STALL_SECONDS:
            self._stalled_at = now
        for tunnel in self._tunnels:
            tunnel.forgive(late)
