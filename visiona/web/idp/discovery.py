"""What the provider says of itself, its public keys, and the end of a session (OpenID Connect RP-Initiated Logout).

The provider keeps no session of its own: each sign-in asks for the password, so signing out here is done once the
client has done it. What is left is to send the browser to where the client is at home.
"""

from authlib.common.urls import add_params_to_uri
from joserfc import jwt
from joserfc.errors import JoseError
from quart import Blueprint, Response, request

from visiona.web.answers import Json, plain
from visiona.web.idp.client import SCOPES
from visiona.web.idp.keys import ALGORITHM, Keys
from visiona.web.idp.params import Params, form_params, query_params
from visiona.web.idp.provider import Provider
from visiona.web.idp.showing import as_page, notice, see_other
from visiona.web.idp.texts import TEXTS


def discovery_routes(provider: Provider) -> Blueprint:
    """The routes."""
    routes = Blueprint("idp_discovery", __name__)

    @routes.get("/idp/.well-known/openid-configuration")
    async def configuration() -> Response:
        """The built-in identity provider's metadata."""
        return plain(metadata(provider))

    @routes.get("/idp/jwks")
    async def jwks() -> Response:
        """The built-in identity provider's public keys."""
        return plain((await provider.ring.keys()).published())

    @routes.route("/idp/end_session", methods=["GET", "POST"])
    @as_page(provider)
    async def end_session() -> Response:
        """Where a sign-out at the built-in identity provider ends."""
        params = await form_params() if request.method == "POST" else query_params()
        wanted = params.get("post_logout_redirect_uri")
        if wanted != provider.place.home_url or not await _is_of_client(provider, params):
            return notice(provider, "signed_out")
        state = params.get("state")
        return see_other(add_params_to_uri(wanted, [("state", state)]) if state else wanted)

    return routes


def metadata(provider: Provider) -> Json:
    """The discovery document (OpenID Connect Discovery §3, RFC 8414, RFC 9207)."""
    issuer = provider.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/end_session",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(provider.client.auth_methods),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid"),
            *("email", "email_verified", "name"),
        ],
        "ui_locales_supported": list(TEXTS),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


async def _is_of_client(provider: Provider, params: Params) -> bool:
    """Whether the one client asks. It is our own, and so is the one address it may name: its word is enough."""
    hint = params.get("id_token_hint")
    if hint is not None and not _is_ours(hint, await provider.ring.keys(), provider):
        return False
    return params.get("client_id", provider.client.client_id) == provider.client.client_id


def _is_ours(hint: str, keys: Keys, provider: Provider) -> bool:
    """Whether we made this id token for the client; it may have expired long ago."""
    try:
        claims = jwt.decode(hint, keys.verifying(), [ALGORITHM]).claims
    except (JoseError, ValueError):
        return False
    return (claims.get("iss"), claims.get("aud")) == (provider.issuer, provider.client.client_id)
