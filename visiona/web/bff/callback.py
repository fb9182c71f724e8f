"""`GET /api/auth/callback`: a browser comes back from the identity provider; if all is as it left, a session begins.

In this order: the attempt is this browser's and is used up now; the answer is of the provider that was asked; only
then does the code go anywhere. Every refusal reads the same in the browser, and says why in the log.
"""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from quart import Blueprint, Response, g, request

from visiona.domain.audit import Deed
from visiona.domain.errors import NotAllowed
from visiona.domain.notices import NoticeKind
from visiona.domain.return_to import local_path
from visiona.domain.sessions import PendingLogin, SessionLimits, secret_hash
from visiona.integrations.interface import (
    Attempt,
    IdentityProvider,
    Person,
    ProviderRefused,
    ProviderUnavailable,
    TokenInvalid,
)
from visiona.services.audit import note_refused
from visiona.services.sign_in import Browser, Claims, SignedIn, sign_in
from visiona.stores.interfaces import Stores
from visiona.web.bff.browser import browser_of, session_cookie
from visiona.web.bff.errors import failed, from_provider, reason_of
from visiona.web.bff.loops import Loops
from visiona.web.bff.pages import onward, shown_to_people
from visiona.web.bff.place import Place
from visiona.web.bff.requests import single_parameters
from visiona.web.cookies import SessionCookie
from visiona.web.current_request import request_header
from visiona.web.described import described
from visiona.web.errors import ProviderDown, SignInFailed
from visiona.web.revoking import Revoking

log = logging.getLogger(__name__)

_PARAMETERS = {"state": 128, "code": 4096, "iss": 2048, "error": 128}
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")


def callback_routes(
    stores: Stores,
    provider: IdentityProvider,
    place: Place,
    loops: Loops,
    revoking: Revoking,
    cookie: SessionCookie,
    limits: SessionLimits,
    now: Callable[[], datetime],
) -> Blueprint:
    """The route."""
    routes = Blueprint("callback", __name__)

    @routes.get("/api/auth/callback")
    @described(
        also={
            302: "A session has begun: to where the sign-in was for.",
            200: "The same, by a page that leads on.",
        },
        status=0,
        refusals=(SignInFailed, ProviderDown),
    )
    @shown_to_people(place)
    async def callback() -> Response:
        """The identity provider's answer: begin a session and go where the sign-in was for."""
        given = single_parameters(_PARAMETERS)
        browser = browser_of(request_header("cookie"), place)
        if given is None or browser is None:
            raise _refused("no cookie of this browser" if browser is None else "parameters twice or too long")
        pending = await _taken(stores, given, browser, now())
        person = await _person(provider, place, given, pending)
        signed_in = await _begun(stores, person, cookie.read(request_header("cookie")), limits, now())
        loops.completed(browser)
        if signed_in.replaced is not None:
            revoking.at_once(NoticeKind.SESSION_ENDED, signed_in.replaced)
        log.info(
            "signed in",
            extra={
                "user_id": signed_in.user.id,
                "session_id": signed_in.session.id,
                "issuer": person.issuer,
                "address": g.get("address", ""),
            },
        )
        # Checked again here: what came out of a store is text from outside.
        response = onward(local_path(pending.return_to, place.home), place)
        response.headers.add("Set-Cookie", session_cookie(place, cookie, signed_in.text))
        return response

    return routes


async def _taken(stores: Stores, given: Mapping[str, str], browser: str, now: datetime) -> PendingLogin:
    """The attempt of this state, used up; only the browser that began it can."""
    state_hash, browser_hash = secret_hash(given.get("state", "")), secret_hash(browser)
    if state_hash is None or browser_hash is None:
        raise _refused("state: not one of ours")
    pending = await stores.pending_logins.take(state_hash, browser_hash, now)
    if pending is None:
        raise _refused("state: unknown, used, over, or of another browser")
    return pending


async def _person(
    provider: IdentityProvider, place: Place, given: Mapping[str, str], pending: PendingLogin
) -> Person:
    attempt = Attempt(place.callback_url, pending.nonce, pending.code_verifier, pending.created_at)
    try:
        await provider.check_response_issuer(given.get("iss"))
        if "error" in given:
            code = given["error"]
            raise ProviderRefused(code if _ERROR_CODE.fullmatch(code) else "something unreadable")
        return await provider.exchange_code(given.get("code", ""), attempt)
    except (ProviderUnavailable, ProviderRefused, TokenInvalid) as error:
        log.warning("sign-in failed", extra={"reason": reason_of(error), "address": g.get("address", "")})
        note_refused(Deed.SIGN_IN_REFUSED, reason_of(error))
        raise from_provider(error) from error


async def _begun(
    stores: Stores, person: Person, replaces: str | None, limits: SessionLimits, now: datetime
) -> SignedIn:
    claims = Claims(
        issuer=person.issuer,
        subject=person.subject,
        email=person.email,
        email_verified=person.email_verified,
        name=person.name or "",
        idp_sid=person.sid,
    )
    browser = Browser(request.headers.get("User-Agent", ""), g.get("address", ""))
    try:
        return await sign_in(stores, claims, now, browser=browser, limits=limits, replaces=replaces)
    except NotAllowed as error:
        log.warning("sign-in refused", extra={"reason": error.message, "address": g.get("address", "")})
        note_refused(Deed.SIGN_IN_REFUSED, error.message, issuer=person.issuer)
        raise


def _refused(reason: str) -> Exception:
    log.warning("sign-in failed", extra={"reason": reason, "address": g.get("address", "")})
    note_refused(Deed.SIGN_IN_REFUSED, reason)
    return failed()
