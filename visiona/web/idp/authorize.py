"""`/idp/authorize`: checks what the client asks, asks the person who they are, and sends a code back.

As long as client and redirect address are not known to be right, nothing is sent there: whoever made up the request
would be told. From then on the client is told what is wrong (RFC 6749 §4.1.2.1), always with our name (RFC 9207).
"""

from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import OAuth2Error
from quart import Blueprint, Response, request

from visiona.domain.errors import Invalid, TooMany
from visiona.web.idp.authenticate import account_or_none
from visiona.web.idp.browser import browser_or_none
from visiona.web.idp.issued import SignedIn
from visiona.web.idp.oauth import CodeGrant, Request, Server
from visiona.web.idp.params import Params, form_params, query_params
from visiona.web.idp.provider import Provider, address, page_of_request
from visiona.web.idp.showing import as_page, form_page, is_own_form, see_other, too_many

UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
"""Parameters that would change the meaning of the others, and what the client is told (OpenID Connect Core §3.1.2.6)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was found in order."""

    params: Params
    server: Server
    request: Request
    grant: CodeGrant


def authorize_routes(provider: Provider) -> Blueprint:
    """The routes."""
    routes = Blueprint("idp_authorize", __name__)

    @routes.get("/idp/authorize")
    @as_page(provider)
    async def ask() -> Response:
        """The sign-in page of the built-in identity provider."""
        params = _checked_params(provider)
        fresh = await _fresh_or_none(provider)
        try:
            asked = await _asked(provider, params, fresh)
        except OAuth2Error as error:
            return _refused(provider, params, error)
        if fresh is not None and (browser := browser_or_none(provider.place.base)) is not None:
            provider.issued.fresh.take(browser)
            return _granted(provider, asked, fresh)
        return await _page(provider, email=params.get("login_hint", ""))

    @routes.post("/idp/authorize")
    @as_page(provider)
    async def sign_in() -> Response:
        """The sign-in page's form."""
        params = _checked_params(provider)
        try:
            asked = await _asked(provider, params, None)
        except OAuth2Error as error:
            return _refused(provider, params, error)
        return await _sign_in(provider, asked, await form_params())

    return routes


async def _sign_in(provider: Provider, asked: Asked, form: Params) -> Response:
    email = form.get("email", "")
    if not await is_own_form(provider, form, _purpose()):
        return await _page(provider, email=email, trouble=page_of_request().text("stale"), status=400)
    try:
        user = await provider.passwords.user_or_none(email, form.get("password", ""), address())
    except TooMany as error:
        trouble, headers = too_many(error)
        return await _page(provider, email=email, trouble=trouble, status=429, headers=headers)
    if user is None:
        return await _page(provider, email=email, trouble=page_of_request().text("wrong"), status=403)
    return _granted(provider, asked, provider.signed_in(user, "password"))


def _checked_params(provider: Provider) -> Params:
    """The query, if client and redirect address are right; raises Invalid."""
    params, client = query_params(), provider.client
    if params.get("client_id") != client.client_id or params.get("redirect_uri") != client.redirect_uri:
        raise Invalid("this is not our client, or not its address")
    return params


async def _asked(provider: Provider, params: Params, fresh: SignedIn | None) -> Asked:
    """The request in order; raises OAuth2Error with what the client is to be told."""
    if params.get("response_type") != "code":
        raise OAuth2Error(error="unsupported_response_type")
    if params.get("response_mode", "query") != "query":
        raise OAuth2Error(error="invalid_request", description="Only response_mode=query is supported.")
    for name, error in UNSUPPORTED.items():
        if name in params:
            raise OAuth2Error(error=error)
    server, asked = await provider.server(), Request("GET", params)
    return Asked(params, server, asked, server.get_consent_grant(asked, end_user=fresh))


async def _fresh_or_none(provider: Provider) -> SignedIn | None:
    """Who opened a one-time link in this browser a moment ago, and may still sign in."""
    browser = browser_or_none(provider.place.base)
    fresh = provider.issued.fresh.get(browser) if browser is not None else None
    user = await account_or_none(provider.stores, fresh.user_id) if fresh is not None else None
    return fresh if fresh is not None and user is not None and fresh.stands(user) else None


async def _page(
    provider: Provider,
    *,
    email: str,
    trouble: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    page = page_of_request()
    return await form_page(
        provider,
        _purpose(),
        lambda sealed: page.sign_in(sealed, email=email, trouble=trouble),
        status,
        headers,
    )


def _granted(provider: Provider, asked: Asked, signed_in: SignedIn) -> Response:
    location = asked.server.authorize(asked.request, signed_in, asked.grant)
    return see_other(add_params_to_uri(location, [("iss", provider.issuer)]))


def _refused(provider: Provider, params: Params, error: OAuth2Error) -> Response:
    told = dict(error.get_body())
    if state := params.get("state"):
        told["state"] = state
    told["iss"] = provider.issuer
    return see_other(add_params_to_uri(provider.client.redirect_uri, list(told.items())))


def _purpose() -> bytes:
    """The form is for this very request."""
    return bytes(request.query_string)
