"""Notices a browser that signs in again and again, and stops it before it goes round for ever (A-08).

A browser that does not keep the session cookie, a page that never believes the session: each round looks fine by
itself. Only rounds that were completed count, so that ten tabs opened at once are no loop.
"""

import trio

from visiona.domain.rates import KeyedLimiter, Window

ROUNDS = (Window(5, 60.0),)
"""Nobody signs in by hand five times a minute."""

MAX_BROWSERS = 10_000


class Loops:
    """Completed sign-ins by browser, lately. Kept in the process: a restart forgets them, and that is fine."""

    def __init__(self) -> None:
        self._rounds = KeyedLimiter(ROUNDS, MAX_BROWSERS)

    def completed(self, browser: str) -> None:
        """Counts one."""
        self._rounds.charge(browser, trio.current_time())

    def wait_seconds(self, browser: str) -> float:
        """More than nothing if this browser goes round in circles."""
        return self._rounds.wait_seconds(browser, trio.current_time())

    def forget(self, browser: str) -> None:
        """A person says: again."""
        self._rounds.forget(browser)
