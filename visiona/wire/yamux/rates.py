"""Counting events in fixed windows of time; the clock is the caller's."""


class Rate:
    """At most `limit` events in each window of `seconds`, beginning with the first one."""

    __slots__ = ("_began_at", "_count", "_limit", "_seconds")

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._began_at = float("-inf")
        self._count = 0

    def exceeded(self, now: float, count: int = 1) -> bool:
        """Counts `count` events at this moment; whether that is more than the limit allows."""
        if now - self._began_at >= self._seconds:
            self._began_at = now
            self._count = 0
        self._count += count
        return self._count > self._limit
