"""One-time pairing tokens, and when one may be exchanged.

The judge is the stored expiry against one reading of the clock: whoever asks passes the same `now` to every question
of one transaction, so a token cannot be good for one statement and bad for the next.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId

PAIRING_TOKEN_TTL = timedelta(minutes=15)
"""Long enough to walk to the device, short enough that a forgotten one is worthless."""

MAX_LIVE_PER_USER = 10
"""More than ten at once is a script gone wrong, and each is a way in."""

REPLAY_WINDOW = timedelta(seconds=60)
"""How long an exchange may be repeated with its idempotency key, after an answer that got lost."""


@dataclass(frozen=True, slots=True)
class PairingToken:
    """A one-time token.

    Attributes:
        name: what the device shall be called, if its maker said so.
        device_id: what it was exchanged for.
        replay_hash: SHA-256 of the idempotency key of the exchange that consumed it, if that had one.
    """

    id: TokenId
    hash: str = field(repr=False)
    prefix: str
    user_id: UserId
    workspace_id: WorkspaceId
    name: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    device_id: DeviceId | None = None
    replay_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Redeemable:
    """It may be exchanged now."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody used it in time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Used:
    """It was exchanged already."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """Its owner took it back."""

    at: datetime


Verdict = Redeemable | Expired | Used | Revoked


def judge(token: PairingToken, now: datetime) -> Verdict:
    """What may happen to the token now. Revoked wins over used, used over expired: the most telling answer."""
    if token.revoked_at is not None:
        return Revoked(token.revoked_at)
    if token.used_at is not None:
        return Used(token.used_at)
    if now >= token.expires_at:
        return Expired(token.expires_at)
    return Redeemable()


def may_replay(token: PairingToken, replay_hash: str | None, now: datetime) -> bool:
    """Whether an exchange of this used token may be repeated: same idempotency key, and soon enough."""
    if token.revoked_at is not None or token.used_at is None or token.replay_hash is None:
        return False
    return token.replay_hash == replay_hash and now - token.used_at < REPLAY_WINDOW
