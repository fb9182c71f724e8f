"""A site over memory stores, with people, tokens and tunnels that exist only as far as the site can see."""

import json
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import trio
from quart import Response
from visiona.domain.access import ALL_SCOPES, Actor, Scope
from visiona.domain.devices import Device
from visiona.domain.ids import DeviceId, TokenId, UserId
from visiona.domain.sessions import SessionLimits
from visiona.domain.users import User
from visiona.integrations.interface import IdentityProvider, ProviderUnavailable
from visiona.integrations.mail.outbox import Outbox
from visiona.ops.health import HealthBoard
from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Sweeper
from visiona.relay.model_loads import Loads
from visiona.relay.registry import LiveTunnel, Registry
from visiona.services.devices import list_all_devices
from visiona.services.exchange_token import DeviceClaims, Exchanged, exchange
from visiona.services.identify import TunnelSession, identify_program, identify_session_token
from visiona.services.models import Quota
from visiona.services.pair_device import create_pairing_token
from visiona.services.refusals import Refusals
from visiona.services.sign_in import Browser, Claims, SignedIn, sign_in
from visiona.services.tokens import create_access_token
from visiona.services.users import add_user
from visiona.stores.files.folder import FolderFiles
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.stream import Stream, StreamHandler
from visiona.web.api.models import ModelParts
from visiona.web.api.routes import api_routes
from visiona.web.bff.place import Place
from visiona.web.bff.routes import bff_routes
from visiona.web.callers import Callers
from visiona.web.console.routes import console_routes
from visiona.web.cookies import SessionCookie, session_cookie_name
from visiona.web.idp.key_ring import KeyRing
from visiona.web.idp.provider import ClientName, Provider
from visiona.web.idp.routes import provider_routes
from visiona.web.invitation_mail import InvitationMail
from visiona.web.live_feed import LiveFeed
from visiona.web.rate_limits import ExchangeLimits
from visiona.web.revoking import Revoking
from visiona.web.settings import WebSettings
from visiona.web.site import Site, build_site
from visiona.web.snapshots import Snapshots
from visiona.web.upload_links import UploadLinks

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RELAY_URL = "wss://relay.example"


class HandClock:
    """A wall clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **parts: float) -> None:
        self.moment += timedelta(**parts)


class FakeTunnel:
    """A tunnel with a number of streams that notes how it was ended."""

    def __init__(self, streams: int = 0) -> None:
        self.is_open = True
        self.closed: TunnelClosed | None = None
        self.stream_count = streams
        self.queued_bytes = 0
        self.rtt_seconds: float | None = 0.01

    def open_stream_nowait(self, handler: StreamHandler) -> Stream:
        raise NotImplementedError

    def close(self, cause: str) -> None:
        if self.closed is None:
            self.is_open = False
            self.closed = TunnelClosed(cause)

    def retire(self, cause: str, grace_seconds: float) -> None:
        self.close(cause)


@dataclass
class Person:
    user_id: UserId
    email: str
    token: str
    token_id: TokenId
    world: "World"

    async def actor(self) -> Actor:
        return await identify_program(self.world.stores, self.token, self.world.now())

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, **options: Any) -> "Answer":
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.world.ask(method, path, headers=headers, **options)


@dataclass
class Visitor:
    """A person who signed in, in one browser. What `ask` sends is what the console's own pages send."""

    done: SignedIn
    world: "World"

    @property
    def cookie(self) -> str:
        cookie = self.world.cookie
        return f"{cookie.name}={cookie.seal(self.done.text)}"

    async def ask(self, method: str, path: str, **options: Any) -> "Answer":
        ours = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin", "X-Visiona-CSRF": "1"}
        headers = {**ours, **options.pop("headers", {})}
        return await self.world.ask(method, path, headers=headers, **options)


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        assert self.json["success"] is True, self.body
        return self.json["data"]

    @property
    def code(self) -> str:
        assert self.json["success"] is False, self.body
        assert set(self.json) == {"success", "error"}
        assert (
            {"code", "message", "request_id"}
            <= set(self.json["error"])
            <= {"code", "message", "request_id", "details"}
        )
        assert self.json["error"]["request_id"] == self.headers["X-Request-Id"]
        return str(self.json["error"]["code"])


class NoProvider:
    """An identity provider that nobody reaches."""

    async def _ask(self, *_: object) -> NoReturn:
        raise ProviderUnavailable("nobody is there")

    authorization_url = check_response_issuer = exchange_code = check_logout_token = logout_url = _ask


