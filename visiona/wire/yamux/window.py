"""Credit arithmetic of one stream, both directions, and the budgets that growth comes out of.

Nothing here knows frames or clocks: the caller passes the moment and the round-trip time. The receive side is

    size = credit + held + returnable

where `credit` is what the peer may still send, `held` what it announced or sent and the application did not consume,
and `returnable` what was consumed and not granted again. Rules: SPEC, windows.
"""

from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits

GROWTH_ROUND_TRIPS = 4.0
"""A window that is used up within this many round trips is what limits the peer; slower, and something else does."""


class Budget:
    """Receive credit that several streams, or several sessions, share. A child takes from its parent too."""

    __slots__ = ("_parent", "limit_bytes", "taken_bytes")

    def __init__(self, limit_bytes: int = 1 << 30, parent: "Budget | None" = None) -> None:
        self.limit_bytes = limit_bytes
        self.taken_bytes = 0
        self._parent = parent

    def take(self, count: int) -> bool:
        """Takes all of it, or nothing and says so."""
        if self.taken_bytes + count > self.limit_bytes:
            return False
        if self._parent is not None and not self._parent.take(count):
            return False
        self.taken_bytes += count
        return True

    def give(self, count: int) -> None:
        """Gives back what was taken."""
        assert 0 <= count <= self.taken_bytes, "more credit given back than was taken"
        self.taken_bytes -= count
        if self._parent is not None:
            self._parent.give(count)


class Terms:
    """What all windows of one session have in common."""

    __slots__ = ("budget", "initial_bytes", "most_bytes", "most_send_credit_bytes")

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self.budget = budget
        self.initial_bytes = limits.initial_window_bytes
        self.most_bytes = max(limits.max_window_bytes, limits.initial_window_bytes)
        self.most_send_credit_bytes = limits.max_send_credit_bytes


class Window:
    """What each side of one stream may still send."""

    __slots__ = ("_granted_at", "_terms", "credit", "held", "send_credit", "size")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._granted_at: float | None = None
        self.size = self.credit = terms.initial_bytes
        self.held = 0
        self.send_credit = INITIAL_WINDOW_BYTES

    def receive(self, count: int) -> bool:
        """The peer sends this much; False when it has no credit for it, and nothing is counted then."""
        if count > self.credit:
            return False
        self.credit -= count
        self.held += count
        return True

    def consume(self, count: int, now: float, rtt_seconds: float | None) -> int:
        """The application took this much. Returns the credit to grant now, most often 0.

        Credit goes back in pieces of at least half a window: an update for each read would double the frames.
        """
        held = self.held - count
        if held < 0 or count < 0:
            raise LocalProtocolError(f"{count} bytes consumed where {self.held} are held.")
        self.held = held
        returnable = self.size - self.credit - held
        if returnable << 1 < self.size:
            if self._granted_at is None:
                self._granted_at = now
            return 0
        return self._grant(returnable, now, rtt_seconds)

    def _grant(self, returnable: int, now: float, rtt_seconds: float | None) -> int:
        began, self._granted_at = self._granted_at, now
        if rtt_seconds is not None and began is not None:
            # `returnable` of `size` was used since the last grant: at that speed the whole window lasts so long.
            whole_seconds = (now - began) * self.size / returnable
            if whole_seconds < rtt_seconds * GROWTH_ROUND_TRIPS:
                returnable += self._grow()
        self.credit += returnable
        assert self.credit + self.held == self.size <= self._terms.most_bytes, (
            "a receive window out of balance"
        )
        return returnable

    def _grow(self) -> int:
        growth = min(self.size, self._terms.most_bytes - self.size)
        if not growth or not self._terms.budget.take(growth):
            return 0
        self.size += growth
        return growth

    def release(self) -> None:
        """The stream is over: what it had grown goes back to the budgets. May be repeated."""
        growth = self.size - self._terms.initial_bytes
        if growth:
            self.size = self._terms.initial_bytes
            self._terms.budget.give(growth)

    def spend(self, count: int) -> None:
        """This side queues so much to send."""
        assert 0 <= count <= self.send_credit, "more queued than the peer gave credit for"
        self.send_credit -= count

    def credited(self, count: int) -> bool:
        """The peer grants more; False when that is beyond what anybody may grant, and nothing is counted then."""
        if self.send_credit + count > self._terms.most_send_credit_bytes:
            return False
        self.send_credit += count
        return True
