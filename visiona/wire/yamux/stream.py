"""One live stream as its session holds it: a lane of the outbox, with a state and a window."""

from visiona.wire.yamux.outbox import Lane
from visiona.wire.yamux.state import StreamState
from visiona.wire.yamux.window import Window


class Stream(Lane):
    """A stream between its SYN and the end of both directions."""

    __slots__ = ("accepted", "acked", "state", "window")

    def __init__(self, stream_id: int, window: Window, *, ours: bool) -> None:
        super().__init__(stream_id)
        self.state = StreamState.OPEN
        self.window = window
        self.acked = not ours
        """Whether the peer has acknowledged it; a stream that the peer opened needs no acknowledgement by it."""
        self.accepted = ours
        """Whether this side has acknowledged it."""
