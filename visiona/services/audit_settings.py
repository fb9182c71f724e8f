"""Section `[audit]`: how long the audit log is kept."""

from dataclasses import dataclass
from datetime import timedelta

MAX_KEEP_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Section `[audit]`.

    Attributes:
        keep_days: older entries are forgotten; export them before, if they are to be kept longer.
    """

    keep_days: int = 365

    @property
    def keep(self) -> timedelta:
        """The same as a span of time."""
        return timedelta(days=self.keep_days)

    def check(self) -> list[str]:
        """Every fault, one sentence each."""
        if not 1 <= self.keep_days <= MAX_KEEP_DAYS:
            return [f"keep_days is {self.keep_days}; use 1 to {MAX_KEEP_DAYS}"]
        return []


DEFAULT_AUDIT = AuditSettings()
