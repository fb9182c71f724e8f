"""OAuth 2 and OpenID Connect, on authlib's grants: what is ours here is only where things are kept.

authlib's server side is synchronous, and so is all of this: what has to be waited for (an account, the keys) is
fetched before and handed in. A `Server` is made for each request.
"""

import base64
import binascii
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode

from visiona.domain.users import User
from visiona.web.idp.client import SCOPES, Client
from visiona.web.idp.issued import ACCESS_TOKEN_SECONDS, Code, Issued, SignedIn
from visiona.web.idp.keys import ALGORITHM, Keys

ID_TOKEN_LIFE = timedelta(minutes=5)
"""The client reads it at once; afterwards it is only shown back to us, at logout."""

# authlib writes the tokens that it issues into its debug lines.
logging.getLogger("authlib").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Answer:
    """What authlib answers; `body` is a mapping where it is to be JSON."""

    status: int
    body: Mapping[str, Any] | str
    headers: list[tuple[str, str]]

    @property
    def location(self) -> str | None:
        """Where a redirect leads."""
        return next((value for name, value in self.headers if name == "Location"), None)


class Request(OAuth2Request):
    """A request as authlib sees it.

    Args:
        params: of the query or the form.
        authorization: the header's value.
        resource_owner: the account that the request's code is about; None for none, and for a disabled one.
    """

    def __init__(
        self,
        method: str,
        params: Mapping[str, str],
        *,
        authorization: str | None = None,
        resource_owner: User | None = None,
    ) -> None:
        # authlib refuses http, and behind a proxy that is all we see; the address is not used for anything else.
        super().__init__(method, "https://provider.invalid/")
        self.payload = BasicOAuth2Payload(dict(params))
        self.resource_owner = resource_owner
        if authorization is not None and _is_basic(authorization):
            self.headers = {"Authorization": authorization}

    @property
    def form(self) -> Mapping[str, str]:
        """The parameters again: the callers read them from one place alone."""
        params: Mapping[str, str] = self.payload.data
        return params


class CodeGrant(AuthorizationCodeGrant):
    """Codes kept in `Issued`; burnt by the first attempt to use them, whatever comes of it."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")

    def generate_authorization_code(self) -> str:
        """256 bits."""
        return secrets.token_urlsafe(32)

    def save_authorization_code(self, code: str, request: Request) -> None:
        """Binds it to the client, the place it is sent to, the verifier and the sign-in."""
        data = request.payload.data
        kept = Code(
            client_id=request.client.client_id,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            nonce=data.get("nonce"),
            code_challenge=data["code_challenge"],
            code_challenge_method=data["code_challenge_method"],
            signed_in=request.user,
        )
        self.server.issued.keep_code(code, kept)

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """The code, for this one use."""
        kept: Code | None = self.server.issued.take_code(code)
        return kept if kept is not None and kept.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It is gone since it was asked for."""

    def authenticate_user(self, authorization_code: Code) -> User | None:
        """The account, as it is now."""
        user: User | None = self.request.resource_owner
        return user if user is not None and authorization_code.signed_in.stands(user) else None


class MandatoryS256(CodeChallenge):
    """PKCE for every client, and only the method that hides the verifier (RFC 9700 §2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        """Refuses a request without a challenge, or without its method, which would mean `plain`."""
        data = grant.request.payload.data
        for name in ("code_challenge", "code_challenge_method"):
            if name not in data:
                raise InvalidRequestError(f"Missing '{name}'")
        super().validate_code_challenge(grant, redirect_uri)


class IdTokens(OpenIDCode):
    """Id tokens beside the access token."""

    def __init__(self, server: "Server") -> None:
        super().__init__()
        self._server = server
        self._key = server.keys.current(server.now)

    def exists_nonce(self, nonce: str, request: Request) -> bool:
        """Never: codes work once, and whether the nonce is its own is the client's question."""
        return False

    def get_client_algorithm(self, client: Client) -> str:
        """One for all."""
        return ALGORITHM

    def get_encode_header(self, client: Client) -> dict[str, str]:
        """The key's name, by which it is found in the JWKS."""
        return {"alg": ALGORITHM, "typ": "JWT", "kid": self._key.kid or ""}

    def resolve_client_private_key(self, client: Client) -> object:
        """The key in use."""
        return self._key

    def get_client_claims(self, client: Client) -> dict[str, object]:
        """From whom, for whom, until when."""
        now = self._server.now
        return {
            "iss": self._server.issuer,
            "aud": client.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + ID_TOKEN_LIFE).timestamp()),
        }

    def get_authorization_code_claims(self, authorization_code: Code) -> dict[str, object]:
        """The nonce, the moment of the sign-in, and its name."""
        claims: dict[str, object] = super().get_authorization_code_claims(authorization_code)
        return {**claims, "sid": authorization_code.signed_in.sid}

    def generate_user_info(self, user: User, scope: str) -> dict[str, object]:
        """Who it is."""
        return user_claims(user, scope)


class Server(AuthorizationServer):
    """The provider's rules for one request.

    Args:
        issuer: how the provider calls itself.
        client: whom it serves.
        keys: what it signs with.
        issued: what it has handed out.
        now: this moment.
    """

    def __init__(self, issuer: str, client: Client, keys: Keys, issued: Issued, now: datetime) -> None:
        super().__init__(
            scopes_supported=None
        )  # unknown scopes are left out, as OpenID Connect Core §3.1.2.1 says
        self.issuer = issuer
        self.client = client
        self.keys = keys
        self.issued = issued
        self.now = now
        self.register_grant(CodeGrant, [MandatoryS256(required=True), IdTokens(self)])
        self.register_token_generator("default", _bearer_token)

    def query_client(self, client_id: str) -> Client | None:
        """The client of this name."""
        return self.client if client_id == self.client.client_id else None

    def save_token(self, token: Mapping[str, str], request: Request) -> None:
        """Keeps what userinfo will be asked with."""
        self.issued.keep_access(
            token["access_token"], request.authorization_code, request.payload.data["code"]
        )

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Request) -> Request:
        """It is one already."""
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:  # noqa: ANN401 - the framework's
        """Leaves the framework's answer to the routes."""
        return Answer(status, dict(body) if body else "", list(headers))

    def authorize(self, request: Request, signed_in: SignedIn, grant: CodeGrant) -> str:
        """The address that brings a code for this sign-in back to the client."""
        answer: Answer = self.create_authorization_response(request, grant_user=signed_in, grant=grant)
        if answer.location is None:
            raise RuntimeError("the checked request was refused")
        return answer.location


def user_claims(user: User, scope: str) -> dict[str, object]:
    """What a scope lets a client know of an account.

    The address counts as verified: accounts are made by whoever runs this server.
    """
    claims: dict[str, object] = {"sub": user.id}
    if "email" in scope.split():
        claims |= {"email": user.email, "email_verified": True}
    if "profile" in scope.split():
        claims["name"] = user.name
    return claims


def scopes_supported() -> list[str]:
    """For the discovery document."""
    return list(SCOPES)


def _bearer_token(
    grant_type: str,
    client: Client,
    user: User | None = None,
    scope: str | None = None,
    expires_in: int | None = None,
    include_refresh_token: bool = False,
) -> dict[str, object]:
    return {
        "token_type": "Bearer",
        "access_token": secrets.token_urlsafe(32),
        "expires_in": int(ACCESS_TOKEN_SECONDS),
        "scope": scope or "",
    }


def _is_basic(authorization: str) -> bool:
    """Whether authlib can read it; it would stumble over base64 that holds no text."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic"
