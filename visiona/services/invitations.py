"""Inviting people into a workspace, and accepting that.

An invitation names an address and is shown once, as a link, to whoever made it; where the server may send mail, it also
goes to the address (web/invitation_mail.py). It works for the account of that address alone, so it is worth nothing to
whoever finds it. Nothing an inviter is told depends on whether the address has an account here.
"""

from dataclasses import dataclass, field
from datetime import datetime

from visiona.domain.access import Actor, Role
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Gone, Invalid, NotAllowed, NotFound
from visiona.domain.ids import InvitationId, WorkspaceId, is_uuid
from visiona.domain.invitations import INVITABLE, INVITATION_TTL, MAX_PEOPLE_PER_WORKSPACE, Invitation
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.tokens import TokenKind, token_hash
from visiona.domain.users import normalised_email
from visiona.domain.workspaces import Membership, Workspace
from visiona.services.audit import note
from visiona.services.minting import mint_id, mint_token
from visiona.services.workspaces import held_caller, held_workspace, need_room_for_one_more, seen_workspace
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

_GONE = "this invitation was used or withdrawn, or its 7 days are over; ask for another"


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation, its text, which exists nowhere else, and the workspace that it is for."""

    invitation: Invitation
    text: str = field(repr=False)
    workspace: Workspace


async def invite(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, email: str, role: Role, now: datetime
) -> NewInvitation:
    """Invites the person of an address. One that waited for the same address is no good any more.

    Raises:
        Invalid: the address is none, or the role is none to be invited as.
        NotFound, NotAllowed: the workspace is not the caller's to see, or not to change.
        Conflict: it is a personal one, it is full, or the person is a member.
    """
    if role not in INVITABLE:
        raise Invalid("role: member or admin; an owner is made of somebody who is a member")
    text = mint_token(TokenKind.INVITATION)
    made = Invitation(
        id=InvitationId(mint_id(now)),
        hash=token_hash(text, TokenKind.INVITATION) or "",
        workspace_id=workspace_id,
        email=normalised_email(email),
        role=role,
        invited_by=actor.user_id,
        created_at=now,
        expires_at=now + INVITATION_TTL,
    )

    async def add(tx: Tx) -> Workspace:
        workspace, _ = await held_workspace(tx, actor, workspace_id, Role.ADMIN)
        if workspace.personal_of is not None:
            raise Conflict("a personal workspace is one person's; make a workspace to share")
        await tx.invitations.remove_of_address(workspace_id, made.email)
        await _need_room(tx, made)
        await tx.invitations.add(made)
        await note(
            tx,
            now,
            Deed.MEMBER_INVITED,
            workspace_id=workspace_id,
            subject=made.id,
            email=made.email,
            role=role.value,
        )
        return workspace

    return NewInvitation(made, text, await stores.write(add))


async def list_invitations(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, now: datetime
) -> list[Invitation]:
    """Those that wait, the newest first.

    Raises:
        NotFound, NotAllowed: the workspace is not the caller's to see, or not to change.
    """

    async def look_up(tx: Tx) -> list[Invitation]:
        await seen_workspace(tx, actor, workspace_id, Role.ADMIN)
        found = await tx.invitations.list_of_workspace(workspace_id, MAX_ROWS)
        return [each for each in found if each.is_live(now)]

    return await stores.read(look_up)


async def withdraw_invitation(
    stores: Stores, actor: Actor, workspace_id: WorkspaceId, invitation_id: InvitationId, now: datetime
) -> None:
    """Takes an invitation back.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change; or it waits no longer.
    """

    async def withdraw(tx: Tx) -> None:
        await held_workspace(tx, actor, workspace_id, Role.ADMIN)
        found = await tx.invitations.get_or_none(invitation_id) if is_uuid(invitation_id) else None
        if found is None or found.workspace_id != workspace_id or not await tx.invitations.remove(found.id):
            raise NotFound("there is no such invitation")
        await note(
            tx,
            now,
            Deed.INVITATION_REVOKED,
            workspace_id=workspace_id,
            subject=found.id,
            email=found.email,
        )

    await stores.write(withdraw)


async def accept_invitation(stores: Stores, actor: Actor, text: str, now: datetime) -> tuple[Workspace, Role]:
    """Makes the caller a member; of any number who try at once with one invitation it is one.

    Raises:
        Gone: there is no such invitation, or none any more: the caller cannot tell which.
        NotAllowed: it is for another address. It stays as it is.
        Conflict: the caller is a member, or is in too many workspaces.
    """
    hashed = token_hash(text.strip(), TokenKind.INVITATION)

    async def accept(tx: Tx) -> tuple[Workspace, Role]:
        found = await tx.invitations.by_hash_or_none(hashed) if hashed is not None else None
        if found is None or not found.is_live(now):
            raise Gone(_GONE)
        user = await held_caller(tx, actor)
        if user.email != found.email:
            raise NotAllowed("this invitation is for another address; sign in with that one")
        workspace = await tx.workspaces.lock_or_none(found.workspace_id)
        if workspace is None or not await tx.invitations.remove(found.id):
            raise Gone(_GONE)
        if await tx.workspaces.role_or_none(workspace.id, user.id) is not None:
            raise Conflict("you are a member of this workspace already")
        await need_room_for_one_more(tx, user.id)
        await tx.workspaces.add_member(Membership(workspace.id, user.id, found.role, now))
        await note(
            tx,
            now,
            Deed.MEMBER_JOINED,
            workspace_id=workspace.id,
            subject=user.id,
            role=found.role.value,
            invitation=found.id,
        )
        await tx.notices.append(NoticeKind.MEMBER_CHANGED, member_subject(workspace.id, user.id), now)
        return workspace, found.role

    return await stores.write(accept)


async def _need_room(tx: Tx, invitation: Invitation) -> None:
    people = await tx.workspaces.people(invitation.workspace_id, MAX_ROWS)
    if any(user.email == invitation.email for _, user in people):
        raise Conflict(f"{invitation.email} is a member already")
    listed = await tx.invitations.list_of_workspace(invitation.workspace_id, MAX_ROWS)
    # Those that are over take no room until they are forgotten.
    waiting = [each for each in listed if each.is_live(invitation.created_at)]
    if len(people) + len(waiting) >= MAX_PEOPLE_PER_WORKSPACE:
        raise Conflict(f"a workspace has room for {MAX_PEOPLE_PER_WORKSPACE} members and invitations")
