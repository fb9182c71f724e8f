"""A site that people sign in to with the fake provider, and browsers that keep cookies as browsers do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import trio
from visiona.domain.notices import Notice
from visiona.domain.sessions import SessionLimits
from visiona.integrations.oidc.client import OidcClient, Registration
from visiona.integrations.oidc.fetching import open_fetcher
from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Sweeper
from visiona.relay.registry import Registry
from visiona.services.refusals import Refusals
from visiona.stores.memory.engine import MemoryStores
from visiona.web.api.auth import auth_routes
from visiona.web.api.sessions import session_routes
from visiona.web.bff.place import Place
from visiona.web.bff.routes import bff_routes
from visiona.web.callers import Callers
from visiona.web.cookies import SessionCookie, session_cookie_name
from visiona.web.revoking import Revoking
from visiona.web.settings import WebSettings
from visiona.web.site import build_site

from tests.support.fake_oidc import FakeProvider
from tests.web.world import Answer, HandClock

BASE = "https://cam.example"
KEY = b"k" * 32


class NotedRevoking(Revoking):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.noted: list[Notice] = []

    def apply(self, notice: Notice) -> Any:
        self.noted.append(notice)
        return super().apply(notice)


class House:
    """The server's side."""

    def __init__(
        self, client: OidcClient, idp: FakeProvider, now: HandClock, base: str | None, rate_limits: bool
    ) -> None:
        self.idp, self.now, self.base = idp, now, base or "http://127.0.0.1:3721"
        self.stores = MemoryStores()
        self.settings = WebSettings(public_url=base)
        self.registry = Registry(now=now)
        self.cookie = SessionCookie(session_cookie_name(base), KEY)
        self.callers = Callers(self.stores, cookie=self.cookie, ttl_seconds=0.0, now=now)
        self.revoking = NotedRevoking(self.callers, self.registry, Cameras(Sweeper()), now)
        self.limits = SessionLimits()
        place = Place(base, lambda: "http://127.0.0.1:3721")
        routes = bff_routes(
            self.stores,
            client,
            place,
            self.revoking,
            self.cookie,
            self.limits,
            rate_limits=rate_limits,
            now=now,
        )
        mine = [auth_routes(self.stores, now), session_routes(self.stores, self.revoking, now)]
        self.refusals = Refusals(now, trio.current_time)
        self.site = build_site(self.settings, self.callers, [*routes, *mine], self.refusals)
        self.client = self.site.test_client(use_cookies=False)

    def browser(self) -> "Visitor":
        return Visitor(self)


@dataclass
class Visitor:
    """A browser: keeps cookies, says where its requests come from."""

    house: House
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        headers = {
            "Host": urlsplit(self.house.base).netloc,
            "User-Agent": "Visitor/1.0",
            **({"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())} if self.cookies else {}),
            **options.pop("headers", {}),
        }
        response = await self.house.client.open(path, method=method, headers=headers, **options)
        for line in response.headers.getlist("Set-Cookie"):
            self.set_cookies.append(line)
            for name, morsel in SimpleCookie(line).items():
                self.cookies.pop(name, None)
                if morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
        return Answer(response.status_code, response.headers, await response.get_data(as_text=False))

    async def open(self, path: str, site: str = "none") -> Answer:
        """A person opens an address."""
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": site, "Accept": "text/html,*/*"}
        return await self.ask("GET", path, headers=headers)

    async def fetch(self, method: str, path: str, **options: Any) -> Answer:
        """A script of our own pages asks."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "X-Visiona-CSRF": "1"}
        return await self.ask(method, path, headers={**headers, **options.pop("headers", {})}, **options)

    async def leave(self, return_to: str | None = None) -> str:
        """Begins a sign-in; the provider's URL back."""
        query = f"?{urlencode({'return_to': return_to})}" if return_to is not None else ""
        answer = await self.open(f"/api/auth/login{query}")
        assert answer.status == 302, answer.body
        return str(answer.headers["Location"])

    async def come_back(self, url: str, **changes: str | None) -> Answer:
        """Signs in at the provider and follows it back."""
        return await self.back(self.house.idp.authorize(url, **changes))

    async def back(self, callback: str) -> Answer:
        assert callback.startswith(self.house.base + "/api/auth/callback?")
        return await self.open(callback.removeprefix(self.house.base), site="cross-site")

    async def sign_in(self, return_to: str | None = None, **changes: str | None) -> Answer:
        return await self.come_back(await self.leave(return_to), **changes)

    async def is_signed_in(self) -> bool:
        return (await self.fetch("GET", "/api/auth/me")).status == 200


@asynccontextmanager
async def opened(
    idp: FakeProvider | None = None,
    *,
    secret: str | None = None,
    base: str | None = BASE,
    rate_limits: bool = False,
) -> AsyncIterator[House]:
    idp = idp if idp is not None else FakeProvider(secret=secret)
    now = HandClock()
    idp.now = now
    async with open_fetcher(idp.transport) as fetcher:
        registration = Registration("visiona", secret, "openid email profile")
        yield House(OidcClient(lambda: idp.issuer, registration, fetcher, now), idp, now, base, rate_limits)
