"""Frames for streams that do not live: late ones are expected, others are counted.

A frame that crossed our RST, or the last window update for a stream that both sides ended, is nobody's fault. So a
finished stream is remembered with an allowance, and late frames use that up. What exceeds it, or belongs to no
stream that we remember, is a stranger: it may cost a bounded number of frames and one window's worth of bytes a
minute (SPEC, unknown streams).
"""

from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.frame import FIN, RST
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits
from visiona.wire.yamux.rates import Rate

LATE_FRAME_BYTES = 64
"""What a late frame without a body costs of the allowance."""

LATE_FRAMES_BYTES = 4 * LATE_FRAME_BYTES
"""Beyond the peer's credit: an ACK, a window update or two, a FIN."""


class Strays:
    """The judge of frames without a stream."""

    __slots__ = ("_generation_size", "_old", "_unknown_bytes", "_unknown_frames", "_young")

    def __init__(self, limits: Limits) -> None:
        # Two generations instead of an ordered map: forgetting the oldest half at once costs nothing a stream.
        self._generation_size = max(1, limits.remembered_streams // 2)
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._unknown_frames = Rate(limits.unknown_frames_per_minute, 60.0)
        self._unknown_bytes = Rate(INITIAL_WINDOW_BYTES, 60.0)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def remember(self, stream_id: int, credit: int) -> None:
        """The stream is over; the peer may still have sent `credit` bytes and a few frames before it knew."""
        self._young[stream_id] = credit + LATE_FRAMES_BYTES
        if len(self._young) >= self._generation_size:
            self._old, self._young = self._young, {}

    def age(self) -> None:
        """The peer answered a ping: it has heard all that was sent before. What was old is forgotten."""
        if self._young or self._old:
            self._old, self._young = self._young, {}

    def forget(self, stream_id: int) -> None:
        """The peer has said its last word about this stream, or uses the id anew."""
        self._young.pop(stream_id, None)
        self._old.pop(stream_id, None)

    def judge(self, stream_id: int, flags: int, body_bytes: int, now: float) -> None:
        """Lets a frame pass, to be discarded.

        Raises:
            RemoteProtocolError: kind `unknown`, when there were too many, or too much in them.
        """
        cost = body_bytes or LATE_FRAME_BYTES
        generation = self._young if stream_id in self._young else self._old
        allowance = generation.get(stream_id, 0)
        if allowance >= cost:
            generation[stream_id] = allowance - cost
        elif self._unknown_frames.exceeded(now) or self._unknown_bytes.exceeded(now, body_bytes):
            raise RemoteProtocolError(
                f"Too much for streams that do not exist, {stream_id} for one.", kind="unknown"
            )
        if flags & (FIN | RST):
            self.forget(stream_id)
