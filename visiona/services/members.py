"""Members of a workspace: seen by members, changed by admins. Owners are made and unmade by owners; one always stays
(services/owners.py).

How somebody becomes a member is in services/invitations.py.
"""

from dataclasses import dataclass
from datetime import datetime

from visiona.domain.access import Actor, Role
from visiona.domain.audit import Deed
from visiona.domain.errors import NotAllowed, NotFound
from visiona.domain.ids import UserId, WorkspaceId, is_uuid
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.users import User
from visiona.domain.workspaces import Membership
from visiona.services.audit import note
from visiona.services.owners import need_another_owner
from visiona.services.workspaces import held_workspace, seen_workspace
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is in a workspace."""

    user: User
    membership: Membership


async def list_members(stores: Stores, actor: Actor, workspace_id: WorkspaceId) -> list[Member]:
    """Who is in the workspace, the oldest membership first; NotFound where it is none of the caller's."""

    async def look_up(tx: Tx) -> list[Member]:
        await seen_workspace(tx, actor, workspace_id)
        return [Member(user, each) for each, user in await tx.workspaces.people(workspace_id, MAX_ROWS)]

    return await stores.read(look_up)


async def change_role(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, user_id: UserId, role: Role, now: datetime
) -> Role:
    """Makes a member something else; says what they were. Who becomes a plain member keeps no token for pairing.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
        Conflict: the workspace would be without an owner.
    """

    async def change(tx: Tx) -> Role:
        _, mine = await held_workspace(tx, actor, workspace_id, Role.ADMIN)
        before = await _role_of(tx, workspace_id, user_id)
        if before is role:
            return before
        _need_owner(mine, before, role)
        if before is Role.OWNER:
            await need_another_owner(tx, workspace_id, user_id)
        await tx.workspaces.set_role(workspace_id, user_id, role)
        if role is Role.MEMBER:
            await _withdraw_word(tx, workspace_id, user_id, now)
        await note(
            tx,
            now,
            Deed.ROLE_CHANGED,
            workspace_id=workspace_id,
            subject=user_id,
            role=role.value,
            role_before=before.value,
        )
        await tx.notices.append(NoticeKind.MEMBER_CHANGED, member_subject(workspace_id, user_id), now)
        return before

    return await stores.write(change)


async def remove_member(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, user_id: UserId, now: datetime
) -> None:
    """Takes somebody out of a workspace; anybody may leave by themselves.

    With them go their invitations and the pairing tokens they made for it, and within a second what they run over its
    devices. Those stay: they are the workspace's, whoever has paired them.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
        Conflict: the workspace would be without an owner.
    """
    leaves = user_id == actor.user_id

    async def remove(tx: Tx) -> None:
        _, mine = await held_workspace(tx, actor, workspace_id, Role.MEMBER if leaves else Role.ADMIN)
        before = await _role_of(tx, workspace_id, user_id)
        _need_owner(mine, before)
        if before is Role.OWNER:
            await need_another_owner(tx, workspace_id, user_id)
        await tx.workspaces.remove_member(workspace_id, user_id)
        await _withdraw_word(tx, workspace_id, user_id, now)
        await note(
            tx,
            now,
            Deed.MEMBER_REMOVED,
            workspace_id=workspace_id,
            subject=user_id,
            role=before.value,
            how="left" if leaves else "removed",
        )
        await tx.notices.append(NoticeKind.MEMBER_REMOVED, member_subject(workspace_id, user_id), now)

    await stores.write(remove)


async def _role_of(tx: Tx, workspace_id: WorkspaceId, user_id: UserId) -> Role:
    role = await tx.workspaces.role_or_none(workspace_id, user_id) if is_uuid(user_id) else None
    if role is None:
        raise NotFound("there is no such member")
    return role


def _need_owner(mine: Role, *touched: Role) -> None:
    if Role.OWNER in touched and mine is not Role.OWNER:
        raise NotAllowed("only an owner of the workspace may make, change or remove an owner")


async def _withdraw_word(tx: Tx, workspace_id: WorkspaceId, user_id: UserId, now: datetime) -> None:
    """What they could only give out as an admin, and nobody has used yet."""
    await tx.invitations.remove_of_inviter(workspace_id, user_id)
    await tx.pairing_tokens.revoke_of_workspace(workspace_id, now, user_id)
