"""The wall clock, for facts. Durations are measured with the event loop's clock, never with this one."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, zoned."""
    return datetime.now(UTC)
