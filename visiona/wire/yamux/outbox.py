"""What to send next: the control lane first, then the streams in turn.

Nothing in here can be blocked by the peer's windows: a stream queues only what it has credit for. So whatever is
queued can leave, a stream that the peer does not read takes no room from the others, and what a peer that reads
nothing at all can make us hold is `outbox_high_bytes` and the control lane.
"""

from typing import Final

from visiona.wire.yamux.frame import DATA, FIN, HEADER_BYTES, WINDOW_UPDATE, header
from visiona.wire.yamux.limits import Limits
from visiona.wire.yamux.stream import Stream

MERGE_BYTES: Final = 4096
"""Writes are joined up to this size: many tiny ones would cost more memory than the bytes that they hold."""


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
        # A list: an empty deque takes 760 bytes an idle tunnel, and moving 512 pointers costs nothing.
        self._ready: list[Stream] = []
        self.queued_bytes = 0
        self.congested = False
        """At the high watermark, until the low one: nobody has room."""
        self.eased = False
        """The congestion ended; whoever tells the starved streams of it sets this back."""
        self.relieved: list[Stream] = []
        """Streams that `take` emptied far enough for somebody to care; whoever acts on it empties this list."""

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

    def room(self, stream: Stream) -> int:
        """What this stream may queue now; a 0 is remembered, so that the stream is told later."""
        limits = self._limits
        room = 0
        if not self.congested:
            room = min(
                stream.window.send_credit,
                limits.stream_queue_bytes - stream.queued_bytes,
                limits.outbox_high_bytes - self.queued_bytes,
            )
        if not room:
            stream.starved = True
        return room

    def queue_data(self, stream: Stream, data: bytes) -> bool:
        """Queues payload, all of it; False when there is no room for all of it."""
        size = len(data)
        limits = self._limits
        total = self.queued_bytes + size
        queued = stream.queued_bytes + size
        window = stream.window
        if (
            self.congested
            or size > window.send_credit
            or queued > limits.stream_queue_bytes
            or total > limits.outbox_high_bytes
        ):
            return False
        window.spend(size)
        pieces = stream.pieces
        if not pieces:
            self._ready.append(stream)
            pieces.append(data)
        elif len(pieces[-1]) + size <= MERGE_BYTES:
            pieces[-1] += data
        else:
            pieces.append(data)
        stream.queued_bytes = queued
        self.queued_bytes = total
        if total == limits.outbox_high_bytes:
            self.congested = True
        return True

    def queue_fin(self, stream: Stream) -> None:
        """FIN after what is queued, in a frame of its own (SPEC, ending)."""
        stream.starved = False
        if stream.queued_bytes:
            stream.ending = True
        else:
            self._control.append(header(WINDOW_UPDATE, FIN, stream.stream_id, 0))

    def drop(self, stream: Stream) -> None:
        """Forgets everything that is queued for this stream, its credit included."""
        if self._credits:
            self._credits.pop(stream.stream_id, None)
        if stream.queued_bytes:
            self._ready.remove(stream)
            self.queued_bytes -= stream.queued_bytes
            stream.pieces = []
            stream.queued_bytes = 0
            self._ease()

    def clear(self) -> None:
        """The session is over: nothing of this is worth sending any more."""
        self._ping_replies.clear()
        self._control.clear()
        self._credits.clear()
        self._ready.clear()
        self.relieved.clear()
        self.queued_bytes = 0
        self.congested = self.eased = False

    def take(self, max_bytes: int) -> list[bytes]:
        """Buffers in wire order, at most `max_bytes` in all; nothing comes where not even a header fits."""
        out = self._take_control(max_bytes)
        ready = self._ready
        if not ready:
            return out
        left = max_bytes - HEADER_BYTES * len(out)
        limits = self._limits
        while ready and left > HEADER_BYTES:
            most = limits.frame_bytes if len(ready) <= limits.crowd_streams else limits.crowded_frame_bytes
            stream = ready.pop(0)
            size = self._take_frame(out, stream, min(most, left - HEADER_BYTES))
            left -= HEADER_BYTES + size
            if stream.queued_bytes:
                ready.append(stream)
            elif stream.ending:
                left -= self._take_fin(out, stream, left)
            if stream.starved and stream.queued_bytes << 1 <= limits.stream_queue_bytes:
                self.relieved.append(stream)
        self._ease()
        return out

    def _take_control(self, max_bytes: int) -> list[bytes]:
        control = self._control
        if self._ping_replies or self._credits or len(control) * HEADER_BYTES > max_bytes:
            control += (
                header(WINDOW_UPDATE, 0, stream_id, count) for stream_id, count in self._credits.items()
            )
            self._credits.clear()
            count = max_bytes // HEADER_BYTES
            out = self._ping_replies[:count]
            del self._ping_replies[:count]
            count -= len(out)
            out += control[:count]
            del control[:count]
            return out
        self._control = []
        return control

    def _take_frame(self, out: list[bytes], stream: Stream, most: int) -> int:
        """Puts one data frame out, of `most` bytes or all that is queued; returns its payload's size."""
        pieces = stream.pieces
        size = stream.queued_bytes
        if size <= most:
            if stream.skipped_bytes:
                pieces[0] = pieces[0][stream.skipped_bytes :]
                stream.skipped_bytes = 0
            out.append(header(DATA, 0, stream.stream_id, size))
            out += pieces
            stream.pieces = []
        else:
            size = most
            out.append(header(DATA, 0, stream.stream_id, size))
            _take_pieces(out, stream, size)
        stream.queued_bytes -= size
        self.queued_bytes -= size
        return size

    def _take_fin(self, out: list[bytes], stream: Stream, left: int) -> int:
        """Puts FIN out, or into the control lane where no byte is left; returns what it took."""
        self.relieved.append(stream)
        frame = header(WINDOW_UPDATE, FIN, stream.stream_id, 0)
        if left < HEADER_BYTES:
            self._control.append(frame)
            return 0
        out.append(frame)
        return HEADER_BYTES

    def _ease(self) -> None:
        if self.congested and self.queued_bytes <= self._limits.outbox_low_bytes:
            self.congested = False
            self.eased = True


def _take_pieces(out: list[bytes], stream: Stream, size: int) -> None:
    """Moves exactly `size` bytes, fewer than are queued. Each byte of a large piece is copied once."""
    pieces = stream.pieces
    start = stream.skipped_bytes
    whole = 0
    while size >= len(pieces[whole]) - start:
        piece = pieces[whole]
        out.append(piece[start:])
        size -= len(piece) - start
        start = 0
        whole += 1
    if size:
        out.append(pieces[whole][start : start + size])
    stream.skipped_bytes = start + size
    del pieces[:whole]
