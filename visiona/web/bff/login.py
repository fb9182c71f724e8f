"""`GET /api/auth/login`: notes an attempt and sends the browser to the identity provider."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from urllib.parse import urlencode

from quart import Blueprint, Response, g, request

from visiona.domain.return_to import local_path
from visiona.domain.sessions import PENDING_LOGIN_TTL, PendingLogin, secret_hash
from visiona.integrations.interface import Attempt, IdentityProvider, ProviderUnavailable
from visiona.services.minting import mint_secret
from visiona.stores.interfaces import Stores
from visiona.web.bff.browser import browser_of, login_cookie, new_browser
from visiona.web.bff.errors import GoesInCircles, from_provider, reason_of
from visiona.web.bff.loops import Loops
from visiona.web.bff.pages import is_for_device, shown_to_people
from visiona.web.bff.place import Place
from visiona.web.bff.requests import redirect
from visiona.web.cross_site import cross_site_fault
from visiona.web.current_request import request_header
from visiona.web.described import described
from visiona.web.errors import ProviderDown, SignInFailed
from visiona.web.rate_limits import SignInBeginnings

log = logging.getLogger(__name__)

_ROUND = "you have signed in several times within a minute and were sent back each time: does your browser keep cookies?"
_ELSEWHERE = (
    "this server does not know that it is reached by this address; whoever runs it sets web.public_url"
)


class LoginQuery(TypedDict, total=False):
    """What may stand behind the path."""

    return_to: str


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that is on its way: where to, and what to remember of the browser."""

    url: str
    browser: str


def login_routes(
    stores: Stores,
    provider: IdentityProvider,
    place: Place,
    loops: Loops,
    beginnings: SignInBeginnings,
    now: Callable[[], datetime],
) -> Blueprint:
    """The route."""
    routes = Blueprint("login", __name__)

    @routes.get("/api/auth/login")
    @described(
        also={302: "To the identity provider."},
        status=0,
        query=LoginQuery,
        refusals=(SignInFailed, ProviderDown),
    )
    @shown_to_people(place)
    async def login() -> Response:
        """Send the browser to the identity provider, and afterwards to the local path `return_to`."""
        if not place.is_here(request.headers.get("Host")) and "here" not in request.args:
            return _at_the_right_address(place)
        known = browser_of(request_header("cookie"), place)
        browser = known or new_browser()
        _check_loop(loops, browser)
        await beginnings.attempt(g.get("address", ""))
        return_to = _return_to(place)
        try:
            begun = await begin(stores, provider, place, browser, return_to, now())
        except ProviderUnavailable as error:
            log.warning(
                "sign-in not possible", extra={"reason": reason_of(error), "address": g.get("address", "")}
            )
            raise from_provider(error) from error
        response = redirect(begun.url)
        response.headers.add("Set-Cookie", login_cookie(place, begun.browser))
        return response

    return routes


async def begin(
    stores: Stores, provider: IdentityProvider, place: Place, browser: str, return_to: str, now: datetime
) -> Begun:
    """Makes the secrets of one attempt, keeps them, and says where to go.

    Raises:
        ProviderUnavailable: nothing was kept.
        StoreUnavailable: likewise.
    """
    state, nonce, verifier = mint_secret(), mint_secret(), mint_secret()
    url = await provider.authorization_url(Attempt(place.callback_url, nonce, verifier, now), state)
    pending = PendingLogin(
        state_hash=_hash(state),
        browser_hash=_hash(browser),
        nonce=nonce,
        code_verifier=verifier,
        return_to=return_to,
        created_at=now,
        expires_at=now + PENDING_LOGIN_TTL,
    )
    await stores.pending_logins.create(pending)
    return Begun(url, browser)


def _check_loop(loops: Loops, browser: str) -> None:
    if "again" in request.args:
        loops.forget(browser)
    elif (wait := loops.wait_seconds(browser)) > 0:
        raise GoesInCircles(_ROUND, retry_after_seconds=max(1, round(wait)))


def _at_the_right_address(place: Place) -> Response:
    """Cookies belong to a host name: who begins at `localhost` must not come back to `127.0.0.1`."""
    if not place.is_sure(request.headers.get("Host")):
        raise SignInFailed(_ELSEWHERE)
    query = {"return_to": local_path(request.args.get("return_to"), place.home), "here": "1"}
    return redirect(f"{place.base}/api/auth/login?{urlencode(query)}")


def _return_to(place: Place) -> str:
    """Where the person wants to go; never to a device where another site's page chose it.

    A device's paths may not be asked for by other sites' pages (cross_site.py), and the way back from a sign-in is a
    page of ours: whoever could begin one would have a device do something by GET, in the person's name.
    """
    path = local_path(request.args.get("return_to"), place.home)
    is_foreign = cross_site_fault("GET", request_header, place.own_origin) is not None
    return place.home if is_foreign and is_for_device(path, place) else path


def _hash(secret: str) -> str:
    hashed = secret_hash(secret)
    assert hashed is not None
    return hashed
