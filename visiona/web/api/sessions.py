"""Sessions of the caller: where one is signed in, and ending it there."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response

from visiona.domain.access import Scope
from visiona.domain.errors import NotFound
from visiona.domain.ids import SessionId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.domain.pages import Position
from visiona.domain.sessions import UserSession
from visiona.services.sessions import end_session, list_sessions
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, listed, moment, no_content, page_of
from visiona.web.guards import current_actor
from visiona.web.revoking import Revoking


def session_routes(stores: Stores, revoking: Revoking, now: Callable[[], datetime]) -> Blueprint:
    """The routes."""
    routes = Blueprint("sessions", __name__)

    @routes.get("/api/auth/sessions")
    async def sessions() -> Response:
        """Where the caller is signed in, the newest first."""
        actor = current_actor(Scope.ACCOUNT)
        found = await list_sessions(stores, actor.user_id, now())
        found.sort(key=lambda session: (session.created_at, session.id), reverse=True)
        page = page_of(found, lambda session: Position(session.created_at, session.id))
        return listed(page, lambda session: shown(session, is_current=session.id == actor.credential_id))

    @routes.delete("/api/auth/sessions/<session_id>")
    async def end(session_id: str) -> Response:
        """Sign out there: the session and what runs on it end at once."""
        actor = current_actor(Scope.ACCOUNT)
        if not is_uuid(session_id):
            raise NotFound("there is no such session")
        await end_session(stores, SessionId(session_id), now(), user_id=actor.user_id)
        revoking.at_once(NoticeKind.SESSION_ENDED, session_id)
        return no_content()

    return routes


def shown(session: UserSession, *, is_current: bool) -> Json:
    """A session as its owner sees it."""
    return {
        "id": session.id,
        "current": is_current,
        "created_at": moment(session.created_at),
        "last_seen_at": moment(session.last_seen_at),
        "idle_expires_at": moment(session.idle_expires_at),
        "expires_at": moment(session.absolute_expires_at),
        "user_agent": session.user_agent,
        "address": session.address,
    }
