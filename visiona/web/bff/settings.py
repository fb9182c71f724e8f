"""What can be set about people's sign-in. Defaults serve; units are in the names."""

from dataclasses import dataclass, field
from datetime import timedelta

from visiona.domain.sessions import SessionLimits

MIN_KEY_CHARACTERS = 32
"""Of a key that somebody chose: 128 bits if it is hexadecimal."""

LONGEST_SECONDS = 30 * 86400
"""A session that outlives a month is no session any more; a program takes a personal access token."""


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Section `[oidc]`: who says who people are.

    Attributes:
        issuer: the identity provider's issuer, exactly as it spells itself; None: the built-in one.
        client_id: what this server is called there.
        client_secret: for a confidential client; None for a public one, which sends none.
        scopes: what is asked of it, separated by blanks.
    """

    issuer: str | None = None
    client_id: str = "visiona"
    client_secret: str | None = field(default=None, repr=False)
    scopes: str = "openid email profile"

    def check(self) -> list[str]:
        """Every fault of the values taken together; the types were checked by whoever read them."""
        faults = []
        if self.issuer is not None and not self.issuer.startswith(("http://", "https://")):
            faults.append("issuer must start with http:// or https://")
        if not self.client_id:
            faults.append("client_id must not be empty")
        if "openid" not in self.scopes.split():
            faults.append("scopes must contain openid")
        return faults


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Section `[session]`: how long people stay signed in.

    Attributes:
        idle_seconds: without any request; an open camera picture is not one.
        absolute_seconds: however much it is used.
        key: what the cookies are sealed with; None: a file in the state directory, made at the first start.
    """

    idle_seconds: int = 28800
    absolute_seconds: int = 86400
    key: str | None = field(default=None, repr=False)

    def check(self) -> list[str]:
        """Every fault of the values taken together."""
        faults = []
        if not 60 <= self.idle_seconds <= LONGEST_SECONDS:
            faults.append(f"idle_seconds must be between 60 and {LONGEST_SECONDS}")
        if not self.idle_seconds <= self.absolute_seconds <= LONGEST_SECONDS:
            faults.append(f"absolute_seconds must be between idle_seconds and {LONGEST_SECONDS}")
        if self.key is not None and len(self.key) < MIN_KEY_CHARACTERS:
            faults.append(f"key must have at least {MIN_KEY_CHARACTERS} characters")
        return faults

    @property
    def limits(self) -> SessionLimits:
        """The same as lengths of time."""
        return SessionLimits(timedelta(seconds=self.idle_seconds), timedelta(seconds=self.absolute_seconds))
