"""Who owns a workspace when accounts are disabled.

A disabled owner keeps the role and can do nothing with it, so such a one does not count: where anybody in a workspace
can sign in, an owner can. It is the server that sees to it, for disabling an account must never wait for anybody's
consent: see docs/decisions/0013-disabled-owners.md.
"""

from dataclasses import dataclass
from datetime import datetime

from visiona.domain.access import Role
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.services.audit import note
from visiona.stores.interfaces import MAX_ROWS, Tx


@dataclass(frozen=True, slots=True)
class Heir:
    """Who became the owner of what, because no owner could sign in any more."""

    workspace_id: WorkspaceId
    workspace: str
    user_id: UserId
    email: str


async def need_another_owner(tx: Tx, workspace_id: WorkspaceId, user_id: UserId) -> None:
    """Raises Conflict unless somebody else owns the workspace, which is held, and can sign in."""
    people = await tx.workspaces.people(workspace_id, MAX_ROWS)
    if not any(each.role is Role.OWNER and user.id != user_id for each, user in _able(people)):
        raise Conflict(
            "a workspace has an owner who can sign in; make somebody else one first, or delete the workspace"
        )


async def held_shared(tx: Tx, user_id: UserId) -> list[Workspace]:
    """The user's workspaces that are not personal ones, for this transaction alone to change; the user is held.

    All of them, whatever the user is there: somebody may be about to make an heir of them.
    """
    found = await tx.workspaces.list_of_user(user_id, MAX_ROWS)
    ids = sorted(workspace.id for workspace, _ in found if workspace.personal_of is None)
    held = [await tx.workspaces.lock_or_none(workspace_id) for workspace_id in ids]
    return [workspace for workspace in held if workspace is not None and workspace.deleted_at is None]


async def find_heir(tx: Tx, workspace: Workspace, now: datetime) -> Heir | None:
    """Makes an owner of the admin, else the member, who is there the longest; None where there is no need, or nobody.

    The workspace must be held.
    """
    able = _able(await tx.workspaces.people(workspace.id, MAX_ROWS))
    if not able or any(each.role is Role.OWNER for each, _ in able):
        return None
    membership, user = next((each for each in able if each[0].role is Role.ADMIN), able[0])
    await tx.workspaces.set_role(workspace.id, user.id, Role.OWNER)
    await note(
        tx,
        now,
        Deed.ROLE_CHANGED,
        workspace_id=workspace.id,
        subject=user.id,
        role=Role.OWNER.value,
        role_before=membership.role.value,
        how="no owner could sign in",
    )
    await tx.notices.append(NoticeKind.MEMBER_CHANGED, member_subject(workspace.id, user.id), now)
    return Heir(workspace.id, workspace.name, user.id, user.email)


def _able(people: list[tuple[Membership, User]]) -> list[tuple[Membership, User]]:
    return [(each, user) for each, user in people if user.disabled_at is None]
