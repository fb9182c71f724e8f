"""What to send next: the control lane first, then the streams in turn.

Nothing in here can be blocked by the peer's windows: a stream queues only what it has credit for. So whatever is
queued can leave, and what a peer that does not read can make us hold is `outbox_high_bytes` and the control lane.
"""

from collections import deque
from typing import Final

from visiona.wire.yamux.frame import DATA, FIN, HEADER_BYTES, WINDOW_UPDATE, header
from visiona.wire.yamux.limits import Limits

MERGE_BYTES: Final = 4096
"""Writes are joined up to this size: many tiny ones would cost more memory than the bytes that they hold."""


class Lane:
    """The queue of one stream."""

    __slots__ = ("ending", "pieces", "queued_bytes", "starved", "stream_id")

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.pieces: list[bytes | memoryview] = []
        self.queued_bytes = 0
        self.ending = False
        """FIN follows the last queued byte."""
        self.starved = False
        """Somebody was told that there is no room, and is to be told when there is."""


class Outbox:
    """Everything that waits to be sent on one session."""

    __slots__ = (
        "_control",
        "_credits",
        "_limits",
        "_ping_replies",
        "_ready",
        "congested",
        "eased",
        "queued_bytes",
        "relieved",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ping_replies: list[bytes] = []
        self._control: list[bytes] = []
        self._credits: dict[int, int] = {}
        self._ready: deque[Lane] = deque()
        self.queued_bytes = 0
        self.congested = False
        """At the high watermark, until the low one: nobody has room."""
        self.eased = False
        """The congestion ended; whoever tells the starved lanes of it sets this back."""
        self.relieved: list[Lane] = []
        """Lanes that `take` emptied far enough for somebody to care; whoever acts on it empties this list."""

    @property
    def wants_to_send(self) -> bool:
        """Whether `take` would return anything."""
        return bool(self._ready or self._control or self._ping_replies or self._credits)

    @property
    def control_frames(self) -> int:
        """Length of the control lane, ping replies and credit apart: these have bounds of their own."""
        return len(self._control)

    @property
    def ping_replies(self) -> int:
        """Answers to pings that wait."""
        return len(self._ping_replies)

    def queue_control(self, frame: bytes) -> None:
        """Queues a header-only frame; the caller minds `control_frames`."""
        self._control.append(frame)

    def queue_ping_reply(self, frame: bytes) -> None:
        """Queues an answer, before everything else; the caller minds `ping_replies`."""
        self._ping_replies.append(frame)

    def queue_credit(self, stream_id: int, count: int) -> None:
        """Queues credit for the peer; what was not sent yet is added up, so that there is one frame a stream."""
        self._credits[stream_id] = self._credits.get(stream_id, 0) + count

    def room(self, lane: Lane, credit: int) -> int:
        """What this lane may queue now; 0 is remembered, so that the lane appears in `relieved` later."""
        limits = self._limits
        room = 0
        if not self.congested:
            room = min(
                credit,
                limits.stream_queue_bytes - lane.queued_bytes,
                limits.outbox_high_bytes - self.queued_bytes,
            )
        if not room:
            lane.starved = True
        return room

    def queue_data(self, lane: Lane, data: bytes) -> None:
        """Queues payload; the caller has asked for `room`."""
        size = len(data)
        if not lane.queued_bytes:
            self._ready.append(lane)
        pieces = lane.pieces
        if pieces and len(pieces[-1]) + size <= MERGE_BYTES:
            pieces[-1] = bytes(pieces[-1]) + data
        else:
            pieces.append(data)
        lane.queued_bytes += size
        self.queued_bytes += size
        if self.queued_bytes >= self._limits.outbox_high_bytes:
            self.congested = True

    def queue_fin(self, lane: Lane) -> None:
        """FIN after what is queued, in a frame of its own (SPEC, ending)."""
        if lane.queued_bytes:
            lane.ending = True
        else:
            self._control.append(header(WINDOW_UPDATE, FIN, lane.stream_id, 0))

    def drop(self, lane: Lane) -> None:
        """Forgets everything that is queued for this stream."""
        self._credits.pop(lane.stream_id, None)
        lane.ending = lane.starved = False
        if lane.queued_bytes:
            self._ready.remove(lane)
            self._drained(lane.queued_bytes)
            lane.pieces = []
            lane.queued_bytes = 0

    def drop_all_data(self) -> None:
        """The session is over: only the control lane is still worth sending."""
        for lane in self._ready:
            lane.pieces = []
            lane.queued_bytes = 0
            lane.ending = lane.starved = False
        self._ready.clear()
        self._credits.clear()
        self._drained(self.queued_bytes)

    def take(self, max_bytes: int) -> list[bytes]:
        """Buffers in wire order, at most `max_bytes` in all."""
        out: list[bytes] = []
        left = max_bytes
        if self._control or self._ping_replies or self._credits:
            left = self._take_control(out, left)
        ready = self._ready
        limits = self._limits
        while ready and left > HEADER_BYTES:
            most = limits.frame_bytes if len(ready) <= limits.crowd_streams else limits.crowded_frame_bytes
            lane = ready.popleft()
            left -= self._take_frame(out, lane, min(most, left - HEADER_BYTES))
            if lane.queued_bytes:
                ready.append(lane)
            elif lane.ending:
                left -= self._take_fin(out, lane, left)
        return out

    def _take_control(self, out: list[bytes], left: int) -> int:
        if self._credits:
            for stream_id, count in self._credits.items():
                self._control.append(header(WINDOW_UPDATE, 0, stream_id, count))
            self._credits.clear()
        for frames in (self._ping_replies, self._control):
            leaving = frames[: left // HEADER_BYTES]
            del frames[: len(leaving)]
            out += leaving
            left -= len(leaving) * HEADER_BYTES
        return left

    def _take_frame(self, out: list[bytes], lane: Lane, most: int) -> int:
        size = lane.queued_bytes
        if size <= most:
            out.append(header(DATA, 0, lane.stream_id, size))
            out += map(bytes, lane.pieces)
            lane.pieces = []
        else:
            size = most
            out.append(header(DATA, 0, lane.stream_id, size))
            _take_pieces(out, lane.pieces, size)
        lane.queued_bytes -= size
        self._drained(size)
        if lane.starved and lane.queued_bytes <= self._limits.stream_queue_bytes >> 1:
            self.relieved.append(lane)
        return HEADER_BYTES + size

    def _take_fin(self, out: list[bytes], lane: Lane, left: int) -> int:
        self.relieved.append(lane)
        lane.ending = False
        frame = header(WINDOW_UPDATE, FIN, lane.stream_id, 0)
        if left < HEADER_BYTES:
            self._control.append(frame)
            return 0
        out.append(frame)
        return HEADER_BYTES

    def _drained(self, count: int) -> None:
        self.queued_bytes -= count
        if self.congested and self.queued_bytes <= self._limits.outbox_low_bytes:
            self.congested = False
            self.eased = True


def _take_pieces(out: list[bytes], pieces: list[bytes | memoryview], size: int) -> None:
    """Moves exactly `size` bytes, fewer than there are. A large piece is copied once, slice by slice."""
    whole = 0
    while size >= len(pieces[whole]):
        size -= len(pieces[whole])
        out.append(bytes(pieces[whole]))
        whole += 1
    if size:
        view = memoryview(pieces[whole])
        out.append(bytes(view[:size]))
        pieces[whole] = view[size:]
    del pieces[:whole]
