"""Somebody came back from the identity provider: find or make the account, and begin a session.

Issuer and subject together name a person (OIDC Core §5.7). An address only leads to an account the first time, and only
one that the provider has verified: it would otherwise be enough to claim somebody's address somewhere.
"""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime

from visiona.domain.audit import Deed
from visiona.domain.errors import Invalid, NotAllowed
from visiona.domain.ids import SessionId, UserId
from visiona.domain.labels import label
from visiona.domain.sessions import (
    DEFAULT_LIMITS,
    MAX_USER_AGENT_CHARACTERS,
    Identity,
    SessionLimits,
    UserSession,
    secret_hash,
)
from visiona.domain.users import User, normalised_email
from visiona.services.afresh import OvertakenError, write_afresh
from visiona.services.audit import note
from visiona.services.minting import mint_id, mint_secret
from visiona.services.sessions import noted_ends
from visiona.services.users import add_account
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

MAX_SUBJECT_CHARACTERS = 255
"""OpenID Connect Core §2."""

_DISABLED = "this account is disabled; ask whoever runs this server"


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
    """A session that began, and its text, which exists nowhere else and goes into the cookie.

    Attributes:
        replaced: the session that this browser had before; it has ended.
    """

    session: UserSession
    user: User
    text: str = field(repr=False)
    replaced: SessionId | None = None


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
        StoreUnavailable: nobody is signed in.
    """
    if not 0 < len(claims.subject) <= MAX_SUBJECT_CHARACTERS:
        raise NotAllowed("the identity provider names nobody")

    async def admit(tx: Tx) -> User:
        return await _user_of(tx, claims, now)

    # The same person twice at once, for the first time: whoever comes second finds the account of the first.
    user = await write_afresh(stores, admit, "identity", "email")
    text = mint_secret()
    session = UserSession(
        id=SessionId(mint_id(now)),
        token_hash=secret_hash(text) or "",
        user_id=user.id,
        created_at=now,
        last_seen_at=now,
        idle=limits.idle,
        absolute_expires_at=now + limits.absolute,
        user_agent=label(browser.user_agent, MAX_USER_AGENT_CHARACTERS),
        address=browser.address,
        issuer=claims.issuer,
        subject=claims.subject,
        idp_sid=claims.idp_sid,
        id_token=claims.id_token,
    )
    await stores.sessions.create(session)
    await _admit(stores, session, now)
    return SignedIn(session, user, text, await _end_replaced(stores, replaces, user, now))


async def _user_of(tx: Tx, claims: Claims, now: datetime) -> User:
    """The person's account; NotAllowed for a disabled one."""
    identity = await tx.identities.get_or_none(claims.issuer, claims.subject)
    if identity is not None:
        user = await tx.users.get_or_none(identity.user_id)
    else:
        user = await _account_of_address(tx, claims)
        if user is None:
            user = _new_user(claims, now)
            await add_account(tx, user, by=user)
        await tx.identities.add(Identity(claims.issuer, claims.subject, user.id, now))
    if user is None or user.disabled_at is not None:
        raise NotAllowed(_DISABLED)
    return user


async def _account_of_address(tx: Tx, claims: Claims) -> User | None:
    """The account that a person who is new here has already, by the address.

    Raises:
        NotAllowed: there is one, and nothing shows that it is this person's.
        OvertakenError: the person is not new any more.
    """
    address = _address(claims)
    user = await tx.users.by_email_or_none(address) if address is not None else None
    if user is None:
        return None
    if not claims.email_verified:
        raise NotAllowed(
            f"there is an account for {address}, and the identity provider does not say that this address is yours"
        )
    # Held, or two persons who are told to have this address could become one account at the same moment.
    user = await tx.users.lock_or_none(user.id)
    known = await tx.identities.list_of_user(user.id, MAX_ROWS) if user is not None else []
    at_issuer = {identity.subject for identity in known if identity.issuer == claims.issuer}
    if claims.subject in at_issuer:
        raise OvertakenError
    if at_issuer:
        # The provider gave the address to somebody else since.
        raise NotAllowed(f"the account for {address} belongs to another person at this identity provider")
    return user


def _new_user(claims: Claims, now: datetime) -> User:
    """An account for somebody new. An address that is not verified is not theirs to have it here either."""
    user_id = UserId(mint_id(now))
    address = _address(claims)
    email = address if address is not None and claims.email_verified else f"{user_id}@visiona.local"
    name = label(claims.name) or label((address or claims.subject).partition("@")[0]) or email
    return User(user_id, email, name, None, False, now, None)


def _address(claims: Claims) -> str | None:
    """The address as accounts have it; None where that spelling is another's.

    In small letters the Kelvin sign is a `k`: what the provider has verified would be a mailbox elsewhere.
    """
    email = claims.email or ""
    with contextlib.suppress(Invalid):
        address = normalised_email(email)
        return address if address.upper() == email.strip().upper() else None
    return None


async def _admit(stores: Stores, session: UserSession, now: datetime) -> None:
    """Notes the sign-in, before anybody is told the session's text: nobody has one that is not on record.

    Ends a session that began while its user was being disabled: it was not there yet to be ended by that.
    """

    async def admit(tx: Tx) -> bool:
        user = await tx.users.get_or_none(session.user_id)
        if user is None or user.disabled_at is not None:
            return False
        browser = session.user_agent or None
        await note(
            tx, now, Deed.SIGN_IN, by=user, subject=session.id, issuer=session.issuer, user_agent=browser
        )
        return True

    if not await stores.write(admit):
        await stores.sessions.delete(session.id, now)
        raise NotAllowed(_DISABLED)


async def _end_replaced(stores: Stores, text: str | None, user: User, now: datetime) -> SessionId | None:
    hashed = secret_hash(text) if text is not None else None
    old = await stores.sessions.get_or_none(hashed, now) if hashed is not None else None
    if old is None:
        return None
    also = noted_ends(now, Deed.SESSION_ENDED, by=user.id, why="the browser signed in anew")
    await stores.sessions.delete(old.id, now, also=also)
    return old.id
