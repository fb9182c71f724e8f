"""Connections that the door gives away: Hypercorn serves them, from the bytes the door has already read.

Hypercorn's own server loop is not used, for it accepts one connection a wake-up; its connection class is, with the
worker context and the lifespan that hypercorn/trio/run.py gives it.
"""

import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, cast

import trio
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Event, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.events import Body
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from priority.priority import PriorityError

from visiona.relay.containment import contain
from visiona.web.door_checked import CheckedRequests
from visiona.web.door_output import hold_little
from visiona.web.door_settings import ConnectAgent
from visiona.web.errors import leaves
from visiona.wire.http1.head import RequestHead

log = logging.getLogger(__name__)

SEND_SECONDS = 60.0
"""For a client to take one piece. Hypercorn shields its sends from cancellation, so they end by themselves."""

ASGIApp = Callable[..., Awaitable[None]]

GiveOn = Callable[[RequestHead, bytes], Awaitable[None]]
"""Takes an agent's connection: its request's head, and the bytes after it."""

_SWITCHING = b"HTTP/1.1 101 "

STUMBLES: Final = (UnboundLocalError, UnicodeError, PriorityError)
"""What Hypercorn (0.18) raises at a CONNECT without a path, at bytes beyond ASCII in a method, a path or a WebSocket's
fields, and at priorities (which RFC 9113 took back) of more than 1,000 streams or in a chain of more than 100. A bug of
ours does not come this way: what the app raises is answered before."""

BREAK_STREAM: Final = "visiona.break_stream"
"""Under this name each request's scope has, in its state, the way to break its own answer off."""

HOLD_LITTLE: Final = "visiona.hold_little"
"""And under this one the way to say that what it is answered is live (door_output.py)."""


class HandedStream:
    """A socket as Hypercorn's connection class uses one, which first yields what was already read.

    Attributes:
        is_given_on: an agent came; the socket is the relay's, and what Hypercorn still says is dropped.
    """

    def __init__(self, sock: socket.socket, already_read: bytes, give_on: GiveOn) -> None:
        self._give_on = give_on
        self.is_given_on = False
        self.socket = trio.socket.from_stdlib_socket(sock)
        self._stream = trio.SocketStream(self.socket)
        self._requests = CheckedRequests()
        self._checked = self._requests.receive(already_read)
        self._reading = trio.CancelScope()
        self._is_over = False
        self.server: TCPServer | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes that may be read here; empty at the end."""
        if self._checked:
            await trio.lowlevel.checkpoint()
        while not self._checked:
            if self._requests.agent is not None and not self._is_over:
                await self._give_to_relay(self._requests.agent)
            if self._is_over:
                return b""
            # Cancelled by whoever sets `_checked` or `_is_over` meanwhile.
            with trio.CancelScope() as self._reading:
                if self._requests.is_full:
                    await trio.sleep_forever()
                data = bytes(await self._stream.receive_some(max_bytes))
                if not data:
                    return b""
                self._checked += self._requests.receive(data)
        size = len(self._checked) if max_bytes is None else max_bytes
        data, self._checked = self._checked[:size], self._checked[size:]
        return data

    async def _give_to_relay(self, agent: RequestHead) -> None:
        self.is_given_on = self._is_over = True
        if self.server is not None:
            await self.server.idle_task.stop()
        await self._give_on(agent, self._requests.ahead)

    def answered(self) -> None:
        """An answer is out, and the connection stays for another request."""
        self._checked += self._requests.answered()
        self._reading.cancel()

    async def send_all(self, data: bytes) -> None:
        """Sends everything; BrokenResourceError when the client takes nothing for too long, or the end was sent."""
        if self.is_given_on:
            raise trio.BrokenResourceError("the connection is the relay's")
        with trio.move_on_after(SEND_SECONDS) as scope:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.BusyResourceError) as error:
                # Busy: Hypercorn closes without its send lock, when it refuses a request whose answer is being sent.
                self._end()
                raise trio.BrokenResourceError("the connection is at its end") from error
        if scope.cancelled_caught:
            await self.aclose()
            raise trio.BrokenResourceError("the client takes nothing any more")
        if data.startswith(_SWITCHING):
            self._checked += self._requests.upgraded()
            self._reading.cancel()

    async def send_eof(self) -> None:
        """Ends the sending side."""
        if not self.is_given_on:
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Closes the socket."""
        self._end()
        if not self.is_given_on:
            await self._stream.aclose()

    def _end(self) -> None:
        self._is_over = True
        self._reading.cancel()


class _Answered:
    """Stands for a request of HTTP/2 that was answered before all of it had come: what still comes is dropped."""

    idle = True

    def __init__(self, connection: H2Connection) -> None:
        self._connection = connection

    async def handle(self, event: StreamEvent) -> None:
        """Asks the client to stop, once (RFC 9113 §8.1)."""
        await trio.lowlevel.checkpoint()
        if isinstance(event, Body):
            with contextlib.suppress(ProtocolError):
                self._connection.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)


class _Requests(dict[int, Any]):
    """The requests of one HTTP/2 connection, by stream, as Hypercorn looks them up.

    Its own (0.18) meets a KeyError at a piece of one that is answered already, which ends the connection and every other
    request on it.
    """

    def __init__(self, connection: H2Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, stream_id: int) -> _Answered:
        """What is looked up is there, or was."""
        return _Answered(self._connection)


