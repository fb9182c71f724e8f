"""Where HTTP/2's frames begin and end (RFC 9113 §4.1), looked at before anybody keeps them.

h2 (4.4) compares a frame's length with the limit once the whole frame is there, and keeps up to 16 MiB until then: of
every connection, of anybody.
"""

from typing import Final

PREFACE_BYTES: Final = 24
HEADER_BYTES: Final = 9
MAX_FRAME_BYTES: Final = 16384
"""What a peer may send to whom has said nothing else (RFC 9113 §6.5.2), and we do not."""

REFUSED: Final = b"\0\0\0\x04\0\0\0\0\x01"
"""SETTINGS of a stream, which there cannot be: GOAWAY, and the close."""


class Frames:
    """The frames of one connection, from its preface on."""

    def __init__(self) -> None:
        self._left = PREFACE_BYTES
        self._held = b""
        self._is_over = False

    def receive(self, data: bytes) -> bytes:
        """What may be read on; a frame's header passes once it is whole. In place of a frame that is too long comes
        one that is refused, and after it nothing.
        """
        if self._is_over:
            return b""
        data = self._held + data
        at = self._left
        while len(data) - at >= HEADER_BYTES:
            length = int.from_bytes(data[at : at + 3])
            if length > MAX_FRAME_BYTES:
                self._is_over = True
                return data[:at] + REFUSED
            at += HEADER_BYTES + length
        self._left = max(0, at - len(data))
        self._held = data[at:]
        return data[:at]
