"""One live stream as its session holds it: where it is in its life, its window, and what is queued for it.

A record and not an object with manners: `table.py` owns its life, `window.py` its credit, `outbox.py` its queue.
"""

from visiona.wire.yamux.state import OPEN, StreamState
from visiona.wire.yamux.window import Window


class Stream:
    """A stream between its SYN and the end of both directions."""

    __slots__ = (
        "accepted",
        "acked",
        "ending",
        "pieces",
        "queued_bytes",
        "skipped_bytes",
        "starved",
        "state",
        "stream_id",
        "window",
    )

    def __init__(self, stream_id: int, window: Window, ours: bool) -> None:
        self.stream_id = stream_id
        self.window = window
        self.state: StreamState = OPEN
        self.acked = not ours
        """Whether the peer has acknowledged it; what the peer opened needs no acknowledgement by it."""
        self.accepted = ours
        """Whether this side has acknowledged it."""
        self.pieces: list[bytes] = []
        self.skipped_bytes = 0
        """How much of the first piece is sent."""
        self.queued_bytes = 0
        self.ending = False
        """FIN follows the last queued byte."""
        self.starved = False
        """Somebody was told that there is no room, and is to be told when there is."""
