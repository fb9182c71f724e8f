"""A relay of a page: enough of one to put `visiona.tunnel` in front of a real agent, and an HTTP client for its streams."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11
import trio
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.pipe import SocketPipe
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.settings import TunnelSettings
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.http1.head import RequestHead, find_head_end, parse_request_head
from visiona.wire.websocket.handshake import check_upgrade, switching_protocols
from visiona.wire.yamux.limits import Role


@dataclass
class SmallRelay:
    """Where agents connect, and what came of it."""

    url: str
    heads: list[RequestHead] = field(default_factory=list)
    _send: trio.MemorySendChannel[Tunnel] = field(init=False)
    _tunnels: trio.MemoryReceiveChannel[Tunnel] = field(init=False)

    def __post_init__(self) -> None:
        self._send, self._tunnels = trio.open_memory_channel[Tunnel](100)

    async def next_tunnel(self) -> Tunnel:
        """Wait for an agent."""
        with trio.fail_after(15):
            return await self._tunnels.receive()

    async def take(self, sock: socket.socket, settings: TunnelSettings) -> None:
        """One agent: handshake, then a tunnel until it is over."""
        pipe = SocketPipe(sock)
        data = b""
        while (end := find_head_end(data)) is None:
            data += await pipe.receive_some()
        head = parse_request_head(data[:end])
        self.heads.append(head)
        await pipe.send_all(memoryview(switching_protocols(check_upgrade(head))), 5)
        transport = WebSocketTransport(pipe, is_client=False, leftover=data[end:])
        async with open_tunnel(transport, Role.SERVER, settings) as tunnel:
            await self._send.send(tunnel)
            with trio.CancelScope() as sweeping:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_sweep, tunnel)
                    await tunnel.wait_closed()
                    sweeping.cancel()


async def _sweep(tunnel: Tunnel) -> None:
    while True:
        await trio.sleep(0.1)
        tunnel.sweep(trio.current_time())


@asynccontextmanager
async def small_relay(settings: TunnelSettings | None = None) -> AsyncIterator[SmallRelay]:
    """A relay on a free port; agents still connected are cut when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        relay = SmallRelay(f"ws://127.0.0.1:{listener.getsockname()[1]}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_accept, listener, relay, settings or TunnelSettings(), nursery)
            yield relay
            nursery.cancel_scope.cancel()


async def _accept(
    listener: socket.socket, relay: SmallRelay, settings: TunnelSettings, nursery: trio.Nursery
) -> None:
    while True:
        await trio.lowlevel.wait_readable(listener.fileno())
        sock, _ = listener.accept()
        sock.setblocking(False)
        nursery.start_soon(relay.take, sock, settings)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(
    tunnel: Tunnel,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    chunked: bool = False,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """One exchange on a stream of its own, sending and receiving at the same time."""
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))
    request = h11.Request(method=method, target=target, headers=[("Host", "agent.test"), framing, *headers])
    connection = h11.Connection(h11.CLIENT)
    stream = await tunnel.open_stream()
    broken: trio.BrokenResourceError | None = None
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(_send, stream, connection, request, body)
        try:
            answer = await _receive(stream, connection)
        except trio.BrokenResourceError as error:
            broken = error
        nursery.cancel_scope.cancel()
    if broken is not None:
        raise broken
    return answer


async def _send(stream: TunnelStream, connection: h11.Connection, request: h11.Request, body: bytes) -> None:
    # A stream that breaks is the receiver's to report.
    with suppress(trio.BrokenResourceError):
        await stream.send_all(connection.send(request) or b"")
        for start in range(0, len(body), 60_000):
            await stream.send_all(connection.send(h11.Data(data=body[start : start + 60_000])) or b"")
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")


async def _receive(stream: TunnelStream, connection: h11.Connection) -> Answer:
    status, headers, body = 0, dict[str, str](), bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Response() as response:
                status = response.status_code
                headers = {name.decode(): value.decode() for name, value in response.headers}
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                return Answer(status, headers, bytes(body))
            case _:
                pass
