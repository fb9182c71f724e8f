"""Tokens: how they are spelled, and what is kept of them.

Five kinds, told apart by their first four characters: `vAc_` pairs a device once, `vAs_` lets a paired device
connect, `vAp_` lets a program call the API, `vAo_` stands in a link that signs a person in once, `vAi_` in one that
invites a person into a workspace. The text exists only at its holder; here lives its SHA-256, which is as good as the
text for looking it up and useless to whoever reads the database (each text has at least 128 random bits, so a slow
hash would buy nothing).
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from visiona.domain.access import Scope
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId

SESSION_TOKEN_TTL = timedelta(days=90)
ACCESS_TOKEN_TTL = timedelta(days=90)
"""Unless its maker asks otherwise."""

PREFIX_CHARACTERS = 12
"""What a list shows of a token: enough to recognise one's own, far too little to guess the rest."""

MASK_CHARACTERS = 8
"""What a log may show of a token."""


class TokenKind(Enum):
    """The kinds of token: prefix, and how many hexadecimal digits follow."""

    PAIRING = ("vAc_", 32)
    SESSION = ("vAs_", 64)
    ACCESS = ("vAp_", 64)
    LINK = ("vAo_", 64)
    INVITATION = ("vAi_", 64)

    @property
    def prefix(self) -> str:
        """The first four characters."""
        return self.value[0]

    @property
    def hex_digits(self) -> int:
        """How many lower-case hexadecimal digits follow the prefix."""
        return self.value[1]

    @property
    def random_bytes(self) -> int:
        """How many random bytes make one."""
        return self.hex_digits // 2


_SPELLING = {kind: re.compile(rf"{kind.prefix}[0-9a-f]{{{kind.hex_digits}}}") for kind in TokenKind}


def token_text(kind: TokenKind, randomness: bytes) -> str:
    """Spells a token from exactly `kind.random_bytes` random bytes."""
    if len(randomness) != kind.random_bytes:
        raise ValueError(f"a {kind.name} token takes {kind.random_bytes} random bytes")
    return kind.prefix + randomness.hex()


def token_hash(text: str, kind: TokenKind) -> str | None:
    """The stored form of a token, 64 hexadecimal digits; None for what cannot be one of this kind.

    Only the exact spelling passes: a text of another length is never hashed, and case, look-alike letters or blanks
    within make it no token.
    """
    if len(text) != len(kind.prefix) + kind.hex_digits or not _SPELLING[kind].fullmatch(text):
        return None
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def token_prefix(text: str) -> str:
    """What lists show of a token."""
    return text[:PREFIX_CHARACTERS]


def mask(text: str) -> str:
    """What logs show of a token, or of what came in a token's place."""
    return text[:MASK_CHARACTERS] + "…" if len(text) > MASK_CHARACTERS else "…"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A personal access token: acts for its user, within its scopes.

    Attributes:
        expires_at: None where the maker wanted none.
        made_with: the token that was used to make this one, if a program did; it ends with that one.
        last_used_at: to the minute.
    """

    id: TokenId
    hash: str = field(repr=False)
    prefix: str
    user_id: UserId
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    made_with: TokenId | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it is good at this moment, its user aside."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What a paired device connects with.

    Attributes:
        pairing_token_id: the one-time token it was exchanged for.
    """

    id: TokenId
    hash: str = field(repr=False)
    prefix: str
    user_id: UserId
    workspace_id: WorkspaceId
    device_id: DeviceId
    pairing_token_id: TokenId | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it is good at this moment, its device and user aside."""
        return self.revoked_at is None and now < self.expires_at
