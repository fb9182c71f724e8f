"""Frames: the 12-byte header, and bytes → frames.

     0       1       2               4                               8                              12
    ┌───────┬───────┬───────────────┬───────────────────────────────┬───────────────────────────────┐
    │version│ type  │     flags     │           stream id           │            length             │
    └───────┴───────┴───────────────┴───────────────────────────────┴───────────────────────────────┘

All fields are big endian. Only data frames have a body; `length` is its size there, the granted credit in a window
update, the opaque value of a ping, the code of a go-away. The parser knows nothing about streams, and never
reserves memory because a header claims a length.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from visiona.wire.errors import RemoteProtocolError

HEADER_BYTES: Final = 12

DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3
PIECE: Final = 4
"""Not on the wire: how the parser marks a later piece of a data frame whose header was handed on before."""

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8
ALL_FLAGS: Final = SYN | ACK | FIN | RST

GO_AWAY_NORMAL: Final = 0
GO_AWAY_PROTOCOL_ERROR: Final = 1
GO_AWAY_INTERNAL_ERROR: Final = 2

Frame = tuple[int, int, int, int, bytes, int]
"""type, flags, stream id, length, the piece of the body that is here, the bytes of the body still to come."""

# Version and type as one number, which is the type as long as the version is 0: one comparison checks both.
_HEADER: Final = Struct(">HHII")
_unpack_from = _HEADER.unpack_from

header: Final[Callable[[int, int, int, int], bytes]] = _HEADER.pack
"""The 12 bytes of a header from type, flags, stream id and length; for all types but data that is the whole frame."""


class FrameParser:
    """Bytes, cut anywhere, → frames. A data frame is handed on piece by piece, as its bytes come."""

    __slots__ = ("_flags", "_left", "_length", "_partial", "_stream_id", "unfinished_since")

    def __init__(self) -> None:
        self._partial = b""
        self._flags = 0
        self._stream_id = 0
        self._length = 0
        self._left = 0
        self.unfinished_since: float | None = None
        """When the frame that is now incomplete began, None between frames."""

    def receive(self, data: bytes, now: float) -> Iterator[Frame]:
        """The frames in these bytes, one at a time: what follows a frame is not looked at before it was dealt with.

        Raises:
            RemoteProtocolError: kind `header`, while iterating; what follows cannot be framed any more.
        """
        if self._partial:
            # A header is cut once in thousands of reads, so that copying these is cheaper than a second code path.
            data = self._partial + data
            if len(data) < HEADER_BYTES:
                self._partial = data
                return iter(())
            self._partial = b""
            self.unfinished_since = None
        return self._frames(data, now)

    def _frames(self, data: bytes, now: float) -> Iterator[Frame]:
        position = 0
        end = len(data)
        if self._left and end:
            position = min(self._left, end)
            self._left -= position
            if not self._left:
                self.unfinished_since = None
            yield PIECE, self._flags, self._stream_id, self._length, data[:position], self._left
        while end - position >= HEADER_BYTES:
            frame_type, flags, stream_id, length = _unpack_from(data, position)
            if frame_type > GO_AWAY or flags > ALL_FLAGS:
                raise RemoteProtocolError(
                    f"Not a yamux header: version and type {frame_type:#06x}, flags {flags:#06x}.",
                    kind="header",
                )
            position += HEADER_BYTES
            if frame_type or not length:
                yield frame_type, flags, stream_id, length, b"", 0
                continue
            body_end = position + length
            if body_end > end:
                self._flags, self._stream_id, self._length = flags, stream_id, length
                self._left = body_end - end
                self.unfinished_since = now
            yield DATA, flags, stream_id, length, data[position:body_end], self._left
            position = body_end
        if position < end:
            self._partial = data[position:]
            self.unfinished_since = now
