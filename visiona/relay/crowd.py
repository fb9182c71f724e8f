"""How many connections that have not shown a good token there may be, of one address and of everybody.

Counting happens before the first byte is read, so that two thousand sockets that say nothing cost two thousand
closes and not two thousand tasks (T-01). The counts hold only what is connected now.
"""

from visiona.domain.rates import address_key


class Crowd:
    """The newcomers of this moment."""

    def __init__(self, per_address: int, total: int) -> None:
        self._per_address = per_address
        self._total = total
        self._count = 0
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str, *, limited: bool = True) -> bool:
        """Counts a newcomer; False if there are too many already and it must go.

        `limited` is false for a proxy of our own, behind whose address everybody is.
        """
        key = address_key(address)
        here = self._of.get(key, 0)
        if self._count >= self._total or (limited and here >= self._per_address):
            return False
        self._of[key] = here + 1
        self._count += 1
        return True

    def leave(self, address: str) -> None:
        """The newcomer went, or is none any more."""
        key = address_key(address)
        here = self._of[key] - 1
        self._count -= 1
        if here:
            self._of[key] = here
        else:
            del self._of[key]
