"""`POST /api/auth/logout`: ends the session here, and says where to end it at the provider too."""

import logging
from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response, g, request

from visiona.domain.notices import NoticeKind
from visiona.integrations.interface import IdentityProvider, ProviderUnavailable
from visiona.services.sessions import session_or_none, sign_out
from visiona.stores.interfaces import Stores
from visiona.web.answers import ok, without_nothing
from visiona.web.bff.browser import CLEARED, no_session_cookie
from visiona.web.bff.errors import reason_of
from visiona.web.bff.place import Place
from visiona.web.cookies import SessionCookie
from visiona.web.cross_site import check_cross_site
from visiona.web.current_request import request_header
from visiona.web.described import described
from visiona.web.people_shapes import SignOut
from visiona.web.revoking import Revoking

log = logging.getLogger(__name__)


def logout_routes(
    stores: Stores,
    provider: IdentityProvider,
    place: Place,
    revoking: Revoking,
    cookie: SessionCookie,
    now: Callable[[], datetime],
) -> Blueprint:
    """The route."""
    routes = Blueprint("logout", __name__)

    @routes.post("/api/auth/logout")
    @described(answer=SignOut)
    async def logout() -> Response:
        """End this session and what runs on it; the same answer when it has ended already."""
        check_cross_site(request.method, request_header, place.own_origin)
        await _end(stores, revoking, cookie.read(request_header("cookie")), now())
        response = ok(without_nothing({"logout_url": await _logout_url(provider, place)}))
        response.headers.add("Set-Cookie", no_session_cookie(place, cookie))
        response.headers["Clear-Site-Data"] = CLEARED
        return response

    return routes


async def _end(stores: Stores, revoking: Revoking, text: str | None, now: datetime) -> None:
    session = await session_or_none(stores, text, now) if text is not None else None
    if session is None:
        return
    await sign_out(stores, session, now)
    revoking.at_once(NoticeKind.SESSION_ENDED, session.id)
    log.info("signed out", extra={"user_id": session.user_id, "address": g.get("address", "")})


async def _logout_url(provider: IdentityProvider, place: Place) -> str | None:
    try:
        return await provider.logout_url(place.home_url)
    except ProviderUnavailable as error:
        # Signing out here must not wait for anybody else.
        log.info("signed out here alone", extra={"reason": reason_of(error)})
        return None
