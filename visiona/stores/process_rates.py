"""Counts of what may be done only so often, in this process alone; they start afresh with it."""

from collections.abc import Callable

import trio

from visiona.domain.rates import KeyedLimiter, Limit, Take


class ProcessRates:
    """See rates.RateStore.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._limiters: dict[str, KeyedLimiter] = {}

    async def take(self, *takes: Take) -> float:
        """See rates.RateStore.take."""
        await trio.lowlevel.checkpoint()
        wait = self.wait_seconds(*takes)
        if wait == 0.0:
            self.count(*takes)
        return wait

    async def charge(self, limit: Limit, key: str) -> None:
        """See rates.RateStore.charge."""
        await trio.lowlevel.checkpoint()
        self._limiter(limit).charge(key, self._clock())

    async def forget(self, limit: Limit, key: str) -> None:
        """See rates.RateStore.forget."""
        await trio.lowlevel.checkpoint()
        self._limiter(limit).forget(key)

    def wait_seconds(self, *takes: Take) -> float:
        """How long until all allow it; counts nothing."""
        return max((self._wait(take) for take in takes), default=0.0)

    def count(self, *takes: Take) -> None:
        """Counts the attempt, allowed or not."""
        for take in takes:
            is_full = self._limiter(take.limit).wait_seconds(take.key, self._clock()) > 0.0
            if take.counts:
                self._limiter(take.limit).charge(take.key, self._clock())
            if take.instead is not None and is_full:
                self.count(take.instead)

    def keys(self, limit: Limit) -> int:
        """How many are remembered."""
        return len(self._limiter(limit))

    def _wait(self, take: Take) -> float:
        wait = self._limiter(take.limit).wait_seconds(take.key, self._clock())
        return self._wait(take.instead) if wait > 0.0 and take.instead is not None else wait

    def _limiter(self, limit: Limit) -> KeyedLimiter:
        if limit.name not in self._limiters:
            self._limiters[limit.name] = KeyedLimiter(limit.windows, limit.max_keys)
        return self._limiters[limit.name]
