"""The live streams of one session: who exists, how many, and what is given back when one is over."""

from visiona.wire.yamux.errors import SessionEnding, StreamLimit
from visiona.wire.yamux.limits import MAX_STREAM_ID, Limits, Role
from visiona.wire.yamux.outbox import Outbox
from visiona.wire.yamux.state import CLOSED, RESET, SEND_RST, Move, moved
from visiona.wire.yamux.strays import Strays
from visiona.wire.yamux.stream import Stream
from visiona.wire.yamux.window import Budget, Terms, Window


class StreamTable:
    """Births and deaths of streams. Frames and events are others' business."""

    __slots__ = (
        "_limits",
        "_next_id",
        "_outbox",
        "_parity",
        "_terms",
        "is_ending",
        "is_refusing",
        "strays",
        "streams",
        "unaccepted",
        "unacked",
    )

    def __init__(
        self, role: Role, limits: Limits, outbox: Outbox, budget: Budget, first_stream_id: int | None
    ) -> None:
        self._limits = limits
        self._outbox = outbox
        self._terms = Terms(limits, budget)
        self._parity = role.value & 1
        self._next_id = role.value if first_stream_id is None else first_stream_id
        assert self._next_id & 1 == self._parity, "the first id does not fit the role"
        self.is_ending = False
        """Somebody said go-away: no new streams of ours."""
        self.is_refusing = False
        """We did: no new streams of the peer."""
        self.streams: dict[int, Stream] = {}
        self.strays = Strays(limits)
        self.unacked = 0
        """Opened by us, and the peer has not acknowledged it."""
        self.unaccepted = 0
        """Opened by the peer, and we have not acknowledged it."""

    @property
    def ids_left(self) -> int:
        """How many more streams this side can open before the session must be replaced."""
        return max(0, (MAX_STREAM_ID - self._next_id) // 2 + 1)

    def is_ours(self, stream_id: int) -> bool:
        """Whether an id is of the kind that this side opens."""
        return stream_id & 1 == self._parity

    def open_local(self) -> Stream:
        """A new stream of ours, not announced yet.

        Raises:
            StreamLimit: not now.
            SessionEnding: not on this session any more.
        """
        limits = self._limits
        stream_id = self._next_id
        if self.is_ending or stream_id > MAX_STREAM_ID:
            raise SessionEnding("The session takes no more streams.")
        if len(self.streams) >= limits.max_streams:
            raise StreamLimit(f"{limits.max_streams} streams are open.")
        if self.unacked >= limits.max_unacked_streams:
            raise StreamLimit(f"{limits.max_unacked_streams} streams wait for the peer to accept them.")
        if self._outbox.control_frames >= limits.control_frames:
            raise StreamLimit("The peer does not read.")
        self._next_id = stream_id + 2
        self.unacked += 1
        self.streams[stream_id] = stream = Stream(stream_id, Window(self._terms), True)
        return stream

    def open_remote(self, stream_id: int) -> Stream | None:
        """The peer's new stream, or None when there is no place for it."""
        self.strays.forget(stream_id)
        limits = self._limits
        if (
            self.is_refusing
            or len(self.streams) >= limits.max_streams
            or self.unaccepted >= limits.accept_backlog
        ):
            return None
        self.unaccepted += 1
        self.streams[stream_id] = stream = Stream(stream_id, Window(self._terms), False)
        return stream

    def acked(self, stream: Stream) -> None:
        """The peer has accepted a stream of ours."""
        stream.acked = True
        self.unacked -= 1

    def accepted(self, stream: Stream) -> None:
        """We have accepted a stream of the peer."""
        stream.accepted = True
        self.unaccepted -= 1

    def move(self, stream: Stream, move: Move) -> None:
        """Moves it by the table of states, and forgets it when that was its end."""
        state = stream.state = moved(stream.state, move)
        if state is RESET:
            self._forget(stream, stream.window.credit if move is SEND_RST else 0)
        elif state is CLOSED and not stream.queued_bytes:
            self._forget(stream, 0)

    def drained(self, stream: Stream) -> None:
        """Its queue is empty: if both sides have ended it, that was its end."""
        if stream.state is CLOSED and not stream.queued_bytes:
            self._forget(stream, 0)

    def _forget(self, stream: Stream, credit: int) -> None:
        del self.streams[stream.stream_id]
        if not stream.acked:
            self.unacked -= 1
        if not stream.accepted:
            self.unaccepted -= 1
        self._outbox.drop(stream)
        stream.window.release()
        self.strays.remember(stream.stream_id, credit)

    def clear(self) -> None:
        """The session is over: everything is given back."""
        self.is_ending = self.is_refusing = True
        for stream in self.streams.values():
            stream.window.release()
        self.streams.clear()
        self.unacked = self.unaccepted = 0

    @property
    def granted_bytes(self) -> int:
        """What the peer may still send on all streams, or has sent and nobody consumed."""
        return sum(stream.window.credit + stream.window.held for stream in self.streams.values())

    @property
    def grown_bytes(self) -> int:
        """How far the receive windows have grown beyond their initial size."""
        return self._terms.budget.taken_bytes
