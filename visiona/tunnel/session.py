"""One tunnel: wire.yamux driven over a transport, the same code on both ends.

Two tasks. The reader reads, and tells streams' handlers in the same step; it never waits for a write and never stops
reading, for two ends that do deadlock. The writer alone touches the sending side: it sleeps until something was
queued, and then sends all that this scheduler tick queued in one piece. A task that is cancelled while it uses a
stream therefore cannot leave half a frame on the line.

A tunnel ends once, with one cause; the first to be named stays.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import StreamReset, TunnelClosed
from visiona.tunnel.keepalive import Pinger
from visiona.tunnel.live_streams import LiveStreams
from visiona.tunnel.settings import TunnelSettings
from visiona.tunnel.stream import Stream, StreamHandler
from visiona.tunnel.transport import CLOSE_GOING_AWAY, CLOSE_PROTOCOL_ERROR, Transport
from visiona.tunnel.writer import Writer
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.errors import SessionEnding
from visiona.wire.yamux.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    StreamEnded,
    StreamOpened,
    Writable,
)
from visiona.wire.yamux.events import StreamReset as ResetReceived
from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.session import Session
from visiona.wire.yamux.window import Budget

JOIN_BYTES = 512 * 1024
"""Pieces of one read are joined up to this size, which is any read: agents cut everything into messages of 4 KiB, and
what an event costs on its way to a client is far more than the copy (205 -> 480 MB/s down)."""

FEW_EVENTS = 2
"""Of one small answer: data and the end of the stream. They are not worth a look at the clock."""

SLICE_SECONDS = 0.002
"""Of other people's time that one read may take in one go. An agent that sends its answer byte by byte fits twenty
thousand frames into a read: a second and a half in which nobody else was served."""

CYCLE_GRACE_SECONDS = 30.0
"""Streams in flight may finish in this time when the tunnel itself has to end: ids used up, or the agent leaves."""

MAX_UNACCEPTED = 256
"""Streams of the other side that nobody took yet: what the session's backlog allows to live."""

LAST_READ_SECONDS = 1.0
"""After sending failed, for the reader to find out why."""

_HANG_UPS = frozenset({"agent_closed", "tcp_reset"})
"""The other end went. From a tunnel that was already told to end, that is the answer and not the cause."""


