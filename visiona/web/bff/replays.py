"""Logout tokens that were seen: each is good once (A-11). Only tokens that the provider signed come here."""

from collections import OrderedDict

MAX_REMEMBERED = 10_000
"""Of the last minutes; beyond it the oldest is forgotten, and repeating that one ends what has ended already."""


class Replays:
    """Ids of tokens until they expire. Kept in the process: after a restart, ending a session twice is harmless."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, float] = OrderedDict()

    def is_known(self, jti: str) -> bool:
        """Whether this one was obeyed already."""
        return jti in self._seen

    def remember(self, jti: str, expires_at: float, now: float) -> None:
        """Notes that it was obeyed: afterwards, for a provider tries again what failed. Seconds since 1970."""
        while self._seen and (len(self._seen) >= MAX_REMEMBERED or next(iter(self._seen.values())) < now):
            self._seen.popitem(last=False)
        self._seen[jti] = expires_at
