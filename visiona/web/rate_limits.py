"""How often an address may try what anybody may call.

Failures are counted, not successes: a workshop that pairs fifty units behind one address does nothing wrong, who
guesses tokens does. One limit counts every attempt of everybody, so that a distributed guess is bounded too. An IPv6
address counts as its /64.
"""

import math

import trio

from visiona.domain.errors import TooMany
from visiona.domain.rates import KeyedLimiter, Window, address_key

EXCHANGE_FAILURES = (Window(1, 1.0), Window(5, 60.0), Window(20, 3600.0))
"""Per address: one failed exchange a second, five a minute, twenty an hour."""

EXCHANGE_ATTEMPTS = (Window(20, 1.0),)
"""Of everybody together."""

MAX_ADDRESSES = 20_000
"""Remembered at most, about 0.5 KiB each; beyond it the one not heard of for longest is forgotten."""

SIGN_IN_BEGINNINGS = (Window(30, 10.0), Window(100, 60.0))
"""Per address: an office behind one of them signs in on Monday morning; a flood would push other people's attempts out
of the store, which holds a number of them (A-16)."""

_EVERYBODY = "everybody"


class ExchangeLimits:
    """The limits on `POST /api/pairing/exchange`.

    Args:
        enabled: False lets everything pass (load tests).
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._failures = KeyedLimiter(EXCHANGE_FAILURES, MAX_ADDRESSES)
        self._attempts = KeyedLimiter(EXCHANGE_ATTEMPTS, 1)

    def attempt(self, address: str) -> None:
        """Before the work: raises TooMany, with the seconds to wait, where a limit is reached."""
        if not self._enabled:
            return
        now = trio.current_time()
        wait = self._failures.wait_seconds(address_key(address), now)
        if wait == 0.0:
            wait = self._attempts.take(_EVERYBODY, now)
        if wait > 0.0:
            raise TooMany(
                "too many attempts to pair; wait and try again", retry_after_seconds=math.ceil(wait)
            )

    def failed(self, address: str) -> None:
        """After the work: the attempt was refused for its token."""
        if self._enabled:
            self._failures.charge(address_key(address), trio.current_time())


class SignInBeginnings:
    """The limit on `GET /api/auth/login`.

    Args:
        enabled: False lets everything pass (load tests).
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._begun = KeyedLimiter(SIGN_IN_BEGINNINGS, MAX_ADDRESSES)

    def attempt(self, address: str) -> None:
        """Counts one; raises TooMany, with the seconds to wait, where a limit is reached."""
        if not self._enabled:
            return
        wait = self._begun.take(address_key(address), trio.current_time())
        if wait > 0.0:
            message = "too many sign-ins were begun from your network; wait and try again"
            raise TooMany(message, retry_after_seconds=math.ceil(wait))
