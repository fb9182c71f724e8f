"""An identity provider in this process, honest or hostile, reached by httpx without a socket.

It checks what a relying party sends as a strict provider would, and says of everything it was asked how often.
"""

import base64
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx
import trio
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ISSUER = "https://idp.example"
EVERYTHING = list(JWSRegistry.algorithms)


class Fault(Enum):
    """What is wrong with an endpoint."""

    DOWN = auto()
    SLOW = auto()
    BROKEN = auto()
    HTML = auto()
    HUGE = auto()
    ENDLESS = auto()
    DRIP = auto()
    REDIRECT = auto()
    GZIP = auto()
    NOT_AN_OBJECT = auto()
    NESTED = auto()
    GONE = auto()


FAULTS = sorted(Fault, key=lambda fault: fault.name)


@cache
def rsa_key(kid: str = "rsa-1", bits: int = 2048) -> RSAKey:
    return RSAKey.generate_key(bits, {"kid": kid}, private=True)


@cache
def ec_key(kid: str = "ec-1") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid}, private=True)


@cache
def okp_key(kid: str = "okp-1") -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": kid}, private=True)


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: Callable[[], AsyncIterator[bytes]]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces():
            yield piece


class _Transport(httpx.AsyncBaseTransport):
    """As httpx.MockTransport, with answers that come as streams: as they do from a network."""

    def __init__(self, answer: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answer = await self._answer(request)
        if not answer.is_stream_consumed:
            return answer
        content = answer.content

        async def whole() -> AsyncIterator[bytes]:
            yield content

        return httpx.Response(answer.status_code, headers=answer.headers, stream=_Pieces(whole))


@dataclass
class Granted:
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str


@dataclass
class FakeProvider:
    """Set the attributes to change what it does next.

    Attributes:
        faults: endpoint (`discovery`, `jwks`, `token`, `userinfo`) → what is wrong with it.
        delays: endpoint → seconds before it answers.
        metadata: merged over the honest metadata; None as a value takes a field out.
        claims: merged over the honest id token's claims, likewise.
        header: merged over its header.
        signer: signs id tokens.
        secret: what the client must show at the token endpoint; None: a public client, which must show nothing.
    """

    issuer: str = ISSUER
    client_id: str = "visiona"
    secret: str | None = None
    methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post", "none")
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    subject: str = "248289761001"
    email: str | None = "ada@example.com"
    email_in_userinfo: bool = False
    faults: dict[str, Fault] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, object] = field(default_factory=dict)
    claims: dict[str, object] = field(default_factory=dict)
    header: dict[str, object] = field(default_factory=dict)
    userinfo: dict[str, object] = field(default_factory=dict)
    token_answer: dict[str, object] = field(default_factory=dict)
    keys: list[Any] = field(default_factory=lambda: [rsa_key(), ec_key(), okp_key()])
    signer: Any = field(default_factory=rsa_key)
    algorithm: str = "RS256"
    asked: Counter[str] = field(default_factory=Counter)
    forms: list[Mapping[str, str]] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)
    codes: dict[str, Granted] = field(default_factory=dict)
    access_token: str = "at-0123456789"

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        return _Transport(self._answer)

    # What a browser does there

    def authorize(self, url: str, **changes: str | None) -> str:
        """A person signs in at `url`; the callback's URL back. `changes` are made to the parameters."""
        asked = parse_qs(urlsplit(url).query, strict_parsing=True)
        assert all(len(values) == 1 for values in asked.values()), asked
        one = {name: values[0] for name, values in asked.items()}
        assert url.startswith(str(self._metadata()["authorization_endpoint"]))
        assert one["response_type"] == "code"
        assert one["client_id"] == self.client_id
        assert one["code_challenge_method"] == "S256"
        assert "openid" in one["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = Granted(one["redirect_uri"], one["code_challenge"], one["nonce"], one["scope"])
        answer: dict[str, str | None] = {"code": code, "state": one["state"], "iss": self.issuer, **changes}
        given = {name: value for name, value in answer.items() if value is not None}
        return f"{one['redirect_uri']}?{urlencode(given)}"

    # Tokens

    def id_token(self, nonce: str, /, **claims: object) -> str:
        moment = int(self.now().timestamp())
        digest = hashlib.sha256(self.access_token.encode()).digest()
        honest = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.client_id,
            "exp": moment + 300,
            "iat": moment,
            "nonce": nonce,
            "sid": "idp-session-1",
            "name": "Ada Lovelace",
        }
        if self.algorithm.endswith("256"):
            honest["at_hash"] = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
        if self.email is not None and not self.email_in_userinfo:
            honest |= {"email": self.email, "email_verified": True}
        return self.sign({**honest, **self.claims, **claims})

    def logout_token(self, header: Mapping[str, object] | None = None, **claims: object) -> str:
        moment = int(self.now().timestamp())
        honest = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": moment,
            "exp": moment + 120,
            "jti": secrets.token_urlsafe(8),
            "sub": self.subject,
            "sid": "idp-session-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self.sign({**honest, **claims}, {"typ": "logout+jwt", **(header or {})})

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> str:
        said = {name: value for name, value in claims.items() if value is not None}
        top = {"alg": self.algorithm, "kid": self.signer.kid, "typ": "JWT", **self.header, **(header or {})}
        kept = {name: value for name, value in top.items() if value is not None}
        registry = _Any(strict_check_header=False)
        return jwt.encode(kept, said, self.signer, registry=registry, default_type=None)

    # HTTP

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        places = {
            "/.well-known/openid-configuration": ("discovery", self._discovery),
            "/jwks": ("jwks", self._jwks),
            "/token": ("token", self._token),
            "/userinfo": ("userinfo", self._userinfo),
        }
        if request.url.path not in places:
            self.asked["elsewhere " + str(request.url)] += 1
            return httpx.Response(404, json={})
        name, honest = places[request.url.path]
        self.asked[name] += 1
        if (fault := self.faults.get(name)) is not None:
            return await _faulty(fault, request)
        await trio.sleep(self.delays.get(name, 0))
        return honest(request)

    def _metadata(self) -> dict[str, object]:
        base = self.issuer.rstrip("/")
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "userinfo_endpoint": f"{base}/userinfo",
            "end_session_endpoint": f"{base}/logout",
            "token_endpoint_auth_methods_supported": list(self.methods),
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _discovery(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=self._metadata())

    def _jwks(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [published(key) for key in self.keys]})

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {
            name: values[0]
            for name, values in parse_qs(request.content.decode(), strict_parsing=True).items()
        }
        self.forms.append(form)
        self.headers.append(request.headers)
        if not self._knows(form, request.headers.get("authorization")):
            return httpx.Response(401, json={"error": "invalid_client"})
        granted = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            granted is None
            or granted.challenge != challenge.rstrip(b"=").decode()
            or granted.redirect_uri != form["redirect_uri"]
        ):
            return httpx.Response(400, json={"error": "invalid_grant"})
        answer: dict[str, object] = {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.id_token(granted.nonce),
            **self.token_answer,
        }
        return httpx.Response(200, json={name: value for name, value in answer.items() if value is not None})

    def _knows(self, form: Mapping[str, str], authorization: str | None) -> bool:
        if self.secret is None:
            return (
                authorization is None and "client_secret" not in form and form["client_id"] == self.client_id
            )
        if authorization is None:
            return "client_secret_post" in self.methods and form.get("client_secret") == self.secret
        scheme, _, pair = authorization.partition(" ")
        client_id, _, secret = base64.b64decode(pair).decode().partition(":")
        return (
            "client_secret_basic" in self.methods
            and scheme == "Basic"
            and unquote(client_id) == self.client_id
            and unquote(secret) == self.secret
        )

    def _userinfo(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer {self.access_token}":
            return httpx.Response(401, json={"error": "invalid_token"})
        honest = {"sub": self.subject, "email": self.email, "email_verified": True, "name": "Ada Lovelace"}
        return httpx.Response(200, json={**honest, **self.userinfo})


class _Any(JWSRegistry):
    """A provider may sign with whatever it likes; joserfc warns of some."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def published(key: Any) -> dict[str, object]:
    """A key as a key set has it; a symmetric one with its secret, as only a hostile set would."""
    return dict(key.as_dict(private=isinstance(key, OctKey)), use="sig")


async def _faulty(fault: Fault, request: httpx.Request) -> httpx.Response:
    json_type = {"Content-Type": "application/json"}
    match fault:
        case Fault.DOWN:
            raise httpx.ConnectError("connection refused", request=request)
        case Fault.SLOW:
            await trio.sleep(10)
            return httpx.Response(200, json={})
        case Fault.BROKEN:
            return httpx.Response(500, json={"error": "server_error"})
        case Fault.HTML:
            return httpx.Response(200, html="<h1>Log in to the hotel's network</h1>")
        case Fault.HUGE:
            return httpx.Response(200, headers=json_type, content=b'{"a": "' + b"x" * 10_000_000 + b'"}')
        case Fault.ENDLESS:
            return httpx.Response(200, headers=json_type, stream=_Pieces(_endless))
        case Fault.DRIP:
            return httpx.Response(200, headers=json_type, stream=_Pieces(_drip))
        case Fault.REDIRECT:
            return httpx.Response(302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
        case Fault.GZIP:
            return httpx.Response(
                200, headers={**json_type, "Content-Encoding": "gzip"}, stream=_Pieces(_endless)
            )
        case Fault.NOT_AN_OBJECT:
            return httpx.Response(200, json=["issuer"])
        case Fault.NESTED:
            return httpx.Response(200, headers=json_type, content=b"[" * 100_000)
        case Fault.GONE:
            return httpx.Response(404, text="not found")


async def _endless() -> AsyncIterator[bytes]:
    while True:
        await trio.lowlevel.checkpoint()
        yield b" " * 65536


async def _drip() -> AsyncIterator[bytes]:
    for byte in json.dumps({"issuer": ISSUER}):
        await trio.sleep(1)
        yield byte.encode()
