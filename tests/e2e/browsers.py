"""A person's browser, as far as the server can tell: the session cookie, and what our own pages send beside it.

The session is begun beside the running server, in its own stores, so that these tests need no identity provider.
"""

from dataclasses import dataclass

import trio
from visiona.services.clock import now
from visiona.services.sign_in import Claims, SignedIn, sign_in
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.web.cookies import SESSION_COOKIE, SessionCookie
from visiona.web.session_key import session_key

from tests.e2e.client import Caller
from tests.e2e.server import Server


@dataclass(frozen=True)
class Browser(Caller):
    """A signed-in person's requests."""

    cookie: str
    session_id: str

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin", "X-Visiona-CSRF": "1"}


def signed_in(server: Server, email: str) -> Browser:
    """Somebody signs in, in another browser each time."""
    (browser,) = signed_in_often(server, server.store_settings, email, 1)
    return browser


def signed_in_often(server: Server, settings: StoreSettings, email: str, count: int) -> list[Browser]:
    """Somebody signs in, in so many browsers; `settings` say where the server keeps that."""

    async def begin() -> list[SignedIn]:
        claims = Claims("https://id.example", email, email, True)
        async with open_stores(settings, exclusive=False) as stores:
            return [await sign_in(stores, claims, now()) for _ in range(count)]

    cookie = SessionCookie(SESSION_COOKIE, session_key(None, server.state, is_kept=True))
    browsers = []
    for done in trio.run(begin):
        server.evidence.secret(done.text, "a session")
        field = f"{cookie.name}={cookie.seal(done.text)}"
        browsers.append(Browser(server.web, None, field, done.session.id))
    return browsers
