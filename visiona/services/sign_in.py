"""Somebody came back from the identity provider: find or make the account, and begin a session.

Issuer and subject together name a person (OIDC Core §5.7). An address only leads to an account the first time, and only
one that the provider has verified: it would otherwise be enough to claim somebody's address somewhere.
"""

from dataclasses import dataclass, field
from datetime import datetime

from visiona.domain.errors import NotAllowed
from visiona.domain.sessions import DEFAULT_LIMITS, SessionLimits, UserSession
from visiona.domain.users import User
from visiona.stores.interfaces import Stores


@dataclass(frozen=True, slots=True)
class Claims:
    """What the identity provider says of a person, checked.

    Attributes:
        email_verified: only if the provider says so in so many words.
        name: what to call the person; empty if it does not say.
        idp_sid: its own id of this sign-in (claim `sid`).
        id_token: kept to be shown at logout; None if it need not be.
    """

    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str = ""
    idp_sid: str | None = None
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a person signs in."""

    user_agent: str = ""
    address: str = ""


NOWHERE = Browser()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that began, and its text, which exists nowhere else and goes into the cookie."""

    session: UserSession
    user: User
    text: str = field(repr=False)


async def sign_in(
    stores: Stores,
    claims: Claims,
    now: datetime,
    *,
    browser: Browser = NOWHERE,
    limits: SessionLimits = DEFAULT_LIMITS,
    replaces: str | None = None,
) -> SignedIn:
    """Begins a session for the person, whose account is made if there is none.

    Args:
        replaces: the text of the session that this browser had; it is ended (A-06).

    Raises:
        NotAllowed: the account is disabled, or the address belongs to an account that is not shown to be this person's.
        StoreUnavailable: nothing was begun.
    """
    raise NotAllowed("nobody can sign in yet")
