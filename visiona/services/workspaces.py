"""Workspaces: made, renamed, deleted. Members see them, admins rename them, owners delete them.

Whoever changes a workspace, its members or its invitations holds its row and asks for the caller's role while holding
it: what the caller was a moment ago counts for nothing. So of two who do it at once one sees what the other did.
Scopes are the routes' business (web/guards.py).
"""

from datetime import datetime

from visiona.domain import labels
from visiona.domain.access import Actor, Role
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, NotAllowed, NotFound
from visiona.domain.ids import UserId, WorkspaceId, is_uuid
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.services.audit import note
from visiona.services.minting import mint_id
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

MAX_WORKSPACES_PER_USER = 100
"""Of those a person is in. Each request of theirs carries them all."""


async def list_workspaces(stores: Stores, actor: Actor) -> list[tuple[Workspace, Role]]:
    """Each with the caller's role, the personal one first."""

    async def page(tx: Tx) -> list[tuple[Workspace, Role]]:
        return await tx.workspaces.list_of_user(actor.user_id, MAX_ROWS)

    return await stores.read(page)


async def get_workspace(stores: Stores, actor: Actor, workspace_id: WorkspaceId) -> tuple[Workspace, Role]:
    """One of the caller's workspaces with the caller's role; NotFound for anything else."""
    return await stores.read(lambda tx: seen_workspace(tx, actor, workspace_id))


async def create_workspace(stores: Stores, actor: Actor, name: str, now: datetime) -> Workspace:
    """Makes a workspace whose owner the caller is.

    Raises:
        Invalid: the name is none.
        Conflict: the caller is in too many.
    """
    workspace = Workspace(WorkspaceId(mint_id(now)), labels.name(name), None, now, now)

    async def add(tx: Tx) -> None:
        user = await held_caller(tx, actor)
        await need_room_for_one_more(tx, user.id)
        await tx.workspaces.add(workspace)
        await tx.workspaces.add_member(Membership(workspace.id, user.id, Role.OWNER, now))
        await note(
            tx,
            now,
            Deed.WORKSPACE_CREATED,
            workspace_id=workspace.id,
            subject=workspace.id,
            name=workspace.name,
        )
        await tx.notices.append(NoticeKind.MEMBER_CHANGED, member_subject(workspace.id, user.id), now)

    await stores.write(add)
    return workspace


async def rename_workspace(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, name: str, now: datetime
) -> tuple[Workspace, Role]:
    """Gives it another name; says what it is now, and the caller's role.

    Raises:
        Invalid: the name is none.
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
    """
    chosen = labels.name(name)

    async def rename(tx: Tx) -> tuple[Workspace, Role]:
        before, role = await held_workspace(tx, actor, workspace_id, Role.ADMIN)
        if chosen != before.name:
            await tx.workspaces.rename(workspace_id, chosen, now)
            await note(
                tx,
                now,
                Deed.WORKSPACE_RENAMED,
                workspace_id=workspace_id,
                subject=workspace_id,
                name=chosen,
                name_before=before.name,
            )
        return (await seen_workspace(tx, actor, workspace_id))[0], role

    return await stores.write(rename)


async def delete_workspace(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, now: datetime
) -> list[UserId]:
    """Ends an empty workspace with its invitations and the pairing tokens made for it; says whose it was.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to delete.
        Conflict: it is a personal one, or there is something in it.
    """

    async def delete(tx: Tx) -> list[UserId]:
        workspace, _ = await held_workspace(tx, actor, workspace_id, Role.OWNER)
        if workspace.personal_of is not None:
            raise Conflict("a personal workspace stays as long as its account")
        await tx.invitations.remove_of_workspace(workspace_id)
        # Before anything is counted: whoever is exchanging one just now is waited for.
        await tx.pairing_tokens.revoke_of_workspace(workspace_id, now)
        await _need_empty(tx, workspace_id)
        members = [each.user_id for each in await tx.workspaces.members(workspace_id, MAX_ROWS)]
        await tx.workspaces.delete(workspace_id, now)
        await note(
            tx,
            now,
            Deed.WORKSPACE_DELETED,
            workspace_id=workspace_id,
            subject=workspace_id,
            name=workspace.name,
        )
        for user_id in members:
            await tx.notices.append(NoticeKind.MEMBER_REMOVED, member_subject(workspace_id, user_id), now)
        return members

    return await stores.write(delete)


async def held_caller(tx: Tx, actor: Actor) -> User:
    """The caller's account, for this transaction alone to count by; NotAllowed for a disabled one."""
    user = await tx.users.lock_or_none(actor.user_id)
    if user is None or user.disabled_at is not None:
        raise NotAllowed("this account is disabled")
    return user


async def need_room_for_one_more(tx: Tx, user_id: UserId) -> None:
    """Raises Conflict where the user, who is held, is in as many workspaces as one may be."""
    if len(await tx.workspaces.list_of_user(user_id, MAX_WORKSPACES_PER_USER)) >= MAX_WORKSPACES_PER_USER:
        raise Conflict(f"one can be in {MAX_WORKSPACES_PER_USER} workspaces; leave one first")


async def held_workspace(
    tx: Tx, actor: Actor, workspace_id: WorkspaceId, least: Role
) -> tuple[Workspace, Role]:
    """The workspace, for this transaction alone to change, and what the caller is in it now.

    Raises:
        NotFound: it is none of the caller's.
        NotAllowed: the caller is less than `least` there.
    """
    # Asked before it is held, and once more after: who has no business here holds nobody up, and what is somebody else's
    # is the same one question as what is not there.
    await _need_in(tx, actor, workspace_id)
    return await _with_role(tx, actor, await tx.workspaces.lock_or_none(workspace_id), least)


async def seen_workspace(
    tx: Tx, actor: Actor, workspace_id: WorkspaceId, least: Role = Role.MEMBER
) -> tuple[Workspace, Role]:
    """As `held_workspace`, for who only reads."""
    await _need_in(tx, actor, workspace_id)
    return await _with_role(tx, actor, await tx.workspaces.get_or_none(workspace_id), least)


async def _need_in(tx: Tx, actor: Actor, workspace_id: WorkspaceId) -> None:
    if not is_uuid(workspace_id) or await tx.workspaces.role_or_none(workspace_id, actor.user_id) is None:
        raise NotFound("no such workspace")


async def _with_role(
    tx: Tx, actor: Actor, workspace: Workspace | None, least: Role
) -> tuple[Workspace, Role]:
    role = await tx.workspaces.role_or_none(workspace.id, actor.user_id) if workspace is not None else None
    if workspace is None or role is None:
        raise NotFound("no such workspace")
    if not role.is_at_least(least):
        who = "an owner" if least is Role.OWNER else "an admin or an owner"
        raise NotAllowed(f"only {who} of the workspace may do this")
    return workspace, role


async def _need_empty(tx: Tx, workspace_id: WorkspaceId) -> None:
    devices = await tx.devices.count_in([workspace_id])
    models = await tx.models.count_in([workspace_id])
    if devices or models:
        raise Conflict(
            f"the workspace still has devices ({devices}) or models ({models}); unpair or move those, delete these"
        )
