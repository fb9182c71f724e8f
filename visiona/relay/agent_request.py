"""A request of the server's own to a device, through its tunnel: the body as it is read, the answer as it comes.

For what is awaited by a task; what people ask goes by exchange.py, which has none. The connection is one request's.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import h11
import trio

from visiona.domain.errors import DeviceBroke, DeviceTooSlow
from visiona.relay.agent_words import parse_json
from visiona.relay.lost_streams import lost
from visiona.relay.registry import LiveTunnel
from visiona.stores.errors import StoreUnavailable
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import TunnelClosed, TunnelError

MAX_ANSWER_BYTES = 64 * 1024
"""Of an answer that is read whole; an agent's words about a model are a few hundred bytes."""

IDLE_SECONDS = 60.0
"""Between two moments at which the device takes more, or says more."""

ANSWER_SECONDS = 120.0
"""From the last byte of a request to its answer: a device that checks what it was sent reads it from a slow card."""


class TunnelLost(Exception):
    """The way to the device is gone; the device may come back."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        pieces: the body, `length` bytes in all; None for none.
    """

    method: str
    path: str
    fields: Sequence[tuple[str, str]] = ()
    length: int = 0
    pieces: AsyncGenerator[bytes, None] | None = None
    answer_seconds: float = ANSWER_SECONDS


class AgentAnswer:
    """An answer whose head has come; `request_was_sent` is False where the device did not wait for all of it."""

    def __init__(self, stream: TunnelStream, parser: h11.Connection, idle_seconds: float) -> None:
        self._stream = stream
        self._parser = parser
        self._idle_seconds = idle_seconds
        self.status = 0
        self.content_type = ""
        self.request_was_sent = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes.

        Raises:
            TunnelLost, DeviceBroke, DeviceTooSlow: it does not come to its end.
        """
        while isinstance(event := await self.event(self._idle_seconds), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise DeviceBroke("the device's answer ended early")

    async def json(self) -> object:
        """The whole body, read as JSON; None for what is none, or too long."""
        body = b""
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    return None
        return parse_json(body)

    async def event(self, seconds: float) -> object:
        """What comes next of the answer."""
        with trio.move_on_after(seconds):
            try:
                while (event := self._parser.next_event()) is h11.NEED_DATA:
                    self._parser.receive_data(await self._stream.receive_some())
            except trio.BrokenResourceError as error:
                raise translated(error) from error
            except h11.RemoteProtocolError as error:
                raise DeviceBroke(f"the device's answer breaks HTTP: {error}") from error
            return event
        raise DeviceTooSlow(f"the device did not answer within {seconds:.0f} seconds")

    async def take_head(self, seconds: float) -> None:
        """Waits for the answer's head."""
        event = await self.event(seconds)
        while isinstance(event, h11.InformationalResponse):
            event = await self.event(seconds)
        if not isinstance(event, h11.Response):
            raise DeviceBroke("the device closed the stream without an answer")
        self.status = event.status_code
        fields = dict(event.headers)
        self.content_type = fields.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()


@asynccontextmanager
async def asked(
    live: LiveTunnel, request: Request, *, idle_seconds: float = IDLE_SECONDS
) -> AsyncIterator[AgentAnswer]:
    """Asks, and gives the answer once its head is there. Leaving abandons what is left of it.

    Raises:
        TunnelLost: the tunnel is down, or takes no more requests now.
        DeviceBroke, DeviceTooSlow: the device did not answer as it should.
        StoreUnavailable: of whoever makes the body.
    """
    stream = TunnelStream()
    try:
        stream.stream = live.tunnel.open_stream_nowait(stream)
    except TunnelError as error:
        raise TunnelLost(str(error)) from error
    answer = AgentAnswer(stream, h11.Connection(h11.CLIENT), idle_seconds)
    try:
        await _ask(stream, request, answer, idle_seconds)
        yield answer
    finally:
        stream.stream.reset()


async def answer_of(live: LiveTunnel, request: Request) -> tuple[int, object]:
    """The status and the JSON of a short answer."""
    async with asked(live, request) as answer:
        return answer.status, await answer.json()


def translated(error: trio.BrokenResourceError) -> Exception:
    """What a broken stream means."""
    cause = error.__cause__
    if isinstance(cause, TunnelClosed):
        return TunnelLost(str(cause))
    return lost(cause) if isinstance(cause, TunnelError) else DeviceBroke("the device broke off the request")


async def _ask(stream: TunnelStream, request: Request, answer: AgentAnswer, idle_seconds: float) -> None:
    """Sends while it listens: a device that refuses need not take all of what it refuses."""
    failures: list[Exception] = []
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            try:
                await _send(stream, answer._parser, request, idle_seconds)
                answer.request_was_sent = True
            except trio.BrokenResourceError:
                return  # whoever listens is told the same
            except (StoreUnavailable, DeviceTooSlow) as error:
                failures.append(error)
                nursery.cancel_scope.cancel()
                return
            patience.deadline = trio.current_time() + request.answer_seconds

        with trio.CancelScope() as patience:
            nursery.start_soon(send)
            try:
                await answer.take_head(float("inf"))
            except (TunnelLost, DeviceBroke, DeviceTooSlow) as error:
                failures.append(error)
        if patience.cancelled_caught and not failures:
            waited = f"{request.answer_seconds:.0f}"
            failures.append(DeviceTooSlow(f"the device did not answer within {waited} seconds"))
        nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _send(stream: TunnelStream, parser: h11.Connection, request: Request, idle_seconds: float) -> None:
    fields = [("Host", "localhost"), ("Accept", "*/*"), ("Connection", "close"), *request.fields]
    if request.pieces is not None:
        fields.append(("Content-Length", str(request.length)))
    head = h11.Request(method=request.method, target=request.path, headers=fields)
    await _send_some(stream, parser.send(head) or b"", idle_seconds)
    if request.pieces is not None:
        async with aclosing(request.pieces) as pieces:
            async for piece in pieces:
                await _send_some(stream, parser.send(h11.Data(piece)) or b"", idle_seconds)
    # The stream's own end is not sent: an HTTP server takes that for a client that left.
    parser.send(h11.EndOfMessage())


async def _send_some(stream: TunnelStream, data: bytes, seconds: float) -> None:
    with trio.move_on_after(seconds) as patience:
        await stream.send_all(data)
    if patience.cancelled_caught:
        raise DeviceTooSlow(f"the device took nothing for {seconds:.0f} seconds")
