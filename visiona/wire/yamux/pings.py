"""Our pings that wait for an answer, and the round-trip time that answers show."""

from typing import Final

MOST_WAITING: Final = 8
"""A peer that answered none of so many is as good as gone; older ones are not waited for."""

MOST_SAMPLES: Final = 16


class Pings:
    """What was asked when, and the best round trip of the last answers.

    The best and not the mean: answers queue behind the peer's own bulk data, and a window that grows because of the
    queue that it caused would grow for ever.
    """

    __slots__ = ("_next", "_samples", "_sent_at", "rtt_seconds")

    def __init__(self) -> None:
        self._next = 0
        self._sent_at: dict[int, float] = {}
        # A list: an empty deque takes 760 bytes, and there is one of these for each idle tunnel.
        self._samples: list[float] = []
        self.rtt_seconds: float | None = None

    def sent(self, now: float) -> int:
        """The opaque value for a ping that leaves now."""
        opaque = self._next
        self._next = opaque + 1 & 0xFFFFFFFF
        if len(self._sent_at) >= MOST_WAITING:
            del self._sent_at[next(iter(self._sent_at))]
        self._sent_at[opaque] = now
        return opaque

    def acked(self, opaque: int, now: float) -> float | None:
        """The round trip of this ping, or None when no such ping waits."""
        sent_at = self._sent_at.pop(opaque, None)
        if sent_at is None:
            return None
        rtt_seconds = max(0.0, now - sent_at)
        if len(self._samples) == MOST_SAMPLES:
            del self._samples[0]
        self._samples.append(rtt_seconds)
        self.rtt_seconds = min(self._samples)
        return rtt_seconds
