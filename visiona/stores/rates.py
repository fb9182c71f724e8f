"""Counts of what may be done only so often: in this process, or in a store that several share.

A limit guards others than whom it limits, so it never fails for an outage: what counts is then this process alone.
"""

from typing import Protocol

from visiona.domain.rates import Limit, Take


class RateStore(Protocol):
    """Counts. No call fails."""

    async def take(self, *takes: Take) -> float:
        """Counts one attempt everywhere if all allow it: 0.0. Else counts nothing and says how many seconds to wait.

        As one deed: of a hundred attempts at once no more pass than of a hundred one after the other.
        """
        ...

    async def charge(self, limit: Limit, key: str) -> None:
        """Counts one whether or not it may: for what is only known afterwards, such as a failed attempt."""
        ...

    async def forget(self, limit: Limit, key: str) -> None:
        """Starts the key afresh."""
        ...
