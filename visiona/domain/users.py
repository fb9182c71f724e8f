"""People who own things. An e-mail address names one person, whatever its letters' case."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from visiona.domain.errors import Invalid
from visiona.domain.ids import UserId

MAX_EMAIL_CHARACTERS = 254
"""RFC 5321 §4.5.3.1.3: a path of 256 octets, less its two angle brackets."""

# One @ with something on either side and nothing that could break a header or a log line. Whether mail arrives
# there is not ours to know.
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f<>\"',;:\\]+@[^\s@\x00-\x1f\x7f<>\"',;:\\]+")


@dataclass(frozen=True, slots=True)
class User:
    """One account.

    Attributes:
        email: as `normalised_email` spells it.
        password_hash: argon2id; None for an account that signs in elsewhere.
        disabled_at: since when nothing of this user's works; None while it does.
    """

    id: UserId
    email: str
    name: str
    password_hash: str | None = field(repr=False)
    is_admin: bool
    created_at: datetime
    disabled_at: datetime | None


def account_of(user: User) -> str:
    """What an agent is told it was paired to: the address, else one made of the user's id."""
    return user.email or f"{user.id}@visiona.local"


def normalised_email(text: str) -> str:
    """The one spelling under which an address is stored and found; raises Invalid for what is none."""
    email = text.strip().lower()
    if len(email) > MAX_EMAIL_CHARACTERS or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid("email: write an address such as name@example.com")
    return email
