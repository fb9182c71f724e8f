"""One yamux session, without I/O: bytes in, events out, bytes to send.

A session knows no socket, no task and no clock: where time matters, `now` (monotonic seconds) is passed in. It is
driven by one owner, who calls `receive_data` with what came, sends what `data_to_send` returns, and calls `close`
when the transport is gone. Rules: SPEC.md.
"""

from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.yamux.events import Event, Writable
from visiona.wire.yamux.frame import (
    ACK,
    GO_AWAY,
    GO_AWAY_NORMAL,
    GO_AWAY_PROTOCOL_ERROR,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    header,
)
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits, Role
from visiona.wire.yamux.outbox import Outbox
from visiona.wire.yamux.pings import Pings
from visiona.wire.yamux.receiving import Receiver
from visiona.wire.yamux.snapshot import Statistics, statistics_of
from visiona.wire.yamux.state import MAY_RECEIVE, MAY_SEND, SEND_FIN, SEND_RST
from visiona.wire.yamux.stream import Stream
from visiona.wire.yamux.table import StreamTable
from visiona.wire.yamux.window import Budget

DEFAULT_LIMITS = Limits()


class Session:
    """The streams of one tunnel, seen from one end.

    Args:
        role: which ids this side opens.
        limits: what is allowed here; nothing in it is negotiated.
        budget: receive credit shared by the sessions of this process; `close` gives back what this one took.
        first_stream_id: for sessions that continue counting elsewhere, and for tests.
    """

    __slots__ = (
        "_failure",
        "_go_away_code",
        "_grant",
        "_limits",
        "_outbox",
        "_pending",
        "_pings",
        "_receiver",
        "_table",
    )

    def __init__(
        self,
        role: Role,
        limits: Limits = DEFAULT_LIMITS,
        *,
        budget: Budget | None = None,
        first_stream_id: int | None = None,
    ) -> None:
        self._limits = limits
        self._grant = limits.initial_window_bytes - INITIAL_WINDOW_BYTES
        self._outbox = Outbox(limits)
        self._pings = Pings()
        self._table = StreamTable(
            role, limits, self._outbox, Budget(limits.receive_budget_bytes, budget), first_stream_id
        )
        self._receiver = Receiver(limits, self._table, self._outbox, self._pings)
        self._pending: list[Event] = []
        self._go_away_code: int | None = None
        self._failure: RemoteProtocolError | None = None

    # Bytes and events

    def receive_data(self, data: bytes | memoryview, now: float) -> list[Event]:
        """Takes what came, cut anywhere. `bytes` are not copied, except where an event holds a part of them.

        Raises:
            RemoteProtocolError: the peer broke the protocol; `kind` is one of header, credit, window, duplicate,
                parity, unknown, flood, remote_opens. A go-away is then all that is left to send, the streams are
                forgotten, and so are events of this very call; each later call raises the same.
        """
        if self._failure is not None:
            raise self._failure
        events = self._pending
        self._pending = []
        try:
            self._receiver.receive(data if type(data) is bytes else bytes(data), now, events)
        except RemoteProtocolError as error:
            self._failure = error
            self.go_away(GO_AWAY_PROTOCOL_ERROR)
            self.close()
            raise
        return events

    def data_to_send(self, max_bytes: int = 262_144) -> list[bytes]:
        """Takes buffers to send, in wire order, at most `max_bytes` in all; empty when there is nothing to send.

        Each buffer that is returned counts as sent. Sending can make room: see `events`.
        """
        out = self._outbox.take(max_bytes)
        if self._outbox.relieved or self._outbox.eased:
            self._relieve()
        return out

    def events(self) -> list[Event]:
        """Takes the events that were caused by sending or resetting (`Writable`), not by bytes that came.

        Ask after `data_to_send`; what nobody asked for comes with the next `receive_data`.
        """
        events = self._pending
        if events:
            self._pending = []
        return events

    @property
    def wants_to_send(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return self._outbox.wants_to_send

    # Streams

    def open_stream(self) -> int:
        """Opens a stream and announces it. Data may follow at once.

        Raises:
            StreamLimit: too many are open or unacknowledged; try when one has ended.
            SessionEnding: somebody said go-away, or the ids are used up: this session takes no more streams.
        """
        stream_id = self._table.open_local().stream_id
        self._outbox.queue_control(header(WINDOW_UPDATE, SYN, stream_id, self._grant))
        return stream_id

    def accept_stream(self, stream_id: int) -> None:
        """Takes a stream that the peer opened out of the backlog, and tells the peer.

        The first `send_data`, `end_stream` or `consume` does the same. Without effect on a stream that is accepted
        already, or gone in the meantime.
        """
        stream = self._table.streams.get(stream_id)
        if stream is not None and not stream.accepted:
            self._accept(stream)

    def room(self, stream_id: int) -> int:
        """How many bytes may be queued on this stream now.

        After a 0 there will be one `Writable` when that changes, unless the stream ends first. It is also 0 for
        streams that are gone or ended from this side, for which no `Writable` will come.
        """
        stream = self._table.streams.get(stream_id)
        if stream is None or stream.state not in MAY_SEND:
            return 0
        return self._outbox.room(stream)

    def send_data(self, stream_id: int, data: bytes) -> None:
        """Queues bytes, at most `room` of them.

        Raises:
            LocalProtocolError: more than there is room for, or the stream is gone, or ended from this side.
        """
        stream = self._table.streams.get(stream_id)
        if stream is None or stream.state not in MAY_SEND:
            raise LocalProtocolError(f"Stream {stream_id} cannot send any more.")
        if not stream.accepted:
            self._accept(stream)
        if not data:
            return
        if not self._outbox.queue_data(stream, data):
            raise LocalProtocolError(f"{len(data)} bytes do not fit in the queue of stream {stream_id}.")

    def end_stream(self, stream_id: int) -> None:
        """Sends FIN after what is queued; the peer can go on sending.

        Raises:
            LocalProtocolError: the stream is gone, or ended from this side before.
        """
        stream = self._table.streams.get(stream_id)
        if stream is None or stream.state not in MAY_SEND:
            raise LocalProtocolError(f"Stream {stream_id} cannot end again.")
        if not stream.accepted:
            self._accept(stream)
        self._outbox.queue_fin(stream)
        self._table.move(stream, SEND_FIN)

    def reset_stream(self, stream_id: int) -> None:
        """Ends both directions at once; what is queued is dropped, what still comes is discarded.

        Without effect when the stream is gone already: the two sides may reset it at the same moment.
        """
        stream = self._table.streams.get(stream_id)
        if stream is not None:
            self._table.move(stream, SEND_RST)
            self._outbox.queue_control(header(WINDOW_UPDATE, RST, stream_id, 0))
            if self._outbox.eased:
                self._relieve()

    def consume(self, stream_id: int, count: int, now: float) -> None:
        """The application has taken `count` received bytes: the peer may send as many again, or more.

        Without effect on a stream that is gone.

        Raises:
            LocalProtocolError: more than was received.
        """
        stream = self._table.streams.get(stream_id)
        if stream is None:
            return
        if not stream.accepted:
            self._accept(stream)
        grant = stream.window.consume(count, now, self._pings.rtt_seconds)
        if grant and stream.state in MAY_RECEIVE:
            self._outbox.queue_credit(stream_id, grant)

    # The session as a whole

    def ping(self, now: float) -> int:
        """Queues a ping, unless the peer reads nothing anyway; returns the opaque value that `PingAcked` will repeat."""
        opaque = self._pings.sent(now)
        if self._outbox.control_frames < self._limits.control_frames:
            self._outbox.queue_control(header(PING, SYN, 0, opaque))
        return opaque

    def go_away(self, code: int = GO_AWAY_NORMAL) -> None:
        """Tells the peer that no stream is opened or accepted any more; those that live may finish."""
        self._table.is_ending = self._table.is_refusing = True
        if self._go_away_code is None or code > self._go_away_code:
            self._go_away_code = code
            self._outbox.queue_control(header(GO_AWAY, 0, 0, code))

    def close(self) -> None:
        """Forgets all streams and gives their credit back; a go-away is all that is still sent. May be repeated."""
        self._table.clear()
        self._outbox.clear()
        self._pending.clear()
        if self._go_away_code is not None:
            self._outbox.queue_control(header(GO_AWAY, 0, 0, self._go_away_code))

    @property
    def is_ending(self) -> bool:
        """Whether `open_stream` will never succeed again."""
        return self._table.is_ending or not self._table.ids_left

    @property
    def rtt_seconds(self) -> float | None:
        """The best round trip of the latest pings, None before the first answer."""
        return self._pings.rtt_seconds

    def frame_body_overdue(self, now: float) -> bool:
        """Whether the peer has begun a frame and does not finish it (the deadline is in the limits)."""
        since = self._receiver.parser.unfinished_since
        return since is not None and now - since > self._limits.frame_body_seconds

    def statistics(self) -> Statistics:
        """What there is now."""
        return statistics_of(self._table, self._outbox, self._pings)

    def _accept(self, stream: Stream) -> None:
        self._table.accepted(stream)
        self._outbox.queue_control(header(WINDOW_UPDATE, ACK, stream.stream_id, self._grant))

    def _relieve(self) -> None:
        """Acts on lanes that were emptied: ended streams are forgotten, starved ones hear of the room."""
        outbox = self._outbox
        relieved = list(self._table.streams.values()) if outbox.eased else outbox.relieved.copy()
        outbox.eased = False
        outbox.relieved.clear()
        for stream in relieved:
            self._table.drained(stream)
            if stream.starved and outbox.room(stream):
                stream.starved = False
                self._pending.append(Writable(stream.stream_id))
