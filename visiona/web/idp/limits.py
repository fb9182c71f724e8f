"""How often somebody may try a password.

Three counts, and each attempt passes all of them:

- an address: bounds who tries one password on many accounts;
- an account from one address: bounds who tries many passwords on one account;
- an account from everywhere: bounds a guess that is spread over many addresses. It must not shut the person out whose
  account it is, so where it is reached, an address is not refused but gets two attempts an hour instead of twenty.

An IPv6 address counts as its /64. Attempts are counted before they are made, so a hundred at once gain nothing; a
right password forgets what was counted for that account from that address.
"""

import math
from collections.abc import Callable

from visiona.domain.errors import TooMany
from visiona.domain.rates import KeyedLimiter, Window, address_key

ADDRESS_ATTEMPTS = (Window(30, 60.0), Window(300, 3600.0))
"""Right ones included: a company behind one address signs in at nine o'clock."""

PAIR_ATTEMPTS = (Window(5, 60.0), Window(20, 3600.0))
ACCOUNT_ATTEMPTS = (Window(50, 3600.0),)
CROWDED_PAIR_ATTEMPTS = (Window(2, 3600.0),)

MAX_KEYS = 20_000
"""Remembered at most, of each kind."""


class SignInLimits:
    """The counts of this process.

    Args:
        clock: monotonic seconds.
        enabled: False lets everything pass (load tests).
    """

    def __init__(self, clock: Callable[[], float], *, enabled: bool = True) -> None:
        self._clock = clock
        self._enabled = enabled
        self._addresses = KeyedLimiter(ADDRESS_ATTEMPTS, MAX_KEYS)
        self._pairs = KeyedLimiter(PAIR_ATTEMPTS, MAX_KEYS)
        self._accounts = KeyedLimiter(ACCOUNT_ATTEMPTS, MAX_KEYS)
        self._crowded_pairs = KeyedLimiter(CROWDED_PAIR_ATTEMPTS, MAX_KEYS)

    def attempt(self, account: str, address: str) -> None:
        """Counts one attempt; raises TooMany, with the seconds to wait, where it may not be made."""
        if not self._enabled:
            return
        now = self._clock()
        network, pair = address_key(address), _pair(account, address)
        wait = self._addresses.wait_seconds(network, now) or self._pairs.wait_seconds(pair, now)
        is_crowded = self._accounts.wait_seconds(account, now) > 0.0
        if not wait and is_crowded:
            wait = self._crowded_pairs.wait_seconds(pair, now)
        if wait:
            seconds = math.ceil(wait)
            raise TooMany(f"too many attempts; wait {seconds} seconds", retry_after_seconds=seconds)
        self._addresses.charge(network, now)
        self._pairs.charge(pair, now)
        self._accounts.charge(account, now)
        if is_crowded:
            self._crowded_pairs.charge(pair, now)

    def succeeded(self, account: str, address: str) -> None:
        """The password was right: this account, from this address, starts afresh."""
        self._pairs.forget(_pair(account, address))
        self._crowded_pairs.forget(_pair(account, address))


def _pair(account: str, address: str) -> str:
    return f"{address_key(address)} {account}"
