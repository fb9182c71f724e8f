"""The streams of one tunnel, as the driver keeps them: live, held back, and waiting to be opened.

The yamux session knows windows and frames; this knows whom to tell, and which writers were told to wait. Everything
is bounded: live streams by the session's limits, waiting opens here, held bytes by each stream.
"""

from collections import deque

import trio

from visiona.tunnel.errors import StreamRefused, StreamReset, TunnelClosed
from visiona.tunnel.stream import Stream, StreamHandler, StreamOwner
from visiona.wire.yamux.errors import StreamLimit
from visiona.wire.yamux.session import Session

MAX_WAITING_OPENS = 1024
"""Streams that wait until the agent has accepted earlier ones; beyond, a tunnel this slow is as good as down."""


class LiveStreams:
    """Whom to tell about which stream id.

    Args:
        owner: what streams are given to call back on.
        session: the tunnel's.
    """

    __slots__ = ("_blocked", "_by_id", "_owner", "_session", "_waiting")

    def __init__(self, owner: StreamOwner, session: Session) -> None:
        self._owner = owner
        self._session = session
        self._by_id: dict[int, Stream] = {}
        self._blocked: dict[Stream, float] = {}
        self._waiting: deque[Stream] | None = None

    def __len__(self) -> int:
        return len(self._by_id) + len(self._waiting or ())

    @property
    def are_waiting(self) -> bool:
        """Whether streams wait to be opened."""
        return bool(self._waiting)

    def get(self, stream_id: int) -> Stream | None:
        """The live stream of this id; None for one that is over: its late events are for nobody."""
        return self._by_id.get(stream_id)

    def add(self, handler: StreamHandler, stream_id: int) -> Stream:
        """A stream of the other side, which has its id."""
        stream = self._by_id[stream_id] = Stream(self._owner, handler, stream_id)
        return stream

    def open(self, handler: StreamHandler) -> Stream:
        """Opens one, or has it wait its turn.

        Raises:
            StreamRefused: too many wait already.
            SessionEnding: none can be opened any more.
        """
        if not self._waiting:
            try:
                return self.add(handler, self._session.open_stream())
            except StreamLimit:
                self._waiting = self._waiting or deque()
        if len(self._waiting) >= MAX_WAITING_OPENS:
            raise StreamRefused("too many streams wait for this agent")
        stream = Stream(self._owner, handler, 0)
        self._waiting.append(stream)
        return stream

    def open_waiting(self) -> None:
        """Opens as many of those that wait as may be now; raises SessionEnding."""
        while self._waiting:
            try:
                stream_id = self._session.open_stream()
            except StreamLimit:
                return
            stream = self._waiting.popleft()
            stream.id = stream_id
            self._by_id[stream_id] = stream
            self.flush(stream)

    def note_blocked(self, stream: Stream) -> None:
        """The stream holds bytes back from now on."""
        self._blocked[stream] = trio.current_time()

    def flush(self, stream: Stream) -> None:
        """There is room: moves what was held back, and tells the writer when all of it went."""
        held = stream.held_bytes
        if stream.flush():
            self._blocked.pop(stream, None)
            # Also to who only asked for `room` and was told 0: others' bytes can fill the tunnel before its first.
            if not stream.is_ended:
                stream.handler.stream_writable()
        elif stream.held_bytes < held:
            self._blocked[stream] = trio.current_time()

    def forget(self, stream: Stream) -> None:
        """The stream is over, and knows it."""
        self._blocked.pop(stream, None)
        if self._by_id.pop(stream.id, None) is None and self._waiting and stream in self._waiting:
            self._waiting.remove(stream)

    def lose(self, stream_id: int, error: StreamReset) -> None:
        """The other side reset a stream."""
        stream = self._by_id.get(stream_id)
        if stream is not None:
            stream.lose(error)
            self._owner.forget(stream)
            stream.handler.stream_lost(error)

    def lose_waiting(self, error: TunnelClosed) -> None:
        """What waits will never be opened."""
        waiting, self._waiting = self._waiting, None
        self._lose_each(list(waiting or ()), error)

    def lose_all(self, error: TunnelClosed) -> None:
        """The tunnel is over."""
        streams = list(self._by_id.values())
        self._by_id.clear()
        self._lose_each(streams, error)
        self.lose_waiting(error)

    def reset_stuck(self, now: float, limit_seconds: float) -> None:
        """Resets the streams whose held bytes have not moved for so long; the others are not disturbed."""
        if not self._blocked:
            return
        for stream in [stream for stream, since in self._blocked.items() if now - since > limit_seconds]:
            stream.reset()
            stream.handler.stream_lost(StreamReset("write_timeout"))

    def forgive(self, seconds: float) -> None:
        """Nobody could move anything for so long, because this process stood still."""
        for stream in self._blocked:
            self._blocked[stream] += seconds

    def _lose_each(self, streams: list[Stream], error: TunnelClosed) -> None:
        for stream in streams:
            stream.lose(error)
            self._blocked.pop(stream, None)
        for stream in streams:
            stream.handler.stream_lost(error)
