"""One-time links: made, looked at, used. Whoever holds one is let in, so it is handed to one person and printed once.

The first administrator's link exists as long as nobody has a password; a new link ends those before it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Gone, NotFound
from visiona.domain.ids import UserId
from visiona.domain.labels import label
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL, LinkPurpose, OneTimeLink
from visiona.domain.tokens import TokenKind, token_hash
from visiona.domain.users import User, normalised_email
from visiona.services.audit import note
from visiona.services.minting import mint_id, mint_token
from visiona.services.users import add_account, write_ending_sessions
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores, Tx

_GONE = "this link was used, or its 15 minutes are over"


@dataclass(frozen=True, slots=True)
class MintedLink:
    """A new link, and its text, which exists nowhere else.

    Attributes:
        text: the last part of the address that is handed out.
    """

    link: OneTimeLink
    text: str = field(repr=False)


async def mint_first_admin_link(stores: Stores, now: datetime) -> MintedLink | None:
    """The link with which the first account is made; None where somebody has a password already."""
    minted = _minted(LinkPurpose.FIRST_ADMIN, None, now)

    async def mint(tx: Tx) -> bool:
        await tx.one_time_links.take_turns()
        if await tx.users.any_with_password():
            return False
        await tx.one_time_links.end(LinkPurpose.FIRST_ADMIN, None, now)
        await tx.one_time_links.add(minted.link)
        await note(tx, now, Deed.LINK_CREATED, purpose=LinkPurpose.FIRST_ADMIN.value)
        return True

    return minted if await stores.write(mint) else None


async def mint_sign_in_link(stores: Stores, user_id: UserId, now: datetime) -> MintedLink:
    """A link that signs this user in; raises NotFound, Conflict for a disabled account."""
    minted = _minted(LinkPurpose.SIGN_IN, user_id, now)

    async def mint(tx: Tx) -> None:
        user = await tx.users.lock_or_none(user_id)
        if user is None:
            raise NotFound("there is no such account")
        if user.disabled_at is not None:
            raise Conflict(f"the account {user.email} is disabled; visiona user enable {user.email}")
        await tx.one_time_links.end(LinkPurpose.SIGN_IN, user_id, now)
        await tx.one_time_links.add(minted.link)
        await note(tx, now, Deed.LINK_CREATED, subject=user_id, purpose=LinkPurpose.SIGN_IN.value)

    await stores.write(mint)
    return minted


async def is_first_admin_link(stores: Stores, text: str, now: datetime) -> bool:
    """Whether an account can be made with it; it stays unused."""

    async def look(tx: Tx) -> bool:
        link = await _live_or_none(tx, text, LinkPurpose.FIRST_ADMIN, now)
        return link is not None and not await tx.users.any_with_password()

    return await stores.read(look)


async def user_of_link(stores: Stores, text: str, now: datetime) -> User | None:
    """Whom it would sign in; None if nobody. It stays unused."""
    return await stores.read(lambda tx: _user_or_none(tx, text, now))


async def redeem_first_admin_link(
    stores: Stores, text: str, email: str, password_hash: str, now: datetime, *, name: str = ""
) -> User:
    """Makes the first administrator; the link is used up with it, or neither.

    Raises:
        Invalid: the address is none.
        Conflict: the address has an account.
        Gone: the link does not work (any more).
    """
    address = normalised_email(email)
    shown = label(name) or label(address.partition("@")[0]) or address
    user = User(UserId(mint_id(now)), address, shown, password_hash, True, now, None)

    async def redeem(tx: Tx) -> None:
        await tx.one_time_links.take_turns()
        link = await _live_or_none(tx, text, LinkPurpose.FIRST_ADMIN, now)
        if link is None or await tx.users.any_with_password():
            raise Gone(_GONE)
        await add_account(tx, user, by=user)
        if not await tx.one_time_links.consume(link.hash, now):
            raise Gone(_GONE)
        await note(tx, now, Deed.LINK_USED, by=user, subject=user.id, purpose=link.purpose.value)

    try:
        await stores.write(redeem)
    except StoreConflict as conflict:
        if conflict.about != "email":
            raise
        raise Conflict(f"there is an account for {address} already") from conflict
    return user


async def redeem_sign_in_link(stores: Stores, text: str, password_hash: str | None, now: datetime) -> User:
    """Uses the link up; says whom it signs in.

    With a new password, all sessions of the account are ended: perhaps somebody knew the old one.

    Raises:
        Gone: the link does not work (any more).
    """

    async def redeem(tx: Tx) -> User:
        named = await _user_or_none(tx, text, now)
        user = await tx.users.lock_or_none(named.id) if named is not None else None
        if (
            user is None
            or user.disabled_at is not None
            or not await tx.one_time_links.consume(_hash(text), now)
        ):
            raise Gone(_GONE)
        await note(tx, now, Deed.LINK_USED, by=user, subject=user.id, purpose=LinkPurpose.SIGN_IN.value)
        if password_hash is None:
            return user
        await tx.users.set_password_hash(user.id, password_hash)
        await note(tx, now, Deed.PASSWORD_CHANGED, by=user, subject=user.id)
        return replace(user, password_hash=password_hash)

    if password_hash is None:
        return await stores.write(redeem)
    known = await user_of_link(stores, text, now)
    if known is None:
        raise Gone(_GONE)
    return await write_ending_sessions(stores, known.id, redeem, now, by=known.id)


async def _user_or_none(tx: Tx, text: str, now: datetime) -> User | None:
    link = await _live_or_none(tx, text, LinkPurpose.SIGN_IN, now)
    user = await tx.users.get_or_none(link.user_id) if link is not None and link.user_id is not None else None
    return user if user is not None and user.disabled_at is None else None


async def _live_or_none(tx: Tx, text: str, purpose: LinkPurpose, now: datetime) -> OneTimeLink | None:
    link = await tx.one_time_links.get_or_none(_hash(text))
    return link if link is not None and link.purpose is purpose and link.is_live(now) else None


def _minted(purpose: LinkPurpose, user_id: UserId | None, now: datetime) -> MintedLink:
    text = mint_token(TokenKind.LINK)
    return MintedLink(OneTimeLink(_hash(text), purpose, user_id, now, now + ONE_TIME_LINK_TTL), text)


def _hash(text: str) -> str:
    # What is spelled like no link is found nowhere.
    return token_hash(text, TokenKind.LINK) or ""
