"""The caller's own sign-ins: where there is one, and ending it."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response

from visiona.domain.access import Actor, Scope
from visiona.domain.errors import NotFound
from visiona.domain.ids import SessionId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.domain.pages import Position
from visiona.domain.sessions import UserSession
from visiona.services.sessions import end_session, list_sessions
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, listed, moment, no_content, page_of
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.people_shapes import SessionItem
from visiona.web.revoking import Revoking


def session_routes(stores: Stores, revoking: Revoking, now: Callable[[], datetime]) -> Blueprint:
    """The routes."""
    routes = Blueprint("sessions", __name__)

    @routes.get("/api/auth/sessions")
    @described(answer=SessionItem, is_paged=True)
    async def list_own() -> Response:
        """The caller's live sign-ins, the newest first."""
        actor = current_actor(Scope.ACCOUNT)
        sessions = await list_sessions(stores, actor.user_id, now())
        # By when they began, not by when they were used: a page must not change under the reader.
        sessions.sort(key=lambda session: (session.created_at, session.id), reverse=True)
        page = page_of(sessions, lambda session: Position(session.created_at, session.id))
        return listed(page, lambda session: _shown(session, actor))

    @routes.delete("/api/auth/sessions/<session_id>")
    @described(status=204)
    async def end_own(session_id: str) -> Response:
        """End a sign-in and what runs on it, at once; also the one that asks."""
        actor = current_actor(Scope.ACCOUNT)
        if not is_uuid(session_id):
            raise NotFound("there is no such session")
        await end_session(stores, SessionId(session_id), now(), user_id=actor.user_id)
        revoking.at_once(NoticeKind.SESSION_ENDED, session_id)
        return no_content()

    return routes


def session_limits(session: UserSession) -> Json:
    """When it ends, by which limit."""
    return {
        "expires_at": moment(session.idle_expires_at),
        "absolute_expires_at": moment(session.absolute_expires_at),
        "idle_seconds": int(session.idle.total_seconds()),
    }


def _shown(session: UserSession, actor: Actor) -> Json:
    return {
        "id": session.id,
        "current": session.id == actor.credential_id,
        "created_at": moment(session.created_at),
        "last_seen_at": moment(session.last_seen_at),
        **session_limits(session),
        "user_agent": session.user_agent,
        "address": session.address,
        "issuer": session.issuer,
    }