def some_models() -> ModelParts:
    """Files in a folder that goes with whoever has them."""
    folder = tempfile.mkdtemp(prefix="visiona-test-")
    files = FolderFiles(Path(folder), reserve_bytes=0)
    weakref.finalize(files, shutil.rmtree, folder, ignore_errors=True)
    return ModelParts(files, UploadLinks(b"k" * 32, None), Quota(10, 10_000_000, 5_000_000))


@dataclass
class World:
    """Everything a test of the API needs. Make it inside the event loop."""

    rate_limits: bool = False
    stores: Stores = field(default_factory=MemoryStores)
    now: HandClock = field(default_factory=HandClock)
    settings: WebSettings = field(default_factory=WebSettings)
    provider: IdentityProvider = field(default_factory=NoProvider)
    models: ModelParts = field(default_factory=lambda: some_models())
    outbox: Outbox | None = None

    def __post_init__(self) -> None:
        self.registry = Registry(now=self.now)
        self.waited_for: list[tuple[UserId, DeviceId | None]] = []
        self.board = HealthBoard(self.now)
        self.cookie = SessionCookie(session_cookie_name(self.settings.public_url), b"k" * 32)
        self.callers = Callers(self.stores, cookie=self.cookie, now=self.now)
        self.refusals = Refusals(self.now, trio.current_time)
        self.sweeper = Sweeper()
        self.cameras = Cameras(self.sweeper, now=self.now)
        self.revoking = Revoking(self.callers, self.registry, self.cameras, self.now)
        self.snapshots = Snapshots(self.registry, self.cameras, self.sweeper)
        self.limits = ExchangeLimits(self.stores.rates, enabled=self.rate_limits)
        self.feed = LiveFeed(self.registry.calls)
        self.registry.watchers.append(self.feed.watch)
        self.loads = Loads(self.stores, self.models.files, self.registry, holder="world", now=self.now)
        place = Place(self.settings.public_url, lambda: "http://localhost")
        provider = Provider(
            self.stores, place, KeyRing(None, self.now), ClientName(), self.now, trio.current_time
        )
        self.site: Site = build_site(
            self.settings,
            self.callers,
            bff_routes(
                self.stores,
                self.provider,
                place,
                self.revoking,
                self.cookie,
                SessionLimits(),
                rate_limits=self.rate_limits,
                now=self.now,
            )
            + provider_routes(provider)
            + api_routes(
                self.stores,
                self.registry,
                self.revoking,
                self.limits,
                self.board,
                self.feed,
                models=self.models,
                loads=self.loads,
                snapshots=self.snapshots,
                invitation_mail=InvitationMail(self.outbox, self.stores.rates, enabled=self.rate_limits),
                relay_url=RELAY_URL,
                base_url=lambda: place.base,
                settle=self._settle,
                now=self.now,
            )
            + [console_routes(self.settings, self.callers)],
            self.refusals,
        )
        self.client = self.site.test_client()

    async def _settle(self, actor: Actor, device_id: DeviceId | None) -> None:
        self.waited_for.append((actor.user_id, device_id))

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        response: Response = await self.client.open(path, method=method, **options)
        return Answer(response.status_code, response.headers, await response.get_data(as_text=False))

    async def person(
        self, email: str = "ada@example.com", scopes: Sequence[Scope] = tuple(ALL_SCOPES)
    ) -> Person:
        return await self.token_of(await add_user(self.stores, email, None, self.now()), scopes)

    async def token_of(self, user: User, scopes: Sequence[Scope] = tuple(ALL_SCOPES)) -> Person:
        made = await create_access_token(self.stores, user.id, "test", scopes, self.now())
        return Person(user.id, user.email, made.text, made.token.id, self)

    async def visitor(self, email: str = "ada@example.com") -> Visitor:
        """Signs somebody in; the account is made if there is none."""
        claims = Claims("https://id.example", email, email, email_verified=True)
        browser = Browser("Browser/1", "192.0.2.7")
        return Visitor(await sign_in(self.stores, claims, self.now(), browser=browser), self)

    async def paired(self, person: Person, **claims: str) -> Exchanged:
        made = await create_pairing_token(self.stores, await person.actor(), self.now())
        return await exchange(self.stores, made.text, self.now(), DeviceClaims(**claims))

    async def connected(self, done: Exchanged, streams: int = 0) -> LiveTunnel:
        session = await identify_session_token(self.stores, done.session_token, self.now())
        assert isinstance(session, TunnelSession)
        return self.registry.admit(
            FakeTunnel(streams), session, peer_address="192.0.2.1", agent_version="edge/1.2"
        )

    async def device(self, device_id: DeviceId) -> Device:
        return next(device for device in await list_all_devices(self.stores) if device.id == device_id)
