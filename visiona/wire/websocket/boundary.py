"""Where the frames end in one direction of a WebSocket that passes through as bytes.

A pipe may add a Close frame of its own (the device went away, the session ended) only between two frames. This follows
the frame headers to know when that is, skips payload by counting, and judges nothing: compression, unknown opcodes and
text belong to the two ends.
"""

from visiona.wire.websocket.opcodes import CLOSE, MASKED


class BoundaryTracker:
    """Feed it every byte after the handshake, in order.

    Attributes:
        closed: a Close frame has begun; nothing may be added any more.
    """

    __slots__ = ("_header", "_remaining", "closed")

    def __init__(self) -> None:
        self._header = b""
        self._remaining = 0
        self.closed = False

    @property
    def at_boundary(self) -> bool:
        """Whether the next byte will be the first of a frame."""
        return not self._remaining and not self._header

    def feed(self, data: bytes | memoryview) -> None:
        """Takes bytes that were passed on."""
        if self._header:
            data = self._header + bytes(data)
            self._header = b""
        at = self._remaining
        end = len(data)
        while at < end:
            size = _frame_size(data, at)
            if not size:
                self._header = bytes(data[at:])
                self._remaining = 0
                return
            if data[at] & 0x0F == CLOSE:
                self.closed = True
            at += size
        self._remaining = at - end


def _frame_size(data: bytes | memoryview, at: int) -> int:
    """The bytes of the frame that begins here, header and payload; 0 while its length is not here."""
    if len(data) < at + 2:
        return 0
    size = data[at + 1] & 0x7F
    header = 2
    if size >= 126:
        header = 4 if size == 126 else 10
        if len(data) < at + header:
            return 0
        size = int.from_bytes(data[at + 2 : at + header])
    return header + size + (4 if data[at + 1] & MASKED else 0)
