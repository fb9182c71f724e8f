"""`POST /api/auth/backchannel-logout`: the provider says that somebody signed out there (Back-Channel Logout 1.0)."""

import logging
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs

from quart import Blueprint, Response, g, request

from visiona.domain.audit import Deed
from visiona.domain.errors import Invalid, TooLarge
from visiona.domain.notices import NoticeKind
from visiona.integrations.interface import IdentityProvider, ProviderUnavailable, TokenInvalid
from visiona.services.audit import note_refused
from visiona.services.sessions import end_sessions_of_idp
from visiona.stores.interfaces import Stores
from visiona.web.bff.errors import from_provider, reason_of
from visiona.web.bff.replays import Replays
from visiona.web.described import described
from visiona.web.errors import ProviderDown
from visiona.web.revoking import Revoking

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 65536
_REFUSAL = "this logout token is not accepted"


def backchannel_routes(
    stores: Stores, provider: IdentityProvider, revoking: Revoking, now: Callable[[], datetime]
) -> Blueprint:
    """The route. No cookie counts here and no browser asks: the token's signature says who does."""
    routes = Blueprint("backchannel", __name__)
    replays = Replays()

    @routes.post("/api/auth/backchannel-logout")
    @described(also={200: "They have ended."}, status=0, refusals=(Invalid, TooLarge, ProviderDown))
    async def backchannel_logout() -> Response:
        """End the sessions that the provider's logout token names."""
        token = await _token()
        try:
            said = await provider.check_logout_token(token)
        except (ProviderUnavailable, TokenInvalid) as error:
            log.warning(
                "back-channel logout refused",
                extra={"reason": reason_of(error), "address": g.get("address", "")},
            )
            note_refused(Deed.SIGN_OUT_REFUSED, reason_of(error))
            if isinstance(error, ProviderUnavailable):
                raise from_provider(error) from error
            raise Invalid(_REFUSAL) from error
        if replays.is_known(said.jti):
            log.warning("back-channel logout repeated", extra={"address": g.get("address", "")})
            note_refused(Deed.SIGN_OUT_REFUSED, "the provider's word was said before")
            raise Invalid(_REFUSAL)
        moment = now()
        ended = await end_sessions_of_idp(stores, said.issuer, moment, subject=said.subject, idp_sid=said.sid)
        replays.remember(said.jti, said.expires_at, moment.timestamp())
        for session_id in ended:
            revoking.at_once(NoticeKind.SESSION_ENDED, session_id)
        log.info("signed out by the identity provider", extra={"sessions": len(ended)})
        response = Response(b"", status=200)
        del response.headers["Content-Type"]
        return response

    return routes


async def _token() -> str:
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid("send logout_token as a form")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise TooLarge("a logout token is smaller")
    body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("a logout token is smaller")
    try:
        values = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10).get(
            "logout_token", []
        )
    except ValueError:
        values = []
    if len(values) != 1:
        raise Invalid("send exactly one logout_token")
    return values[0]
