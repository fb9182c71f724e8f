"""Accounts: made, listed, disabled and enabled again."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from visiona.domain.access import Role
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Invalid, NotFound
from visiona.domain.ids import UserId, WorkspaceId, is_uuid
from visiona.domain.labels import label
from visiona.domain.notices import NoticeKind
from visiona.domain.one_time_links import LinkPurpose
from visiona.domain.users import User, normalised_email
from visiona.domain.workspaces import Membership, Workspace
from visiona.services.audit import note
from visiona.services.minting import mint_id
from visiona.services.owners import Heir, find_heir, held_shared
from visiona.services.sessions import noted_ends
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

T = TypeVar("T")


async def add_user(
    stores: Stores,
    email: str,
    password_hash: str | None,
    now: datetime,
    *,
    name: str = "",
    is_admin: bool = False,
) -> User:
    """Makes an account and its personal workspace, both or neither.

    Args:
        password_hash: from services/passwords.py, made in a worker thread by the caller; None for an account that
            signs in elsewhere.
        name: what to call the user; the address's local part if empty.

    Raises:
        Invalid: the address is none.
        Conflict: the address has an account.
    """
    address = normalised_email(email)
    shown = label(name) or label(address.partition("@")[0]) or address
    user = User(UserId(mint_id(now)), address, shown, password_hash, is_admin, now, None)

    async def add(tx: Tx) -> None:
        await add_account(tx, user)

    try:
        await stores.write(add)
    except StoreConflict as conflict:
        if conflict.about != "email":
            raise
        raise Conflict(f"there is an account for {address} already") from conflict
    return user


async def add_account(tx: Tx, user: User, by: User | None = None) -> None:
    """Puts an account and its personal workspace on record; raises StoreConflict(about="email").

    Args:
        by: who makes it, where that is not whom the edge has identified: whoever signs in for the first time.
    """
    workspace = Workspace(
        WorkspaceId(mint_id(user.created_at)), user.name, user.id, user.created_at, user.created_at
    )
    await tx.users.add(user)
    await tx.workspaces.add(workspace)
    await tx.workspaces.add_member(Membership(workspace.id, user.id, Role.OWNER, user.created_at))
    await note(
        tx, user.created_at, Deed.USER_CREATED, by=by, subject=user.id, email=user.email, admin=user.is_admin
    )


async def list_users(stores: Stores) -> list[User]:
    """All accounts, by address."""
    users: list[User] = []
    while True:
        after = users[-1].email if users else ""

        async def page(tx: Tx, after: str = after) -> list[User]:
            return await tx.users.list_all(MAX_ROWS, after)

        found = await stores.read(page)
        users += found
        if len(found) < MAX_ROWS:
            return users


async def find_user(stores: Stores, email_or_id: str) -> User:
    """The account with this address or id; raises NotFound."""
    name = email_or_id.strip().lower()

    async def look_up(tx: Tx) -> User | None:
        if is_uuid(name):
            return await tx.users.get_or_none(UserId(name))
        return await tx.users.by_email_or_none(normalised_email(name))

    with contextlib.suppress(Invalid):
        user = await stores.read(look_up)
        if user is not None:
            return user
    raise NotFound(f"there is no account {email_or_id!r}")


@dataclass(frozen=True, slots=True)
class Disabled:
    """What came of disabling an account.

    Attributes:
        changed: False if it was so already.
        heirs: who owns workspaces now that had no other owner.
    """

    changed: bool
    heirs: tuple[Heir, ...]


async def disable_user(stores: Stores, user_id: UserId, now: datetime) -> Disabled:
    """From now on nothing of this user's works: sign-in, tokens, tunnels, invitations that wait.

    Who owned a workspace alone owns it no longer alone, if anybody is there who can sign in.

    Sessions are ended for good; what else there is works again once the account is enabled. Where the sessions cannot
    be reached the account is disabled all the same, and they are good for nothing until `enable_user` ends them.

    Raises:
        NotFound: there is no such user.
    """

    async def disable(tx: Tx) -> Disabled:
        if await tx.users.get_or_none(user_id) is None:
            raise NotFound("there is no such account")
        if not await tx.users.set_disabled(user_id, now):
            return Disabled(changed=False, heirs=())
        shared = await held_shared(tx, user_id)
        for workspace in shared:
            await tx.invitations.remove_of_inviter(workspace.id, user_id)
        await note(tx, now, Deed.USER_DISABLED, subject=user_id)
        heirs = [await find_heir(tx, workspace, now) for workspace in shared]
        await tx.notices.append(NoticeKind.USER_DISABLED, user_id, now)
        return Disabled(changed=True, heirs=tuple(heir for heir in heirs if heir is not None))

    disabled = await stores.write(disable)
    with contextlib.suppress(StoreUnavailable):
        also = noted_ends(now, Deed.SESSION_ENDED, why="the account was disabled")
        await stores.sessions.delete_of_user(user_id, now, also=also)
    return disabled


async def enable_user(stores: Stores, user_id: UserId, now: datetime) -> bool:
    """Undoes `disable_user`: what was not revoked meanwhile works again. False if it was not disabled.

    Raises:
        NotFound: there is no such user.
        StoreUnavailable: it stays disabled; its sessions may be what cannot be reached.
    """

    async def is_disabled(tx: Tx) -> bool:
        user = await tx.users.get_or_none(user_id)
        if user is None:
            raise NotFound("there is no such account")
        return user.disabled_at is not None

    if not await stores.read(is_disabled):
        return False
    await stores.sessions.delete_of_user(user_id, now)

    async def enable(tx: Tx) -> bool:
        changed = await tx.users.set_disabled(user_id, None)
        if changed:
            shared = await held_shared(tx, user_id)
            await note(tx, now, Deed.USER_ENABLED, subject=user_id)
            for workspace in shared:
                await find_heir(tx, workspace, now)
        return changed

    return await stores.write(enable)


async def set_password(stores: Stores, user_id: UserId, password_hash: str, now: datetime) -> None:
    """Replaces the password and ends the user's sessions: perhaps somebody knew the old one. Raises NotFound.

    A sign-in link that is still unused ends with them, for it could set another password again.
    """

    async def replace(tx: Tx) -> bool:
        if not await tx.users.set_password_hash(user_id, password_hash):
            return False
        await tx.one_time_links.end(LinkPurpose.SIGN_IN, user_id, now)
        await note(tx, now, Deed.PASSWORD_CHANGED, subject=user_id)
        return True

    if not await write_ending_sessions(stores, user_id, replace, now):
        raise NotFound("there is no such account")


async def write_ending_sessions(
    stores: Stores,
    user_id: UserId,
    operation: Callable[[Tx], Awaitable[T]],
    now: datetime,
    by: UserId | None = None,
) -> T:
    """As `Stores.write`, of what makes the user's sessions doubtful, wherever those are kept: they are ended.

    Args:
        by: who does it, where nobody was identified at the edge.

    Raises:
        StoreUnavailable: nothing was changed, or at the most sessions were ended.
        Whatever the operation raises.
    """
    # Asked first, so that sessions which cannot be reached stop the whole; and again, for one that began meanwhile.
    also = noted_ends(now, Deed.SESSION_ENDED, by=by, why="a new password")
    await stores.sessions.delete_of_user(user_id, now, also=also)
    result = await stores.write(operation)
    try:
        await stores.sessions.delete_of_user(user_id, now, also=also)
    except StoreUnavailable as error:
        raise StoreUnavailable(
            str(error),
            retry_after_seconds=error.retry_after_seconds,
            advice="the change was made; make it again",
        ) from error
    return result
