"""The caller's workspaces."""

from quart import Blueprint, Response

from visiona.domain.access import Role
from visiona.domain.workspaces import Workspace
from visiona.services.list_workspaces import list_workspaces
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, moment, ok
from visiona.web.guards import current_actor


def workspace_routes(stores: Stores) -> Blueprint:
    """The routes; making, changing and membership come with people's sign-in."""
    routes = Blueprint("workspaces", __name__)

    @routes.get("/api/workspaces")
    async def list_all() -> Response:
        """The caller's workspaces, with the caller's role."""
        found = await list_workspaces(stores, current_actor())
        return ok({"items": [_shown(*item) for item in found], "next_cursor": None})

    return routes


def _shown(workspace: Workspace, role: Role) -> Json:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "role": role.value,
        "personal": workspace.personal_of is not None,
        "created_at": moment(workspace.created_at),
        "updated_at": moment(workspace.updated_at),
    }
