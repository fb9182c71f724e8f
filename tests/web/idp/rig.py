"""The provider behind a site, a browser that fills in its forms, and a client that is not ours."""

import re
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from visiona.domain.users import User
from visiona.services.passwords import hash_password
from visiona.services.users import add_user
from visiona.stores.memory.engine import MemoryStores
from visiona.stores.process_rates import ProcessRates
from visiona.web.bff.place import Place
from visiona.web.callers import Credentials
from visiona.web.idp.key_ring import KeyRing
from visiona.web.idp.loopback import builtin_transport
from visiona.web.idp.provider import ClientName, Provider
from visiona.web.idp.routes import provider_routes
from visiona.web.settings import WebSettings
from visiona.web.site import build_site

with warnings.catch_warnings():
    # It would rather have httpx's successor.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client

START = datetime(2030, 1, 1, tzinfo=UTC)
BASE = "https://x.example/sub"
PASSWORD = "correct horse battery"
VERIFIER = "v" * 43
SECRET = 's"e:c r%et'
CALLBACK = f"{BASE}/api/auth/callback"

_HASHES: dict[str, str] = {}


def hashed(password: str) -> str:
    """The hash, made once for all tests."""
    return _HASHES.setdefault(password, hash_password(password))


class HandClock:
    """Wall clock and monotonic clock in one; stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return 1000.0 + self.seconds


class Anybody:
    """Callers that let everybody in: which routes are public is another test's question."""

    async def identify(self, credentials: Credentials) -> None:
        return None


@dataclass
class Rig:
    key_file: Path
    base: str = BASE
    secret: str | None = None
    rate_limits: bool = True
    stores: MemoryStores = field(default_factory=MemoryStores)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.stores.rates = ProcessRates(self.clock.monotonic)
        self.provider = Provider(
            self.stores,
            Place(self.base, lambda: self.base),
            KeyRing(self.key_file, self.clock.now),
            ClientName("visiona", self.secret),
            self.clock.now,
            self.clock.monotonic,
            rate_limits=self.rate_limits,
        )
        self.provider.passwords._stand_in = hashed("nobody has this one")
        callers: Any = Anybody()
        self.site = build_site(WebSettings(public_url=self.base), callers, provider_routes(self.provider))
        self.transport = builtin_transport(self.site)

    @property
    def issuer(self) -> str:
        return f"{self.base}/idp"

    async def person(self, email: str = "ada@example.com", password: str | None = PASSWORD) -> User:
        return await add_user(
            self.stores, email, hashed(password) if password else None, self.clock.now(), name="Ada"
        )

    def browser(self, **headers: str) -> "Browser":
        return Browser(self, headers)

    def foreign_client(self, **options: Any) -> AsyncOAuth2Client:
        """authlib's client, which knows nothing of us but the issuer."""
        method = "client_secret_basic" if self.secret else "none"
        options = {
            "client_id": "visiona",
            "client_secret": self.secret,
            "redirect_uri": f"{self.base}/api/auth/callback",
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": method,
            **options,
        }
        return AsyncOAuth2Client(transport=self.transport, **options)

    def query(self, **changes: str | None) -> str:
        """A right authorization request; None leaves a parameter out."""
        params = {
            "response_type": "code",
            "client_id": "visiona",
            "redirect_uri": f"{self.base}/api/auth/callback",
            "scope": "openid email profile",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": create_s256_code_challenge(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        return urlencode({name: value for name, value in params.items() if value is not None})

    def authorize_url(self, **changes: str | None) -> str:
        return f"{self.issuer}/authorize?{self.query(**changes)}"

    async def code(self, **changes: str | None) -> str:
        """A code for Ada, who must have been made."""
        answer = await self.browser().sign_in(self.authorize_url(**changes))
        return told(answer)["code"]

    async def exchange(self, code: str, **changes: str | None) -> httpx.Response:
        """Asks the token endpoint as a public client; None leaves a parameter out."""
        params = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self.base}/api/auth/callback",
            "client_id": "visiona",
            "code_verifier": VERIFIER,
            **changes,
        }
        data = {name: value for name, value in params.items() if value is not None}
        async with httpx.AsyncClient(transport=self.transport) as client:
            return await client.post(f"{self.issuer}/token", data=data)


class Browser:
    """Keeps cookies, fills in forms."""

    def __init__(self, rig: Rig, headers: dict[str, str]) -> None:
        self.rig = rig
        self.client = httpx.AsyncClient(transport=rig.transport, headers=headers)

    async def get(self, url: str) -> httpx.Response:
        return await self.client.get(url)

    async def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Sends the page's form, which goes where the page came from."""
        data = {**hidden_fields(page.text), **fields}
        return await self.client.post(page.url, data=data, headers={"Sec-Fetch-Site": "same-origin"})

    async def sign_in(
        self, url: str, email: str = "ada@example.com", password: str = PASSWORD
    ) -> httpx.Response:
        page = await self.get(url)
        assert page.status_code == 200, page.text
        return await self.submit(page, email=email, password=password)


def hidden_fields(html: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html)
    return {name: unescape(value) for name, value in found}


def told(answer: httpx.Response) -> dict[str, str]:
    """What a redirect tells the client."""
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
