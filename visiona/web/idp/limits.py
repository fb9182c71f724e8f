"""How often somebody may try a password.

Three counts, and each attempt passes all of them:

- an address: bounds who tries one password on many accounts;
- an account from one address: bounds who tries many passwords on one account;
- an account from everywhere: bounds a guess that is spread over many addresses. It must not shut the person out whose
  account it is, so where it is reached, an address is not refused but gets two attempts an hour instead of twenty.

An IPv6 address counts as its /64. Attempts are counted before they are made, so a hundred at once gain nothing; a
right password forgets what was counted for that account from that address. With Redis, all servers on it count together.
"""

import math

from visiona.domain.errors import TooMany
from visiona.domain.rates import Limit, Take, Window, address_key
from visiona.stores.rates import RateStore

MAX_KEYS = 20_000
"""Remembered at most, of each kind."""

ADDRESS_ATTEMPTS = Limit("sign_in_address", (Window(30, 60.0), Window(300, 3600.0)), MAX_KEYS)
"""Right ones included: a company behind one address signs in at nine o'clock."""

PAIR_ATTEMPTS = Limit("sign_in_pair", (Window(5, 60.0), Window(20, 3600.0)), MAX_KEYS)
ACCOUNT_ATTEMPTS = Limit("sign_in_account", (Window(50, 3600.0),), MAX_KEYS)
CROWDED_PAIR_ATTEMPTS = Limit("sign_in_crowded_pair", (Window(2, 3600.0),), MAX_KEYS)


class SignInLimits:
    """The three counts.

    Args:
        enabled: False lets everything pass (load tests).
    """

    def __init__(self, rates: RateStore, *, enabled: bool = True) -> None:
        self._rates = rates
        self._enabled = enabled

    async def attempt(self, account: str, address: str) -> None:
        """Counts one attempt; raises TooMany, with the seconds to wait, where it may not be made."""
        if not self._enabled:
            return
        pair = _pair(account, address)
        wait = await self._rates.take(
            Take(ADDRESS_ATTEMPTS, address_key(address)),
            Take(PAIR_ATTEMPTS, pair),
            Take(ACCOUNT_ATTEMPTS, account, instead=Take(CROWDED_PAIR_ATTEMPTS, pair)),
        )
        if wait > 0.0:
            seconds = math.ceil(wait)
            raise TooMany(f"too many attempts; wait {seconds} seconds", retry_after_seconds=seconds)

    async def succeeded(self, account: str, address: str) -> None:
        """The password was right: this account, from this address, starts afresh."""
        pair = _pair(account, address)
        await self._rates.forget(PAIR_ATTEMPTS, pair)
        await self._rates.forget(CROWDED_PAIR_ATTEMPTS, pair)


def _pair(account: str, address: str) -> str:
    return f"{address_key(address)} {account}"
