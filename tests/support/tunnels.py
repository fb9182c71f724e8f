"""Tunnels for tests: two ends joined in memory, handlers that remember, and peers made of raw yamux frames."""

import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import trio
import trio.testing
from visiona.tunnel.errors import StreamReset, TunnelClosed
from visiona.tunnel.pipe import StreamPipe
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.settings import TunnelSettings
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.websocket.frames import FrameReader, Payload, binary_frame
from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.window import Budget

AGENT_LIMITS = Limits(remote_may_open=True)
MASK = b"\x01\x02\x03\x04"

DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8


class Remembering:
    """A StreamHandler that keeps what it was told."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False
        self.lost: StreamReset | TunnelClosed | None = None
        self.writable = 0
        self.was_lost = trio.Event()

    def stream_data(self, data: bytes) -> None:
        self.data += data

    def stream_ended(self) -> None:
        self.ended = True

    def stream_lost(self, error: StreamReset | TunnelClosed) -> None:
        assert self.lost is None, "told twice"
        self.lost = error
        self.was_lost.set()

    def stream_writable(self) -> None:
        self.writable += 1


@dataclass
class Ends:
    """Both ends of one tunnel."""

    relay: Tunnel
    agent: Tunnel


@contextlib.asynccontextmanager
async def joined(
    *,
    settings: TunnelSettings | None = None,
    relay_limits: Limits | None = None,
    budget: Budget | None = None,
) -> AsyncIterator[Ends]:
    """A relay's and an agent's end over memory streams. Leaving checks that nothing is left over."""
    here, there = trio.testing.memory_stream_pair()
    async with (
        open_tunnel(
            WebSocketTransport(StreamPipe(here), is_client=False),
            Role.SERVER,
            settings,
            limits=relay_limits,
            budget=budget,
        ) as relay,
        open_tunnel(
            WebSocketTransport(StreamPipe(there), is_client=True), Role.CLIENT, settings, limits=AGENT_LIMITS
        ) as agent,
    ):
        yield Ends(relay, agent)
    assert relay.stream_count == agent.stream_count == 0
    assert relay.session.statistics().streams == 0
    assert budget is None or budget.taken_bytes == 0


def frame(kind: int, flags: int, stream_id: int, length: int, payload: bytes = b"") -> bytes:
    """A yamux frame, well-formed or not."""
    return struct.pack(">BBHII", 0, kind, flags, stream_id, length) + payload


@dataclass
class Frame:
    kind: int
    flags: int
    stream_id: int
    length: int
    payload: bytes = b""


@dataclass
class RawAgent:
    """An agent that says exactly what a test wants it to say, on the other end of a stream."""

    stream: trio.abc.Stream
    _reader: FrameReader = field(default_factory=lambda: FrameReader(expect_masked=False))
    _bytes: bytes = b""

    async def say(self, *frames: bytes) -> None:
        await self.stream.send_all(binary_frame(list(frames), MASK))

    async def hear(self) -> Frame:
        """The next frame; raises EndOfChannel when the relay has closed."""
        await self._fill(12)
        _, kind, flags, stream_id, length = struct.unpack(">BBHII", self._bytes[:12])
        payload = b""
        if kind == DATA:
            await self._fill(12 + length)
            payload = self._bytes[12 : 12 + length]
        self._bytes = self._bytes[12 + len(payload) :]
        return Frame(kind, flags, stream_id, length, payload)

    async def hear_until(self, kind: int) -> Frame:
        """Skips to the next frame of the kind, answering pings on the way unless they are what is wanted."""
        while True:
            heard = await self.hear()
            if heard.kind == kind:
                return heard
            if heard.kind == PING and heard.flags & SYN:
                await self.say(frame(PING, ACK, 0, heard.length))

    async def _fill(self, count: int) -> None:
        while len(self._bytes) < count:
            data = bytes(await self.stream.receive_some(65536))
            if not data:
                raise trio.EndOfChannel
            for event in self._reader.receive_data(data):
                if isinstance(event, Payload):
                    self._bytes += event.data


@contextlib.asynccontextmanager
async def before_a_raw_agent(
    settings: TunnelSettings | None = None, limits: Limits | None = None
) -> AsyncIterator[tuple[Tunnel, RawAgent]]:
    """The relay's end of a tunnel, and an agent that a test plays."""
    here, there = trio.testing.memory_stream_pair()
    transport = WebSocketTransport(StreamPipe(here), is_client=False)
    async with open_tunnel(transport, Role.SERVER, settings, limits=limits) as tunnel:
        yield tunnel, RawAgent(there)
    assert tunnel.session.statistics().streams == 0
