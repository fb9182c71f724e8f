"""Rate limits, exact: in no stretch of `seconds`, wherever it starts, does a key get more than `limit`.

A key's history is the moments of its last takes, at most the largest limit of them. The clock is the caller's and
must not run backwards (monotonic seconds). What counts here counts in this process: stores/rates.py says where it may
be counted for several.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` takes in any `seconds`."""

    limit: int
    seconds: float

    def __post_init__(self) -> None:
        if self.limit < 1 or self.seconds <= 0:
            raise ValueError("a window allows at least one take in a positive time")


@dataclass(frozen=True, slots=True)
class Limit:
    """What is counted under one name, for each key apart.

    Attributes:
        windows: all must allow.
        max_keys: how many keys are remembered; beyond, the one not heard of for longest is forgotten. Choose it so
            large that forgetting costs an attacker more addresses than waiting would.
    """

    name: str
    windows: tuple[Window, ...]
    max_keys: int

    def __post_init__(self) -> None:
        if not self.windows or self.max_keys < 1:
            raise ValueError("a limit needs a window and room for a key")


@dataclass(frozen=True, slots=True)
class Take:
    """One of several counts that an attempt has to pass.

    Attributes:
        counts: whether the attempt is counted here if it may be made; else this is only looked at.
        instead: where this count is full, this one decides; both are counted then.
    """

    limit: Limit
    key: str
    counts: bool = True
    instead: "Take | None" = None


class KeyedLimiter:
    """Several windows at once, for each key apart.

    Args:
        limits: all must allow.
        max_keys: how many keys are remembered; beyond, the one not heard of for longest is forgotten. Choose it so
            large that forgetting costs an attacker more addresses than waiting would.
    """

    def __init__(self, limits: Sequence[Window], max_keys: int) -> None:
        if not limits or max_keys < 1:
            raise ValueError("a limiter needs a window and room for a key")
        self._limits = tuple(limits)
        self._depth = max(window.limit for window in limits)
        self._max_keys = max_keys
        self._takes: OrderedDict[str, list[float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._takes)

    def wait_seconds(self, key: str, now: float) -> float:
        """How long until the key may take again, 0.0 for now; counts nothing."""
        takes = self._takes.get(key)
        if takes is None:
            return 0.0
        return max(
            (
                takes[-window.limit] + window.seconds - now
                for window in self._limits
                if len(takes) >= window.limit and takes[-window.limit] + window.seconds > now
            ),
            default=0.0,
        )

    def take(self, key: str, now: float) -> float:
        """Takes one if it may: 0.0. Else counts nothing and says how many seconds to wait."""
        wait = self.wait_seconds(key, now)
        if wait == 0.0:
            self.charge(key, now)
        return wait

    def charge(self, key: str, now: float) -> None:
        """Counts one whether or not it may: for what is only known afterwards, such as a failed attempt."""
        takes = self._takes.get(key)
        if takes is None:
            takes = self._takes[key] = []
            if len(self._takes) > self._max_keys:
                self._takes.popitem(last=False)
        else:
            self._takes.move_to_end(key)
        if len(takes) == self._depth:
            del takes[0]
        takes.append(now)

    def forget(self, key: str) -> None:
        """Starts the key afresh."""
        self._takes.pop(key, None)


def address_key(address: str) -> str:
    """The key under which an address is limited: an IPv4 address itself, the /64 of an IPv6 one.

    Whoever has one IPv6 address has its /64; a limit per address would limit nobody. Text that is no address is its
    own key.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.IPv6Network((ip, 64), strict=False))
    return str(ip)
