"""`/idp/token` and `/idp/userinfo`: what the client asks by itself. Answers are OAuth's, without our envelope."""

import logging

from quart import Blueprint, Response, request

from visiona.domain.errors import Invalid
from visiona.domain.users import User
from visiona.web.answers import plain
from visiona.web.idp.authenticate import account_or_none
from visiona.web.idp.oauth import Answer, Request, user_claims
from visiona.web.idp.params import Params, form_params
from visiona.web.idp.provider import Provider, address

log = logging.getLogger(__name__)


def token_routes(provider: Provider) -> Blueprint:
    """The routes."""
    routes = Blueprint("idp_tokens", __name__)

    @routes.post("/idp/token")
    async def token() -> Response:
        """The token endpoint of the built-in identity provider."""
        try:
            params = await form_params()
        except Invalid as error:
            return plain({"error": "invalid_request", "error_description": error.message}, 400)
        asked = Request(
            "POST",
            params,
            authorization=_single_header("Authorization"),
            resource_owner=await _owner(provider, params),
        )
        answer: Answer = (await provider.server()).create_token_response(asked)
        if answer.status != 200 and isinstance(answer.body, dict):
            extra = {"why": answer.body.get("error"), "address": address()}
            log.warning("the provider refused a token", extra=extra)
        return _json(answer)

    @routes.route("/idp/userinfo", methods=["GET", "POST"])
    async def userinfo() -> Response:
        """Who an access token of the built-in identity provider is about."""
        scheme, _, token = (_single_header("Authorization") or "").partition(" ")
        access = provider.issued.access(token.strip()) if scheme.lower() == "bearer" else None
        user = await account_or_none(provider.stores, access.user_id) if access is not None else None
        if access is None or user is None:
            return _unauthorised(was_given=bool(scheme))
        return plain(user_claims(user, access.scope))

    return routes


async def _owner(provider: Provider, params: Params) -> User | None:
    """The account that the request's code is about, as it is now."""
    user_id = provider.issued.user_of_code(params.get("code", ""))
    return await account_or_none(provider.stores, user_id) if user_id is not None else None


def _json(answer: Answer) -> Response:
    response = plain(answer.body if isinstance(answer.body, dict) else {}, answer.status)
    for name, value in answer.headers:
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def _unauthorised(*, was_given: bool) -> Response:
    response = plain({"error": "invalid_token"}, 401)
    # RFC 6750 §3.1: who sent nothing is not told what would be wrong with it.
    response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if was_given else "Bearer"
    return response


def _single_header(name: str) -> str | None:
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else None
