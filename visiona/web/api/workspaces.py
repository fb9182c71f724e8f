"""Workspaces, and who is in them."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response

from visiona.domain.access import Role, Scope
from visiona.domain.errors import Conflict, Invalid
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.workspaces import Workspace
from visiona.services.members import Member, change_role, list_members, remove_member
from visiona.services.workspaces import (
    create_workspace,
    delete_workspace,
    get_workspace,
    list_workspaces,
    rename_workspace,
)
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, moment, no_content, ok
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import body_fields
from visiona.web.revoking import Revoking
from visiona.web.workspace_shapes import (
    MemberGone,
    MemberList,
    MemberRole,
    RoleWish,
    WorkspaceItem,
    WorkspaceList,
    WorkspaceName,
)


def workspace_routes(stores: Stores, revoking: Revoking, now: Callable[[], datetime]) -> Blueprint:
    """The routes. Inviting people is in invitations.py."""
    routes = Blueprint("workspaces", __name__)
    _add_members(routes, stores, revoking, now)

    @routes.get("/api/workspaces")
    @described(answer=WorkspaceList)
    async def list_all() -> Response:
        """The caller's workspaces, with the caller's role."""
        found = await list_workspaces(stores, current_actor())
        return ok({"items": [_shown(*item) for item in found], "next_cursor": None})

    @routes.post("/api/workspaces")
    @described(answer=WorkspaceItem, status=201, body=WorkspaceName, refusals=(Conflict,))
    async def create() -> Response:
        """Make a workspace; its owner is the caller."""
        actor = current_actor(Scope.WORKSPACES)
        fields = await body_fields()
        made = await create_workspace(stores, actor, fields.text("name"), now())
        revoking.at_once(NoticeKind.MEMBER_CHANGED, member_subject(made.id, actor.user_id))
        return ok(_shown(made, Role.OWNER), 201)

    @routes.get("/api/workspaces/<workspace_id>")
    @described(answer=WorkspaceItem)
    async def get(workspace_id: str) -> Response:
        """One workspace."""
        actor = current_actor(Scope.WORKSPACES)
        return ok(_shown(*await get_workspace(stores, actor, WorkspaceId(workspace_id))))

    @routes.patch("/api/workspaces/<workspace_id>")
    @described(answer=WorkspaceItem, body=WorkspaceName)
    async def rename(workspace_id: str) -> Response:
        """Rename a workspace."""
        actor = current_actor(Scope.WORKSPACES)
        fields = await body_fields()
        changed = await rename_workspace(stores, actor, WorkspaceId(workspace_id), fields.text("name"), now())
        return ok(_shown(*changed))

    @routes.delete("/api/workspaces/<workspace_id>")
    @described(status=204, refusals=(Conflict,))
    async def delete(workspace_id: str) -> Response:
        """Delete a workspace that holds neither devices nor models."""
        actor = current_actor(Scope.WORKSPACES)
        for user_id in await delete_workspace(stores, actor, WorkspaceId(workspace_id), now()):
            revoking.at_once(NoticeKind.MEMBER_REMOVED, member_subject(WorkspaceId(workspace_id), user_id))
        return no_content()

    return routes


def _add_members(routes: Blueprint, stores: Stores, revoking: Revoking, now: Callable[[], datetime]) -> None:
    @routes.get("/api/workspaces/<workspace_id>/members")
    @described(answer=MemberList)
    async def members(workspace_id: str) -> Response:
        """Who is in a workspace, the oldest membership first."""
        actor = current_actor(Scope.WORKSPACES)
        found = await list_members(stores, actor, WorkspaceId(workspace_id))
        return ok({"items": [_member(each) for each in found], "next_cursor": None})

    @routes.patch("/api/workspaces/<workspace_id>/members/<user_id>")
    @described(answer=MemberRole, body=RoleWish, refusals=(Conflict,))
    async def change(workspace_id: str, user_id: str) -> Response:
        """Change a member's role."""
        actor = current_actor(Scope.WORKSPACES)
        fields = await body_fields()
        role = read_role(fields.text("role"))
        whose = WorkspaceId(workspace_id), UserId(user_id)
        if await change_role(stores, actor, *whose, role, now()) is not role:
            revoking.at_once(NoticeKind.MEMBER_CHANGED, member_subject(*whose))
        return ok({"user_id": user_id, "role": role.value})

    @routes.delete("/api/workspaces/<workspace_id>/members/<user_id>")
    @described(answer=MemberGone, refusals=(Conflict,))
    async def remove(workspace_id: str, user_id: str) -> Response:
        """Take a member out of a workspace, or leave it; what they run over its devices ends at once."""
        actor = current_actor(Scope.WORKSPACES)
        whose = WorkspaceId(workspace_id), UserId(user_id)
        await remove_member(stores, actor, *whose, now())
        cut = revoking.at_once(NoticeKind.MEMBER_REMOVED, member_subject(*whose))
        return ok({"user_id": user_id, "sockets_closed": cut.sockets})


def read_role(text: str) -> Role:
    """A role as it is written; raises Invalid."""
    if text not in {role.value for role in Role}:
        raise Invalid("role: " + ", ".join(role.value for role in Role))
    return Role(text)


def _shown(workspace: Workspace, role: Role) -> Json:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "role": role.value,
        "personal": workspace.personal_of is not None,
        "created_at": moment(workspace.created_at),
        "updated_at": moment(workspace.updated_at),
    }


def _member(member: Member) -> Json:
    return {
        "user_id": member.user.id,
        "email": member.user.email,
        "name": member.user.name,
        "role": member.membership.role.value,
        "joined_at": moment(member.membership.created_at),
    }
