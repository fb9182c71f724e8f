"""How often somebody may try a password.

Four counts, and each attempt passes all of them:

- an address: bounds who tries one password on many accounts;
- a network (web/networks.py): the same for who has a whole /48 of IPv6 to try it from;
- an account from one address: bounds who tries many passwords on one account;
- an account from everywhere: bounds a guess that is spread over many addresses. It must not shut the person out whose
  account it is, so where it is reached, a network is not refused but gets two attempts an hour instead of twenty.

An IPv6 address counts as its /64. Attempts are counted before they are made, so a hundred at once gain nothing; a
right password forgets what was counted for that account from that address. With Redis, all servers on it count together.
"""

import math

from visiona.domain.errors import TooMany
from visiona.domain.rates import Limit, Take, Window, address_key
from visiona.stores.rates import RateStore
from visiona.web.networks import network_key

MAX_KEYS = 20_000
"""Remembered at most, of each kind."""

ADDRESS_ATTEMPTS = Limit("sign_in_address", (Window(30, 60.0), Window(300, 3600.0)), MAX_KEYS)
"""Right ones included: a company behind one address signs in at nine o'clock."""

NETWORK_ATTEMPTS = Limit("sign_in_network", (Window(120, 60.0), Window(1200, 3600.0)), MAX_KEYS)
"""Four addresses' worth; IPv4's own limit is stricter."""

PAIR_ATTEMPTS = Limit("sign_in_pair", (Window(5, 60.0), Window(20, 3600.0)), MAX_KEYS)
ACCOUNT_ATTEMPTS = Limit("sign_in_account", (Window(50, 3600.0),), MAX_KEYS)
CROWDED_PAIR_ATTEMPTS = Limit("sign_in_crowded_pair", (Window(2, 3600.0),), MAX_KEYS)


class SignInLimits:
    """The four counts.

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
        source, network = address_key(address), network_key(address)
        crowded = Take(CROWDED_PAIR_ATTEMPTS, _pair(account, network))
        wait = await self._rates.take(
            Take(ADDRESS_ATTEMPTS, source),
            Take(NETWORK_ATTEMPTS, network),
            Take(PAIR_ATTEMPTS, _pair(account, source)),
            Take(ACCOUNT_ATTEMPTS, account, instead=crowded),
        )
        if wait > 0.0:
            seconds = math.ceil(wait)
            raise TooMany(f"too many attempts; wait {seconds} seconds", retry_after_seconds=seconds)

    async def succeeded(self, account: str, address: str) -> None:
        """The password was right: this account, from this address, starts afresh."""
        await self._rates.forget(PAIR_ATTEMPTS, _pair(account, address_key(address)))
        await self._rates.forget(CROWDED_PAIR_ATTEMPTS, _pair(account, network_key(address)))


def _pair(account: str, key: str) -> str:
    return f"{key} {account}"