class HandedServer(TCPServer):
    """Hypercorn's connection class, which tells its stream when an answer is out, and ends when its client has left.

    Hypercorn's own waits on for a request until its idle time is over, with the socket and a task (0.18).
    """

    def __init__(
        self,
        app: ASGIWrapper,
        config: Config,
        context: WorkerContext,
        state: ConnectionState,
        handed: HandedStream,
    ) -> None:
        # It asks of its stream what both have, and finds no TLS in ours.
        super().__init__(app, config, context, state, cast("trio.SSLStream[trio.SocketStream]", handed))
        self._handed = handed
        self._client_has_left = False

    async def protocol_send(self, event: Event) -> None:
        """See TCPServer."""
        protocol = self.protocol.protocol
        if isinstance(protocol, H2Protocol) and not isinstance(protocol.streams, _Requests):
            # It sends its settings before it looks at a request.
            protocol.streams = _Requests(protocol.connection)
        is_idle = isinstance(event, Updated) and event.idle
        if is_idle and self._client_has_left:
            return
        await super().protocol_send(event)
        if is_idle:
            self._handed.answered()

    async def _read_data(self) -> None:
        try:
            await super()._read_data()
        finally:
            await _let_go(self.protocol)
        self._client_has_left = True
        await self.idle_task.stop()


class Hypercorn:
    """Serves connections that are handed over. `run` must be running."""

    def __init__(
        self, app: ASGIApp, connect_agent: ConnectAgent, *, idle_seconds: float, drain_seconds: float
    ) -> None:
        self._app = ASGIWrapper(app)
        self._connect_agent = connect_agent
        self._config = _config(idle_seconds, drain_seconds)
        self._context = WorkerContext(None)
        self._state: dict[str, Any] = {}
        self._finished = trio.Event()
        self._ended = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Starts the app, and stops it after `finish`."""
        lifespan = Lifespan(self._app, self._config, self._state)
        async with trio.open_nursery() as nursery:
            await nursery.start(lifespan.handle_lifespan)
            await lifespan.wait_for_startup()
            task_status.started()
            await self._finished.wait()
            await lifespan.wait_for_shutdown()
            nursery.cancel_scope.cancel()
        self._ended.set()

    async def finish(self) -> None:
        """Every connection has ended: stops the app, and waits until it has stopped."""
        self._finished.set()
        await self._ended.wait()

    async def drain(self) -> None:
        """Lets idle connections close and the others close after their answer."""
        await self._context.terminated.set()

    async def serve(self, sock: socket.socket, already_read: bytes, peer_address: str) -> None:
        """One connection, to its end or until an agent comes. What goes wrong in it stays in it."""

        async def give_on(agent: RequestHead, leftover: bytes) -> None:
            await self._connect_agent(sock, agent, leftover, peer_address)

        stream = HandedStream(sock, already_read, give_on)
        state: dict[str, Any] = {
            **self._state,
            BREAK_STREAM: partial(_break_stream, stream),
            HOLD_LITTLE: partial(hold_little, sock),
        }
        server = HandedServer(self._app, self._config, self._context, ConnectionState(state), stream)
        stream.server = server
        try:
            await contain("a connection of the web site", partial(_run, server, peer_address), dict)
        finally:
            if not stream.is_given_on:
                # Cancelled, it has not come to close its socket.
                stream.socket.close()


async def _let_go(wrapper: ProtocolWrapper) -> None:
    """Ends what waits for the client to make room for more of an answer: nobody will.

    Hypercorn (0.18) leaves it to a cancellation, from which the last piece of an answer is shielded (site.py): each
    request whose client left in HTTP/2 before it had its answer stayed for ever, and the server never stopped.
    """
    if isinstance(wrapper.protocol, H2Protocol):
        for buffer in list(wrapper.protocol.stream_buffers.values()):
            await buffer.close()


async def _run(server: HandedServer, peer_address: str) -> None:
    """Serves to the end, which is also where Hypercorn stumbles over what it reads."""
    try:
        await server.run()
    except* STUMBLES as stumbles:
        # Only the kind: the message of some of them is all that was read, cookies included.
        reasons = {type(leaf).__name__ for leaf in leaves(stumbles)}
        log.info("unreadable HTTP/2", extra={"reason": ", ".join(sorted(reasons)), "address": peer_address})


async def _break_stream(stream: HandedStream, send: Callable[..., Awaitable[None]]) -> None:
    """Resets the HTTP/2 stream that `send` answers on; an unfinished answer would leave its client waiting."""
    protocol = stream.server.protocol.protocol if stream.server is not None else None
    stream_id = getattr(getattr(send, "__self__", None), "stream_id", None)
    if isinstance(protocol, H2Protocol) and stream_id is not None:
        protocol.connection.reset_stream(stream_id, error_code=ErrorCodes.INTERNAL_ERROR)
        await protocol._flush()


def _config(idle_seconds: float, drain_seconds: float) -> Config:
    config = Config()
    config.keep_alive_timeout = idle_seconds
    config.graceful_timeout = drain_seconds
    # It closes HTTP/2 connections with streams in flight when this is reached.
    config.keep_alive_max_requests = 1_000_000_000
    config.include_server_header = False
    # A device's answer brings its own; ours get theirs in web/dates.py.
    config.include_date_header = False
    config.errorlog = logging.getLogger("visiona.web.hypercorn")
    config.accesslog = None
    return config
