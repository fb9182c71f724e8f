"""How often an address may try what anybody may call.

Failures are counted, not successes: a workshop that pairs fifty units behind one address does nothing wrong, who
guesses tokens does. One limit counts every attempt of everybody, so that a distributed guess is bounded too. An IPv6
address counts as its /64, and who has a whole /48 is bounded too (networks.py). With Redis, all servers on it count together.
"""

import math

from visiona.domain.errors import TooMany
from visiona.domain.rates import Limit, Take, Window, address_key
from visiona.stores.rates import RateStore
from visiona.web.networks import network_key

MAX_ADDRESSES = 20_000
"""Remembered at most, about 0.5 KiB each; beyond it the one not heard of for longest is forgotten."""

EXCHANGE_FAILURES = Limit(
    "exchange_failures", (Window(1, 1.0), Window(5, 60.0), Window(20, 3600.0)), MAX_ADDRESSES
)
"""Per address: one failed exchange a second, five a minute, twenty an hour."""

NETWORK_EXCHANGE_FAILURES = Limit(
    "exchange_failures_network", (Window(4, 1.0), Window(20, 60.0), Window(80, 3600.0)), MAX_ADDRESSES
)
"""Per network: or one /48 of IPv6 could use up everybody's attempts."""

EXCHANGE_ATTEMPTS = Limit("exchange_attempts", (Window(20, 1.0),), 1)
"""Of everybody together."""

SIGN_IN_BEGINNINGS = Limit("sign_in_beginnings", (Window(30, 10.0), Window(100, 60.0)), MAX_ADDRESSES)
"""Per address: an office behind one of them signs in on Monday morning; a flood would push other people's attempts out
of the store, which holds a number of them (A-16)."""

NETWORK_SIGN_IN_BEGINNINGS = Limit(
    "sign_in_beginnings_network", (Window(120, 10.0), Window(400, 60.0)), MAX_ADDRESSES
)
"""Per network: four addresses' worth."""

_EVERYBODY = "everybody"


class _Limits:
    """What is taken, where anything is.

    Args:
        enabled: False lets everything pass (load tests).
    """

    def __init__(self, rates: RateStore, *, enabled: bool = True) -> None:
        self._rates = rates
        self._enabled = enabled

    async def _take(self, message: str, *takes: Take) -> None:
        wait = await self._rates.take(*takes) if self._enabled else 0.0
        if wait > 0.0:
            raise TooMany(message, retry_after_seconds=math.ceil(wait))


class ExchangeLimits(_Limits):
    """The limits on `POST /api/pairing/exchange`."""

    async def attempt(self, address: str) -> None:
        """Before the work: raises TooMany, with the seconds to wait, where a limit is reached."""
        await self._take(
            "too many attempts to pair; wait and try again",
            Take(EXCHANGE_FAILURES, address_key(address), counts=False),
            Take(NETWORK_EXCHANGE_FAILURES, network_key(address), counts=False),
            Take(EXCHANGE_ATTEMPTS, _EVERYBODY),
        )

    async def failed(self, address: str) -> None:
        """After the work: the attempt was refused for its token."""
        if self._enabled:
            await self._rates.charge(EXCHANGE_FAILURES, address_key(address))
            await self._rates.charge(NETWORK_EXCHANGE_FAILURES, network_key(address))


class SignInBeginnings(_Limits):
    """The limit on `GET /api/auth/login`."""

    async def attempt(self, address: str) -> None:
        """Counts one; raises TooMany, with the seconds to wait, where a limit is reached."""
        await self._take(
            "too many sign-ins were begun from your network; wait and try again",
            Take(SIGN_IN_BEGINNINGS, address_key(address)),
            Take(NETWORK_SIGN_IN_BEGINNINGS, network_key(address)),
        )
