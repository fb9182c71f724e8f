"""People's sessions, the sign-ins that are under way, and who somebody is at an identity provider.

A session's text (43 characters, 32 random bytes in base64url) exists only in its browser's cookie; here lives its
SHA-256, as with tokens. A session ends in three ways: unused for its idle time, at its absolute end, or ended on
purpose. Its holder is told the same in all three: nobody is signed in.
"""

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from visiona.domain.ids import SessionId, UserId

SECRET_CHARACTERS = 43
"""Of 32 random bytes in base64url without padding: 256 bits, twice what ASVS 7.2.3 asks."""

TOUCH_INTERVAL = timedelta(minutes=1)
"""How exact the last use of a session is on record: a camera's pictures must not write to the store (A-13)."""

PENDING_LOGIN_TTL = timedelta(minutes=10)
"""Long enough for a second factor and a forgotten password, too short to be found lying around."""

MAX_SESSIONS_PER_USER = 100
"""One more ends the one that was not used for longest. People have a handful; a script that signs in again and again
must not fill the store."""

MAX_PENDING_PER_BROWSER = 10
"""Tabs that wait at the identity provider at once; an eleventh takes the place of the first."""

MAX_PENDING = 10_000
"""Of all browsers: about 10 MiB. A flood of sign-ins pushes out its own (A-16), for real ones finish in seconds."""

MAX_USER_AGENT_CHARACTERS = 200
"""Of what a browser calls itself: enough to recognise one's own in a list."""

_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_CHARACTERS}}}")


def secret_hash(text: str) -> str | None:
    """The stored form of a session's text, a state or a browser's id; None for what cannot be one."""
    if len(text) != SECRET_CHARACTERS or not _SECRET.fullmatch(text):
        return None
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long sessions live.

    Attributes:
        idle: without any request; an open stream is not one.
        absolute: however much it is used; then the person signs in again.
    """

    idle: timedelta = timedelta(hours=8)
    absolute: timedelta = timedelta(hours=24)


DEFAULT_LIMITS = SessionLimits()


@dataclass(frozen=True, slots=True)
class UserSession:
    """One person in one browser.

    Attributes:
        last_seen_at: to the minute.
        idle: how long it lives unused; as it was when the session began.
        absolute_expires_at: its end, however much it is used.
        user_agent: what the browser called itself, shortened.
        address: from where the person signed in.
        issuer: which identity provider vouched.
        subject: who the person is there.
        idp_sid: the provider's own id of the sign-in, if it said one; its back-channel logout names it.
        id_token: as the provider gave it, to be shown to it at logout; None if it is not kept.
    """

    id: SessionId
    token_hash: str = field(repr=False)
    user_id: UserId
    created_at: datetime
    last_seen_at: datetime
    idle: timedelta
    absolute_expires_at: datetime
    user_agent: str
    address: str
    issuer: str
    subject: str
    idp_sid: str | None = None
    id_token: str | None = field(default=None, repr=False)

    @property
    def idle_expires_at(self) -> datetime:
        """When it ends if it is not used again; never after its absolute end."""
        return min(self.last_seen_at + self.idle, self.absolute_expires_at)

    def is_live(self, now: datetime) -> bool:
        """Whether it is good at this moment, its user aside; at the very end it no longer is."""
        return now < self.idle_expires_at

    def is_touch_due(self, now: datetime) -> bool:
        """Whether this use is worth a write."""
        return now - self.last_seen_at >= TOUCH_INTERVAL

    def touched(self, now: datetime) -> "UserSession":
        """Used now. A clock that was set back takes nothing away."""
        return replace(self, last_seen_at=max(now, self.last_seen_at))


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A person on the way to the identity provider and back; good for one return, in the browser that left.

    Attributes:
        state_hash: of the `state` that the provider brings back.
        browser_hash: of the cookie that binds the attempt to its browser.
        return_to: where the person wanted to go; checked again when it is used.
    """

    state_hash: str = field(repr=False)
    browser_hash: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    return_to: str
    created_at: datetime
    expires_at: datetime

    def is_live(self, now: datetime) -> bool:
        """Whether the person may still return."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a user is at an identity provider: issuer and subject together name one person, an address does not."""

    issuer: str
    subject: str
    user_id: UserId
    created_at: datetime