class Tunnel:
    """A tunnel over a transport whose handshake is over. `run` drives it; `open_tunnel` wraps that.

    Attributes:
        last_heard: when bytes last came in, on the loop's clock.
        closed: why it is over, or None.
    """

    __slots__ = (
        "_accepted",
        "_retiring",
        "_settings",
        "_streams",
        "_transport",
        "_watch",
        "_writer",
        "closed",
        "last_heard",
        "next_ping_at",
        "session",
    )

    def __init__(self, transport: Transport, session: Session, settings: TunnelSettings) -> None:
        self.session = session
        self.closed: TunnelClosed | None = None
        self.last_heard = trio.current_time()
        self.next_ping_at = self.last_heard
        self._transport = transport
        self._settings = settings
        self._streams = LiveStreams(self, session)
        self._writer = Writer(session, transport, settings)
        self._accepted: deque[TunnelStream] | None = None
        self._watch: trio.lowlevel.ParkingLot | None = None
        self._retiring: tuple[str, str, float] | None = None

    @property
    def is_open(self) -> bool:
        """Whether new streams can be opened."""
        return self.closed is None and self._retiring is None

    @property
    def stream_count(self) -> int:
        """Streams that are not over yet, those that wait to be opened included."""
        return len(self._streams)

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent to the other side."""
        return self.session.statistics().queued_bytes

    @property
    def rtt_seconds(self) -> float | None:
        """Of the last ping that was answered."""
        return self.session.rtt_seconds

    def open_stream_nowait(self, handler: StreamHandler) -> Stream:
        """Opens a stream; it can be written to at once.

        Raises:
            TunnelClosed: the tunnel is over or takes no new streams.
            StreamRefused: too many streams are open, or wait to be.
        """
        if not self.is_open:
            raise self._why_closed()
        try:
            stream = self._streams.open(handler)
        except SessionEnding:
            self._cycle()
            raise self._why_closed() from None
        self.wake_writer()
        return stream

    async def open_stream(self) -> TunnelStream:
        """As `open_stream_nowait`, for a task."""
        await trio.lowlevel.checkpoint()
        stream = TunnelStream()
        stream.stream = self.open_stream_nowait(stream)
        return stream

    async def accept(self) -> TunnelStream:
        """Waits for a stream that the other side opens; raises TunnelClosed when none will come."""
        await trio.lowlevel.checkpoint()
        while not self._accepted:
            if self.closed is not None:
                raise self._why_closed()
            await self._watchers().park()
        accepted = self._accepted.popleft()
        self.session.accept_stream(accepted.stream.id)
        self.wake_writer()
        return accepted

    async def wait_closed(self) -> TunnelClosed:
        """Waits for the end and says why."""
        while self.closed is None:
            await self._watchers().park()
        return self.closed

    def close(self, cause: str, detail: str = "") -> None:
        """Ends the tunnel and all its streams now; a GoAway still goes if it can. Only the first cause counts."""
        if self.closed is not None:
            return
        if self._retiring is not None and cause in _HANG_UPS:
            cause, detail, _ = self._retiring
        self.closed = TunnelClosed(cause, detail)
        self.session.close()
        self.session.go_away()
        self._streams.lose_all(self.closed)
        if self._watch is not None:
            self._watch.unpark_all()
        self._writer.hurry()

    def retire(self, cause: str, grace_seconds: float, detail: str = "") -> None:
        """Takes no new streams, and closes with the cause when the last one ended or the grace is over."""
        if self.closed is not None or self._retiring is not None:
            return
        self._retiring = (cause, detail, trio.current_time() + grace_seconds)
        self.session.go_away()
        self._streams.lose_waiting(TunnelClosed(cause, detail))
        self.wake_writer()
        self._close_if_finished()

    def sweep(self, now: float) -> None:
        """Does what is due: a ping, or giving up what took too long. Called every half second or so."""
        if self.closed is not None:
            return
        if now - self.last_heard > self._settings.dead_seconds:
            self.close("keepalive_timeout")
        elif self.session.frame_body_overdue(now):
            self.close("protocol_error", "body")
        elif self._retiring is not None and now >= self._retiring[2]:
            self.close(*self._retiring[:2])
        elif now >= self.next_ping_at:
            self.next_ping_at = now + self._settings.ping_seconds
            self.session.ping(now)
            self.wake_writer()
        self._streams.reset_stuck(now, self._settings.stream_write_seconds)

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long: nothing of it is held against the other side."""
        self.last_heard += seconds
        self._streams.forgive(seconds)

    # For streams.

    def now(self) -> float:
        """Monotonic seconds, the loop's."""
        return trio.current_time()

    def wake_writer(self) -> None:
        """Something was queued. The writer runs in the next tick, after everybody who is about to queue more."""
        self._writer.wake()

    def note_blocked(self, stream: Stream) -> None:
        """The stream holds bytes back."""
        self._streams.note_blocked(stream)

    def forget(self, stream: Stream) -> None:
        """The stream is over."""
        self._streams.forget(stream)
        if self._streams.are_waiting:
            self.wake_writer()
        if self._retiring is not None:
            self._close_if_finished()

    # The tasks.

    async def run(self) -> TunnelClosed:
        """Drives the tunnel until it is over and its connection closed. Cancelling closes it with `server_drain`."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_until_closed, nursery.cancel_scope)
                await self._read_until_closed()
        except ExceptionGroup:
            # A bug in a handler or here: it surfaces, and the record does not blame the server's restart.
            self.close("protocol_error", "internal")
            raise
        finally:
            self.close("server_drain")
            with trio.CancelScope(shield=True):
                await self._transport.aclose()
        assert self.closed is not None
        return self.closed

    async def _read_until_closed(self) -> None:
        try:
            while self.closed is None:
                pieces = await self._transport.receive()
                if pieces is None:
                    self.close("agent_closed")
                    return
                await self._take(pieces)
        except RemoteProtocolError as error:
            self.close("protocol_error", error.kind)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._break(error)

    async def _take(self, pieces: list[bytes]) -> None:
        now = self.last_heard = trio.current_time()
        if len(pieces) > 1 and sum(map(len, pieces)) <= JOIN_BYTES:
            pieces = [b"".join(pieces)]
        for piece in pieces:
            events = self.session.receive_data(piece, now)
            if len(events) <= FEW_EVENTS:
                for event in events:
                    self._dispatch(event)
            else:
                await self._dispatch_in_slices(events)
        if self._streams.are_waiting or self.session.wants_to_send or self._transport.wants_to_send:
            self.wake_writer()

    async def _dispatch_in_slices(self, events: list[Event]) -> None:
        """As `_dispatch` for each, but lets everybody else in between. Their streams may be gone by then, or all."""
        until = trio.current_time() + SLICE_SECONDS
        for event in events:
            if self.closed is not None:
                return
            self._dispatch(event)
            if trio.current_time() > until:
                await trio.lowlevel.checkpoint()
                until = trio.current_time() + SLICE_SECONDS

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            if (stream := self._streams.get(event.stream_id)) is not None:
                stream.handler.stream_data(event.data)
        elif isinstance(event, StreamEnded):
            if (stream := self._streams.get(event.stream_id)) is not None:
                stream.remote_ended()
                stream.handler.stream_ended()
        elif isinstance(event, Writable):
            if (stream := self._streams.get(event.stream_id)) is not None:
                self._streams.flush(stream)
        elif isinstance(event, ResetReceived):
            self._streams.lose(event.stream_id, StreamReset("peer"))
        elif isinstance(event, StreamOpened):
            self._take_opened(event.stream_id)
        elif isinstance(event, GoAwayReceived):
            self._take_go_away(event.code)

    async def _write_until_closed(self, both: trio.CancelScope) -> None:
        try:
            while self.closed is None:
                if self._streams.are_waiting:
                    self._open_waiting()
                if await self._writer.send_queued():
                    for event in self.session.events():
                        self._dispatch(event)
            accused = self.closed.cause == "protocol_error"
            await self._writer.say_goodbye(CLOSE_PROTOCOL_ERROR if accused else CLOSE_GOING_AWAY)
        except trio.TooSlowError:
            self.close("write_timeout")
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            # Why it broke, the reader knows: there may be a GoAway or a clean end still to be read.
            self._writer.is_broken = True
            with trio.move_on_after(LAST_READ_SECONDS):
                await self.wait_closed()
            self._break(error)
        both.cancel()

    # What can happen to the tunnel.

    def _open_waiting(self) -> None:
        try:
            self._streams.open_waiting()
        except SessionEnding:
            self._cycle()

    def _take_opened(self, stream_id: int) -> None:
        if self.closed is not None:
            return
        accepted = TunnelStream()
        accepted.stream = self._streams.add(accepted, stream_id)
        if self._accepted is None:
            self._accepted = deque()
        if len(self._accepted) >= MAX_UNACCEPTED:
            # The session bounds those that live; those that were reset while they waited are let go here.
            self._accepted = deque(waiting for waiting in self._accepted if not waiting.stream.is_lost)
        self._accepted.append(accepted)
        if self._watch is not None:
            self._watch.unpark_all()

    def _take_go_away(self, code: int) -> None:
        if code == 0:
            self.retire("agent_closed", CYCLE_GRACE_SECONDS, "go_away")
        else:
            self.close("agent_closed", f"go_away_{code}")

    def _cycle(self) -> None:
        """The ids are used up: a fresh tunnel takes over as soon as the agent has reconnected."""
        self.retire("server_drain", CYCLE_GRACE_SECONDS, "stream_ids")

    def _close_if_finished(self) -> None:
        if self._retiring is not None and not self._streams:
            self.close(*self._retiring[:2])

    def _break(self, error: Exception) -> None:
        self._writer.is_broken = True
        self.close("tcp_reset", type(error).__name__)

    def _why_closed(self) -> TunnelClosed:
        if self.closed is not None:
            return TunnelClosed(self.closed.cause, self.closed.detail)
        assert self._retiring is not None
        return TunnelClosed(*self._retiring[:2])

    def _watchers(self) -> trio.lowlevel.ParkingLot:
        if self._watch is None:
            self._watch = trio.lowlevel.ParkingLot()
        return self._watch


@asynccontextmanager
async def open_tunnel(
    transport: Transport,
    role: Role,
    settings: TunnelSettings | None = None,
    *,
    limits: Limits | None = None,
    budget: Budget | None = None,
) -> AsyncIterator[Tunnel]:
    """Drives a tunnel while the block runs, keepalive included; leaving the block closes it.

    The block is not disturbed when the tunnel closes first: its streams' calls raise, `wait_closed` returns.
    """
    session = Session(role, limits or Limits(), budget=budget)
    tunnel = Tunnel(transport, session, settings or TunnelSettings())
    pinger = Pinger()
    pinger.watch(tunnel)
    async with trio.open_nursery() as minding:
        await minding.start(pinger.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tunnel.run)
            try:
                yield tunnel
            finally:
                tunnel.close("agent_closed")
        minding.cancel_scope.cancel()
