"""What the server asks of an identity provider, whoever it is.

Three ways to fail, because callers treat them apart: the provider cannot be asked now, it said no, or what it said
cannot be believed. None of the messages is for a browser: they are for the log.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class ProviderUnavailable(Exception):
    """The provider did not answer, answered nonsense, or answered too slowly; asking again later may help."""

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ProviderRefused(Exception):
    """The provider answered a question of ours with an error of OAuth's; asking again gives the same."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the identity provider said {code}")
        self.code = code


class TokenInvalid(Exception):
    """A token, or an answer that came through the browser, failed a check; `reason` names the check."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one sign-in: made by us, never seen by anybody else in the clear.

    Attributes:
        begun_at: an id token older than this answers some other attempt.
    """

    redirect_uri: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for. A person is the pair of issuer and subject; the rest may change.

    Attributes:
        sid: the provider's own session, which a back-channel logout may name.
    """

    issuer: str
    subject: str
    sid: str | None
    email: str | None
    email_verified: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whose sessions end, says the provider: one session of it, or all of a subject."""

    issuer: str
    subject: str | None
    sid: str | None
    jti: str
    expires_at: float


class IdentityProvider(Protocol):
    """An OpenID provider as a relying party sees it.

    Every method may raise ProviderUnavailable, within the provider's deadline. Cancelling is safe.
    """

    async def authorization_url(self, attempt: Attempt, state: str) -> str:
        """Where to send the browser."""
        ...

    async def check_response_issuer(self, issuer: str | None) -> None:
        """Checks the `iss` parameter of an answer (RFC 9207) before its code goes anywhere; raises TokenInvalid."""
        ...

    async def exchange_code(self, code: str, attempt: Attempt) -> Person:
        """Turns the code into a person. A code is good once, so nothing here is tried twice.

        Raises:
            ProviderRefused: the provider does not take the code, or not from us.
            TokenInvalid: the id token fails a check.
        """
        ...

    async def check_logout_token(self, token: str) -> LogoutToken:
        """Checks a back-channel logout token, all but whether it was seen before; raises TokenInvalid."""
        ...

    async def logout_url(self, return_url: str) -> str | None:
        """Where the browser ends the provider's session too; None where the provider has no such place."""
        ...
