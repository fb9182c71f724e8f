"""How long to wait before the next attempt. Pure: time and chance are given.

Full jitter over the upper half: after a restart of the relay a thousand agents come back spread over the delay, and
none comes back at once.
"""

from dataclasses import dataclass

FIRST_SECONDS = 1.0
LAST_SECONDS = 30.0

HOPELESS_SECONDS = 300.0
"""After a refusal that only a person can mend (401): asked now and then, for a person may mend it at the server."""

MAX_RETRY_AFTER_SECONDS = 600.0
"""A relay that asks for more is mistaken, and an edge unit must not be told to stay away for a day."""

STEADY_SECONDS = 30.0
"""A connection that lived this long counts as a success: the next delay begins small again."""


@dataclass(slots=True)
class Backoff:
    """The delays of one agent: 1, 2, 4 … 30 s at most, each shortened by up to a half by chance."""

    attempts: int = 0

    def next_seconds(
        self, chance: float, retry_after_seconds: float | None = None, *, hopeless: bool = False
    ) -> float:
        """The wait before the next attempt.

        Args:
            chance: evenly spread over 0 to 1.
            retry_after_seconds: what the relay asked for: never less than this, and up to a quarter more.
            hopeless: the relay refused for good.
        """
        self.attempts += 1
        if hopeless:
            seconds = HOPELESS_SECONDS * (0.75 + chance / 4)
        else:
            ceiling = min(LAST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.attempts - 1, 10))
            seconds = ceiling * (0.5 + chance / 2)
        if retry_after_seconds is None:
            return seconds
        asked = min(max(retry_after_seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
        return max(seconds, asked * (1 + chance / 4))

    def lived(self, seconds: float) -> None:
        """A connection came up and lived for so long."""
        if seconds >= STEADY_SECONDS:
            self.attempts = 0
