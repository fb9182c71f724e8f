"""A web port, a tunnel and a device, all in one process: the tunnel is the real one, the device is the test's.

`layer` chooses who relays: the door itself, or the ASGI layer behind Hypercorn. The sweeper does not run by itself;
`Rig.pass_seconds` moves its clock, so that deadlines are tested without waiting for them.
"""

import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import h11
import trio
import trio.testing
from visiona.domain.access import ALL_SCOPES, Actor, Role
from visiona.domain.devices import Device
from visiona.domain.errors import NotSignedIn
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.listen import ListenAddress
from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import TICK_SECONDS, Limits, Sweeper
from visiona.relay.registry import LiveTunnel, Registry
from visiona.services.identify import TunnelSession
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.pipe import StreamPipe
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.web.credentials import Credentials
from visiona.web.door import open_door
from visiona.web.proxy import Proxy
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.settings import WebSettings
from visiona.wire.http1.head import RequestHead
from visiona.wire.yamux.limits import Limits as YamuxLimits
from visiona.wire.yamux.limits import Role as YamuxRole

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WORKSPACE = WorkspaceId("0190d9a0-0000-7000-8000-00000000000a")
OTHER_WORKSPACE = WorkspaceId("0190d9a0-0000-7000-8000-00000000000b")
TOKEN = "vAp_" + "5" * 64
STRANGER_TOKEN = "vAp_" + "6" * 64

ACTOR = Actor(
    user_id=UserId("0190d9a0-0000-7000-8000-000000000001"),
    email="ada@example.org",
    name="Ada",
    credential_id=TokenId("0190d9a0-0000-7000-8000-000000000002"),
    scopes=ALL_SCOPES,
    workspaces={WORKSPACE: Role.OWNER},
    personal_workspace=WORKSPACE,
    expires_at=None,
)
STRANGER = replace(
    ACTOR,
    user_id=UserId("stranger"),
    credential_id=TokenId("other"),
    workspaces={OTHER_WORKSPACE: Role.OWNER},
)

DeviceProgram = Callable[[TunnelStream], Awaitable[None]]


class FakeCallers:
    """Two callers; `known` says nothing before `identify` was asked, as the real one."""

    def __init__(self) -> None:
        self.actors = {TOKEN: ACTOR, STRANGER_TOKEN: STRANGER}
        self.seen: set[str] = set()

    def known(self, credentials: Credentials) -> Actor | None:
        return self.actors.get(credentials.bearer or "") if credentials.bearer in self.seen else None

    async def identify(self, credentials: Credentials) -> Actor:
        await trio.lowlevel.checkpoint()
        if credentials.bearer not in self.actors:
            raise NotSignedIn("sign in")
        self.seen.add(credentials.bearer or "")
        return self.actors[credentials.bearer or ""]


@dataclass
class FakeStores:
    """Stores that know devices and nothing else."""

    devices: "FakeStores" = field(init=False)
    known: dict[str, Device] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.devices = self

    async def read(self, operation: Callable[[Any], Awaitable[Any]]) -> Any:
        return await operation(self)

    async def get_or_none(self, device_id: str) -> Device | None:
        return self.known.get(device_id)

    async def list_in(self, workspaces: tuple[str, ...], limit: int, _: object) -> list[Device]:
        return [device for device in self.known.values() if device.workspace_id in workspaces][:limit]


