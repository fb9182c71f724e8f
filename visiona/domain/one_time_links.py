"""Links that work once: the first administrator's, and the one that signs somebody in without a password.

A link's text (`vAo_…`, see tokens.py) exists only where it was printed; here lives its hash.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from visiona.domain.ids import UserId

ONE_TIME_LINK_TTL = timedelta(minutes=15)
"""Long enough to walk to the other machine, too short to be found in a terminal's history."""


class LinkPurpose(Enum):
    """What a link is good for."""

    FIRST_ADMIN = "first_admin"
    SIGN_IN = "sign_in"


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """One link.

    Attributes:
        user_id: whom it signs in; None for the first administrator's, whose account it makes.
    """

    hash: str = field(repr=False)
    purpose: LinkPurpose
    user_id: UserId | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it still works, its user aside."""
        return self.used_at is None and now < self.expires_at
