"""A relay on the loopback interface with stores in memory, and agents that knock at it."""

import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import trio
from visiona.domain.devices import Device
from visiona.domain.ids import DeviceId, TokenId, UserId
from visiona.domain.listen import ListenAddress
from visiona.domain.notices import Notice, NoticeKind
from visiona.domain.tokens import TokenKind, token_hash, token_text
from visiona.relay.listener import Relay
from visiona.relay.registry import Registry, StatusChange
from visiona.relay.settings import RelaySettings
from visiona.services import clock
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.pipe import SocketPipe
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.stream import Stream
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.yamux.limits import Limits, Role

from tests.support.nouns import Home, put
from tests.support.waiting import until

LOOPBACK = RelaySettings(listen=ListenAddress("127.0.0.1", 0))
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass
class Paired:
    """A device with a token that lets it in."""

    device: Device
    token: str
    token_id: str


async def pair(stores: Stores, home: Home, *, lives: timedelta = timedelta(days=30)) -> Paired:
    """A device of the home, paired a while ago; a negative life has run out already."""
    text = token_text(TokenKind.SESSION, secrets.token_bytes(32))
    hashed = token_hash(text, TokenKind.SESSION)
    assert hashed is not None
    device = home.device()
    token = home.session_token(device)
    now = clock.now()
    token = replace(token, hash=hashed, created_at=now - timedelta(days=30), expires_at=now + lives)
    await put(stores, device, token)
    return Paired(device, text, token.id)


@dataclass
class Running:
    """A relay that runs."""

    relay: Relay
    registry: Registry
    stores: Stores
    port: int
    stopping: trio.Event
    changes: list[StatusChange] = field(default_factory=list)

    async def connect(self, host: str = "127.0.0.1") -> trio.SocketStream:
        return await trio.open_tcp_stream(host, self.port)


@contextlib.asynccontextmanager
async def running(
    settings: RelaySettings = LOOPBACK,
    *,
    stores: Stores | None = None,
    trusted: tuple[object, ...] = (),
) -> AsyncIterator[Running]:
    """A relay while the block runs; leaving checks that nothing is left of it."""
    stores = stores or MemoryStores()
    registry, stopping = Registry(), trio.Event()
    changes: list[StatusChange] = []
    registry.watchers.append(changes.append)

    def apply(notice: Notice) -> object:
        return apply_notice(registry, notice)

    async with trio.open_nursery() as background, trio.open_nursery() as connections:
        relay = Relay(
            settings,
            stores,
            registry,
            connections,
            is_stopping=stopping.is_set,
            apply=apply,
            doubt_sessions=lambda: None,
            trusted=trusted,
        )
        urls = await background.start(relay.run)
        port = int(urls[0].rpartition(":")[2])
        yield Running(relay, registry, stores, port, stopping, changes)
        stopping.set()
        registry.say_goodbye()
        # Connections end with their tunnels.
        await until(lambda: not connections.child_tasks)
        assert len(registry) == 0
        assert relay.reception.newcomers == 0
        assert len(relay.pinger) == 0
        background.cancel_scope.cancel()


def apply_notice(registry: Registry, notice: Notice) -> object:
    """The registry's part of what web/revoking.py does."""
    match notice.kind:
        case NoticeKind.SESSION_TOKEN_REVOKED:
            return registry.cut_session_token(TokenId(notice.subject))
        case NoticeKind.DEVICE_DELETED:
            return registry.cut_device(DeviceId(notice.subject))
        case NoticeKind.USER_DISABLED:
            return registry.cut_user(UserId(notice.subject))
        case _:
            return None


def request(
    token: str | None,
    *more: str,
    target: str = "/tunnel/connect",
    method: str = "GET",
    leave_out: str = "",
    version: str = "HTTP/1.1",
) -> bytes:
    """An upgrade request; `more` are further header lines, `leave_out` begins the name of one not to send."""
    lines = [
        "Host: relay.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if leave_out:
        lines = [line for line in lines if not line.startswith(leave_out)]
    return "\r\n".join([f"{method} {target} {version}", *lines, *more, "", ""]).encode("latin-1")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(stream: trio.abc.Stream, data: bytes) -> Answer:
    """Sends a request and reads the answer up to the end of the connection, or of the head of a 101."""
    if data:
        await stream.send_all(data)
    received = b""
    while b"\r\n\r\n" not in received or not received.startswith(b"HTTP/1.1 101"):
        piece = bytes(await stream.receive_some(65536))
        if not piece:
            break
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return Answer(int(lines[0].split(" ")[1]) if lines[0] else 0, headers, body)


async def knock(running_relay: Running, data: bytes, *, local_address: str | None = None) -> Answer:
    """One connection, one request, one answer."""
    stream = await trio.open_tcp_stream("127.0.0.1", running_relay.port, local_address=local_address)
    async with stream:
        return await ask(stream, data)


@contextlib.asynccontextmanager
async def an_agent(
    running_relay: Running, token: str, *more: str, local_address: str | None = None
) -> AsyncIterator[Tunnel]:
    """An agent of ours that is let in."""
    stream = await trio.open_tcp_stream("127.0.0.1", running_relay.port, local_address=local_address)
    answer = await ask(stream, request(token, *more))
    assert answer.status == 101, answer
    plain = socket.socket(fileno=stream.socket.detach())
    plain.setblocking(False)
    transport = WebSocketTransport(SocketPipe(plain), is_client=True, leftover=answer.body)
    async with open_tunnel(transport, Role.CLIENT, limits=Limits(remote_may_open=True)) as tunnel:
        yield tunnel


async def accept(agent: Tunnel, stream: Stream) -> TunnelStream:
    """The agent's end of one of the relay's streams; others (the relay asks for the inventory) are reset."""
    while True:
        accepted = await agent.accept()
        if accepted.stream.id == stream.id:
            return accepted
        await accepted.aclose()
