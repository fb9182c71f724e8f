"""Who am I, and for how long; and the two kept routes that this server answers with a polite no."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response

from visiona.domain.errors import Gone
from visiona.services.sessions import current_session_or_none
from visiona.services.workspaces import list_workspaces
from visiona.stores.interfaces import Stores
from visiona.web.answers import moment, ok, without_nothing
from visiona.web.api.sessions import session_limits
from visiona.web.described import described
from visiona.web.errors import NotOffered
from visiona.web.guards import current_actor
from visiona.web.people_shapes import Me


def auth_routes(stores: Stores, now: Callable[[], datetime]) -> Blueprint:
    """The routes."""
    routes = Blueprint("auth", __name__)

    @routes.get("/api/auth/me")
    @described(answer=Me)
    async def me() -> Response:
        """Who the credential belongs to, and until when it is good."""
        actor = current_actor()
        workspaces = await list_workspaces(stores, actor)
        session = await current_session_or_none(stores, actor, now())
        return ok(
            without_nothing(
                {
                    "sub": actor.user_id,
                    "email": actor.email,
                    "name": actor.name,
                    "workspaces": [
                        {"id": workspace.id, "name": workspace.name, "role": role.value}
                        for workspace, role in workspaces
                    ],
                    "personal_workspace_id": actor.personal_workspace,
                    "scopes": sorted(scope.value for scope in actor.scopes),
                    "expires_at": moment(session.idle_expires_at if session else actor.expires_at),
                    "session": {"id": session.id, **session_limits(session)} if session else None,
                }
            )
        )

    @routes.post("/api/auth/login")
    @described(status=0, also={410: "Refused: `NOT_IMPLEMENTED`."})
    async def login_with_password() -> Response:
        """Kept for the existing front-end: 410, nobody sends a password here."""
        raise Gone(
            "no password is taken here: people sign in with their browser, programs send a personal access token",
            code="NOT_IMPLEMENTED",
        )

    @routes.post("/api/auth/register")
    @described(status=0, refusals=(NotOffered,))
    async def register() -> Response:
        """Kept for the existing front-end: 501, accounts are made by an administrator."""
        raise NotOffered("accounts are made by an administrator")

    return routes