@dataclass
class Rig:
    """What a test can touch."""

    web: "Port"
    port: int
    registry: Registry
    stores: FakeStores
    sweeper: Sweeper
    live: LiveTunnel
    agent: Tunnel
    stop: trio.Event
    agents_connected: list[tuple[bytes, bytes, str]]
    clients: "list[WebClient]" = field(default_factory=list)

    @property
    def scanned(self) -> list[LiveTunnel]:
        return self.web.scanned

    @property
    def base(self) -> str:
        return f"/api/devices/{self.live.device_id}/proxy"

    @property
    def cameras(self) -> Cameras:
        return self.web.cameras

    def pass_seconds(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK_SECONDS)):
            self.sweeper.tick(TICK_SECONDS)

    async def connect(self) -> "WebClient":
        client = WebClient(await trio.open_tcp_stream("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    def request(self, line: str, *headers: str, body: bytes = b"", token: str = TOKEN) -> bytes:
        """A whole request; `~` in the line stands for the device's prefix."""
        lines = [
            f"{line.replace('~', self.base)} HTTP/1.1",
            "Host: door.test",
            f"Authorization: Bearer {token}",
        ]
        return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@dataclass
class Answer:
    """An answer as h11 reads it."""

    status: int
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]


class WebClient:
    """A client that is not ours: h11 reads what comes."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.raw = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def ask(self, request: bytes, *, method: str = "GET") -> Answer:
        await self.send(request)
        return await self.answer(method)

    async def answer(self, method: str = "GET") -> Answer:
        """Reads one answer; what follows it stays for the next."""
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=100_000)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
        if self.raw:
            connection.receive_data(self.raw)
        head: h11.Response | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await self.stream.receive_some(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                self.raw = bytes(connection.trailing_data[0])
                return Answer(head.status_code, _texts(head.headers), body, _texts(event.headers))

    async def line(self, count: int = 1) -> bytes:
        """Raw bytes up to and with the next empty line."""
        while b"\r\n\r\n" not in self.raw:
            data = await self.stream.receive_some(65536)
            assert data, f"ended after {self.raw!r}"
            self.raw += data
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    async def exactly(self, count: int) -> bytes:
        while len(self.raw) < count:
            data = await self.stream.receive_some(65536)
            assert data, f"ended after {self.raw!r}"
            self.raw += data
        found, self.raw = self.raw[:count], self.raw[count:]
        return found

    async def rest(self) -> bytes:
        """Everything until the connection ends, well or badly."""
        try:
            while data := await self.stream.receive_some(65536):
                self.raw += data
        except trio.BrokenResourceError:
            pass
        found, self.raw = self.raw, b""
        return found

    async def aclose(self) -> None:
        await self.stream.aclose()


def _texts(headers: Any) -> dict[str, str]:
    return {name.decode().lower(): value.decode("latin-1") for name, value in headers}


class Request:
    """One request as the device's server reads it, with h11."""

    def __init__(self, stream: TunnelStream) -> None:
        self.stream = stream
        self.connection = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
        self.head: h11.Request
        self.body = b""
        self.trailers: dict[str, str] = {}

    @property
    def headers(self) -> dict[str, str]:
        return _texts(self.head.headers)

    async def read_head(self) -> "Request":
        event = await self._next()
        assert isinstance(event, h11.Request)
        self.head = event
        return self

    async def read(self) -> "Request":
        """The whole request."""
        await self.read_head()
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            self.body += bytes(event.data)
        self.trailers = _texts(event.headers)
        return self

    async def piece(self) -> bytes:
        return bytes((await self._next()).data)

    async def _next(self) -> Any:
        while (event := self.connection.next_event()) is h11.NEED_DATA:
            self.connection.receive_data(await self.stream.receive_some(65536))
        return event


async def read_request(stream: TunnelStream) -> Request:
    return await Request(stream).read()


async def echo(stream: TunnelStream) -> None:
    """A device that sends the body back, with what it was asked in two fields."""
    request = await read_request(stream)
    head = request.head
    await stream.send_all(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Method: %b\r\nX-Target: %b\r\n\r\n"
        % (len(request.body), head.method, head.target)
        + (b"" if head.method == b"HEAD" else request.body)
    )
    await finish(stream)


def answering(answer: bytes) -> DeviceProgram:
    """A device with one answer to everything."""

    async def program(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(answer)
        await finish(stream)

    return program


async def finish(stream: TunnelStream) -> None:
    """Ends the device's side and waits for the other's, as an agent does."""
    await stream.send_eof()
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass
    await stream.aclose()


async def site(scope: Any, receive: Any, send: Any) -> None:
    """Stands for Quart: everything it is asked is 404 with a word."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = f"site {scope['path']}".encode()
    await send(
        {"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


def session_of(device_id: str, workspace: WorkspaceId = WORKSPACE) -> TunnelSession:
    return TunnelSession(
        TokenId("session"), ACTOR.user_id, workspace, DeviceId(device_id), NOW + timedelta(days=90)
    )


def device_record(device_id: str, **values: Any) -> Device:
    made = Device(
        DeviceId(device_id), WORKSPACE, ACTOR.user_id, "edge", "edge", None, created_at=NOW, updated_at=NOW
    )
    return replace(made, **values)


@dataclass
class Port:
    """A web port and what stands behind it, without a device."""

    number: int
    registry: Registry
    stores: FakeStores
    sweeper: Sweeper
    stop: trio.Event
    agents_connected: list[tuple[bytes, bytes, str]]
    scanned: list[LiveTunnel]
    cameras: Cameras


ConnectAgent = Callable[[socket.socket, RequestHead, bytes, str], Awaitable[None]]


@asynccontextmanager
async def open_port(
    layer: str,
    *,
    limits: Limits | None = None,
    web: WebSettings | None = None,
    connect_agent: Callable[[Registry], ConnectAgent] | None = None,
    access: Access | None = None,
) -> AsyncIterator[Port]:
    """The web port, up; with callers and stores of its own unless `access` brings others."""
    registry, stores, sweeper, stop = Registry(), FakeStores(), Sweeper(), trio.Event()
    connected: list[tuple[bytes, bytes, str]] = []
    settings = replace(
        web or WebSettings(),
        listen=ListenAddress("127.0.0.1", 0),
        fast_door=layer == "door",
        drain_seconds=5.0,
    )
    scanned: list[LiveTunnel] = []
    access = access or Access(FakeCallers(), registry, stores, scanned.append)
    cameras = Cameras(sweeper, limits)
    proxy = Proxy(site, access, sweeper, outside=Outside.from_web(settings), limits=limits, cameras=cameras)

    async def note_agent(sock: socket.socket, head: RequestHead, leftover: bytes, peer: str) -> None:
        connected.append((head.target, leftover, peer))
        sock.close()
        await trio.lowlevel.checkpoint()

    agents = connect_agent(registry) if connect_agent is not None else note_agent
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(
            lambda task_status: open_door(
                settings,
                proxy,
                access,
                sweeper,
                agents,
                stop,
                limits=limits,
                cameras=cameras,
                task_status=task_status,
            )
        )
        try:
            number = int(urls[0].rpartition(":")[2])
            yield Port(number, registry, stores, sweeper, stop, connected, scanned, cameras)
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_rig(
    layer: str, program: DeviceProgram, *, limits: Limits | None = None, web: WebSettings | None = None
) -> AsyncIterator[Rig]:
    """Everything, up and connected."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with (
        open_port(layer, limits=limits, web=web) as port,
        trio.open_nursery() as nursery,
        open_tunnel(WebSocketTransport(StreamPipe(ours), is_client=False), YamuxRole.SERVER) as tunnel,
        open_tunnel(
            WebSocketTransport(StreamPipe(theirs), is_client=True),
            YamuxRole.CLIENT,
            limits=YamuxLimits(remote_may_open=True),
        ) as agent,
    ):
        live = port.registry.admit(tunnel, session_of(str(uuid.UUID(int=7))))
        port.stores.known[live.device_id] = device_record(live.device_id)
        nursery.start_soon(_serve_streams, agent, program)
        rig = Rig(
            port,
            port.number,
            port.registry,
            port.stores,
            port.sweeper,
            live,
            agent,
            port.stop,
            port.agents_connected,
        )
        try:
            yield rig
        finally:
            for client in rig.clients:
                await trio.aclose_forcefully(client.stream)
            nursery.cancel_scope.cancel()


async def _serve_streams(agent: Tunnel, program: DeviceProgram) -> None:
    async with trio.open_nursery() as nursery:
        with contextlib.suppress(TunnelClosed):
            while True:
                nursery.start_soon(_serve_stream, program, await agent.accept())


async def _serve_stream(program: DeviceProgram, stream: TunnelStream) -> None:
    # A stream that its client left is the end of the program, and no fault of it.
    with contextlib.suppress(trio.BrokenResourceError):
        await program(stream)
