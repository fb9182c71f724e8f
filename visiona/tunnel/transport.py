"""WebSocket messages ↔ a byte transport: what yamux frames travel in.

Message boundaries mean nothing here: a payload is handed on as its pieces arrive, and everything queued leaves as one
binary message. Only the tunnel's writer calls the sending half, so no cancelled task leaves half a frame behind.
"""

import secrets
from typing import Protocol

import trio

from visiona.tunnel.pipe import Pipe
from visiona.wire.websocket.frames import (
    Closed,
    Event,
    FrameReader,
    Payload,
    Ping,
    binary_frame,
    close_frame,
    pong_frame,
)

MAX_WAITING_PONGS = 8
"""Answers to WebSocket pings that wait to be sent; of a flood the newest is answered (RFC 6455 §5.5.3)."""

SLICE_BYTES = 64 * 1024
MANY_EVENTS = 256
"""Of one slice, and after them everybody else has a turn: messages of one byte make 37,000 of a read, and 150 ms."""

CLOSE_NORMAL = 1000
CLOSE_GOING_AWAY = 1001
CLOSE_PROTOCOL_ERROR = 1002

_NOTHING = memoryview(b"")


class Transport(Protocol):
    """What carries a tunnel's bytes. One task receives, one other task does everything else."""

    @property
    def wants_to_send(self) -> bool:
        """Whether it has something of its own to say, such as a pong."""
        ...

    async def receive(self) -> list[bytes] | None:
        """Waits for something and gives all payload there is, perhaps none; None is the end.

        Raises:
            OSError, trio.BrokenResourceError: the connection broke.
            RemoteProtocolError: kind `websocket`.
        """
        ...

    def send_nowait(self, pieces: list[bytes]) -> bool:
        """Takes the pieces over and sends what goes at once; False: `drain` the rest before the next call."""
        ...

    async def drain(self, progress_seconds: float) -> None:
        """Sends the rest; trio.TooSlowError if for so long nothing was taken."""
        ...

    def queue_close(self, code: int) -> None:
        """Puts the transport's own farewell, if it has one, into the next send."""
        ...

    async def aclose(self) -> None:
        """Drops the connection now."""
        ...


class WebSocketTransport:
    """A WebSocket whose handshake is over, on a pipe.

    Args:
        pipe: the connection; closing is ours from here on.
        is_client: whether this end masks.
        leftover: bytes that arrived behind the handshake.
    """

    __slots__ = ("_control", "_ended", "_is_client", "_leftover", "_pipe", "_reader", "_unsent")

    def __init__(self, pipe: Pipe, *, is_client: bool, leftover: bytes = b"") -> None:
        self._pipe = pipe
        self._is_client = is_client
        self._reader = FrameReader(expect_masked=not is_client)
        self._leftover = leftover
        self._control: list[bytes] | None = None
        self._unsent = _NOTHING
        self._ended = False

    @property
    def wants_to_send(self) -> bool:
        """Whether pongs or a close frame wait."""
        return self._control is not None

    async def receive(self) -> list[bytes] | None:
        """See Transport."""
        if self._ended:
            return None
        data = self._leftover or await self._pipe.receive_some()
        self._leftover = b""
        if not data:
            return None
        pieces: list[bytes] = []
        view = memoryview(data)
        for at in range(0, len(view), SLICE_BYTES):
            events = self._reader.receive_data(view[at : at + SLICE_BYTES])
            if not self._sort(events, pieces):
                return pieces or None
            if len(events) > MANY_EVENTS:
                await trio.lowlevel.checkpoint()
        return pieces

    def _sort(self, events: list[Event], pieces: list[bytes]) -> bool:
        """Payload to the pieces, what is between the two transports to its place; False at the other end's Close."""
        for event in events:
            if isinstance(event, Payload):
                if event.data:
                    pieces.append(event.data)
            elif isinstance(event, Ping):
                self._answer_ping(event.payload)
            elif isinstance(event, Closed):
                self._ended = True
        return not self._ended

    def send_nowait(self, pieces: list[bytes]) -> bool:
        """See Transport."""
        control, self._control = self._control, None
        frames = control or []
        if pieces:
            frames.insert(0, binary_frame(pieces, self._mask()))
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        sent = self._pipe.send_nowait(data)
        if sent == len(data):
            return True
        self._unsent = memoryview(data)[sent:]
        return False

    async def drain(self, progress_seconds: float) -> None:
        """See Transport."""
        unsent, self._unsent = self._unsent, _NOTHING
        await self._pipe.send_all(unsent, progress_seconds)

    def queue_close(self, code: int) -> None:
        """See Transport."""
        self._queue_control(close_frame(code, "", self._mask()))

    async def aclose(self) -> None:
        """See Transport."""
        await self._pipe.aclose()

    def _answer_ping(self, payload: bytes) -> None:
        if self._control is not None and len(self._control) >= MAX_WAITING_PONGS:
            self._control.pop(0)
        self._queue_control(pong_frame(payload, self._mask()))

    def _queue_control(self, frame: bytes) -> None:
        if self._control is None:
            self._control = []
        self._control.append(frame)

    def _mask(self) -> bytes | None:
        return secrets.token_bytes(4) if self._is_client else None
