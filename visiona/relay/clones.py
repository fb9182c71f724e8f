"""Two installations that fight over one token: seen by how often they replace each other, and stopped.

A device that reconnects from where it was is no clone, however often it does. Two identities that take turns are:
after `replacements` of them in `window_seconds` the newest is refused for `hold_seconds`, and whoever holds the
tunnel then keeps it (T-43).
"""

from collections import OrderedDict, deque

MAX_DEVICES = 10_000
"""Devices watched at one time, those that were replaced last; each is a handful of moments."""


class CloneWatch:
    """Remembers who replaced whom. Moments are monotonic seconds."""

    def __init__(self, replacements: int, window_seconds: float, hold_seconds: float) -> None:
        self._replacements = replacements
        self._window_seconds = window_seconds
        self._hold_seconds = hold_seconds
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._held_until: dict[str, float] = {}

    def hold_seconds(self, device_id: str, now: float) -> float:
        """How long a newcomer of another identity has to wait; 0.0: it may come."""
        until = self._held_until.get(device_id)
        if until is None:
            return 0.0
        if until <= now:
            del self._held_until[device_id]
            return 0.0
        return until - now

    def note_replacement(self, device_id: str, now: float) -> bool:
        """One identity replaced another; True if that made it a fight, once per fight."""
        seen = self._seen.setdefault(device_id, deque(maxlen=self._replacements))
        self._seen.move_to_end(device_id)
        seen.append(now)
        if len(self._seen) > MAX_DEVICES:
            gone, _ = self._seen.popitem(last=False)
            self._held_until.pop(gone, None)
        if len(seen) < self._replacements or now - seen[0] > self._window_seconds:
            return False
        seen.clear()
        self._held_until[device_id] = now + self._hold_seconds
        return True


def same_installation(mine: str | None, my_address: str, theirs: str | None, their_address: str) -> bool:
    """Whether two connections come from one installation: by instance where both name one, else by address."""
    if mine is not None and theirs is not None:
        return mine == theirs
    return my_address == their_address
