"""Frames → changes of streams and events. Everything that a peer can do wrong is judged here.

A frame about one stream that makes no sense there (data after its FIN, a second FIN) costs that stream; one that
breaks an account we keep with the peer as a whole costs the session. SPEC lists which is which.
"""

from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    PingAcked,
    StreamEnded,
    StreamOpened,
    StreamReset,
    Writable,
)
from visiona.wire.yamux.frame import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PIECE,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    FrameParser,
    header,
)
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits
from visiona.wire.yamux.outbox import Outbox
from visiona.wire.yamux.pings import Pings
from visiona.wire.yamux.rates import Rate
from visiona.wire.yamux.state import MAY_RECEIVE, RECEIVE_FIN, RECEIVE_RST, SEND_RST
from visiona.wire.yamux.stream import Stream
from visiona.wire.yamux.table import StreamTable

_new = tuple.__new__
# What the constructor of a NamedTuple calls in the end: half the price for the two events of every exchange.


class Receiver:
    """The receiving half of a session."""

    __slots__ = ("_idle", "_limits", "_outbox", "_pings", "_reading", "_refused", "_table", "parser")

    def __init__(self, limits: Limits, table: StreamTable, outbox: Outbox, pings: Pings) -> None:
        self._limits = limits
        self._table = table
        self._outbox = outbox
        self._pings = pings
        self._refused = Rate(limits.remote_opens_per_minute, 60.0)
        self._idle = Rate(limits.idle_frames_per_second, 1.0)
        self._reading: Stream | None = None
        """Whose body the last data header announced. Not its id: we may open that after a stray body began."""
        self.parser = FrameParser()

    def receive(self, data: bytes, now: float, events: list[Event]) -> None:
        """Appends what the bytes mean to `events`.

        Raises:
            RemoteProtocolError: the session cannot go on.
        """
        streams = self._table.streams
        for frame_type, flags, stream_id, length, piece, left in self.parser.receive(data, now):
            if frame_type >= PING:
                if frame_type != PIECE:
                    self._session_frame(frame_type, flags, length, now, events)
                elif (stream := self._reading) is not None and streams.get(stream_id) is stream:
                    events.append(_new(DataReceived, (stream_id, piece)))
                    if flags and not left:
                        self._end_flags(stream, flags, events)
                continue
            stream = streams.get(stream_id)
            if flags & SYN:
                stream = self._open(stream, stream_id, length if frame_type == DATA else 0, now, events)
            if stream is None:
                self._reading = None
                self._table.strays.judge(stream_id, flags, 0 if frame_type else length, now)
                continue
            if not stream.acked:
                self._table.acked(stream)
            elif not (length or flags & ~ACK):
                self._count_idle(now)
            if length:
                if frame_type == WINDOW_UPDATE:
                    self._credit(stream, length, events)
                else:
                    self._reading = stream
                    if not self._data(stream, length, piece, events) or left:
                        continue
            if flags & (FIN | RST):
                self._end_flags(stream, flags, events)

    def _data(self, stream: Stream, length: int, piece: bytes, events: list[Event]) -> bool:
        """Takes a data header with what is here of its body; False when that was the end of the stream."""
        if not stream.window.receive(length):
            raise RemoteProtocolError(
                f"{length} bytes on stream {stream.stream_id} where {stream.window.credit} are allowed.",
                kind="window",
            )
        if stream.state not in MAY_RECEIVE:
            self._abort(stream, events)
            return False
        if piece:
            events.append(_new(DataReceived, (stream.stream_id, piece)))
        return True

    def _credit(self, stream: Stream, count: int, events: list[Event]) -> None:
        window = stream.window
        if not window.credited(count):
            raise RemoteProtocolError(
                f"Credit of {count} bytes on top of {window.send_credit}.", kind="credit"
            )
        if stream.starved and self._outbox.room(stream):
            stream.starved = False
            events.append(Writable(stream.stream_id))

    def _end_flags(self, stream: Stream, flags: int, events: list[Event]) -> None:
        if flags & RST:
            self._table.move(stream, RECEIVE_RST)
            events.append(StreamReset(stream.stream_id))
        elif flags & FIN:
            if stream.state in MAY_RECEIVE:
                self._table.move(stream, RECEIVE_FIN)
                events.append(_new(StreamEnded, (stream.stream_id,)))
            else:
                self._abort(stream, events)

    def _abort(self, stream: Stream, events: list[Event]) -> None:
        """The peer is confused about this stream: it ends for both."""
        self._outbox.queue_control(header(WINDOW_UPDATE, RST, stream.stream_id, 0))
        self._table.move(stream, SEND_RST)
        events.append(StreamReset(stream.stream_id))

    def _open(
        self, known: Stream | None, stream_id: int, body_bytes: int, now: float, events: list[Event]
    ) -> Stream | None:
        """A SYN. Returns None when it is refused."""
        if known is not None:
            raise RemoteProtocolError(f"A second SYN for stream {stream_id}.", kind="duplicate")
        if not stream_id or self._table.is_ours(stream_id):
            raise RemoteProtocolError(
                f"A SYN with the id {stream_id}, which is not the peer's to open.", kind="parity"
            )
        if body_bytes > INITIAL_WINDOW_BYTES:
            raise RemoteProtocolError(f"A SYN with {body_bytes} bytes of data.", kind="window")
        if self._outbox.control_frames >= self._limits.control_frames:
            # Each SYN costs an answer; all others are bounded by the number of streams.
            raise RemoteProtocolError("The peer opens streams and does not read the answers.", kind="flood")
        if self._limits.remote_may_open:
            stream = self._table.open_remote(stream_id)
            if stream is not None:
                events.append(StreamOpened(stream_id))
                return stream
        elif self._refused.exceeded(now):
            raise RemoteProtocolError(
                "The peer keeps opening streams, which it may not.", kind="remote_opens"
            )
        self._outbox.queue_control(header(WINDOW_UPDATE, RST, stream_id, 0))
        self._table.strays.remember(stream_id, INITIAL_WINDOW_BYTES)
        return None

    def _session_frame(
        self, frame_type: int, flags: int, length: int, now: float, events: list[Event]
    ) -> None:
        if frame_type == GO_AWAY:
            if self._table.is_ending:
                self._count_idle(now)
            self._table.is_ending = True
            events.append(GoAwayReceived(length))
        elif flags & SYN:
            self._count_idle(now)
            if self._outbox.ping_replies >= self._limits.queued_ping_replies:
                raise RemoteProtocolError("More pings than answers can leave.", kind="flood")
            self._outbox.queue_ping_reply(header(PING, ACK, 0, length))
        else:
            rtt_seconds = self._pings.acked(length, now)
            if rtt_seconds is None:
                self._count_idle(now)
            else:
                self._table.strays.age()
                events.append(PingAcked(length, rtt_seconds))

    def _count_idle(self, now: float) -> None:
        if self._idle.exceeded(now):
            raise RemoteProtocolError("Too many frames that say nothing.", kind="flood")
