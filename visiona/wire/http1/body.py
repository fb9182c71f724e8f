"""Bodies, decoded as they arrive: each piece is handed on at once, nothing is gathered (RFC 9112 §6, §7).

The chunk grammar is the narrow one: digits, an optional extension of visible characters, CRLF, and exactly CRLF after
the data. What others forgive there (CVE-2025-43859, CVE-2025-22871, CVE-2025-55315) was each time a smuggled request.
"""

import re

from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.fields import Header, parse_field_line
from visiona.wire.http1.framing import Chunked, Framing, NoBody, Sized, UntilClose
from visiona.wire.http1.head import MAX_HEAD_BYTES, MAX_HEADERS

MAX_CHUNK_LINE_BYTES = 256
"""A size of at most 16 digits and an extension, which nobody sends; more is a way to send much and carry nothing."""

MAX_TRAILER_BYTES = MAX_HEAD_BYTES

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_MAX_CHUNK_BYTES = (1 << 63) - 1

# What a chunked reader waits for.
_SIZE, _DATA, _DATA_END, _TRAILERS = range(4)


class BodyReader:
    """Reads one body. Bytes after it belong to the next message and are left alone.

    Attributes:
        done: the body is complete; `receive` takes no more bytes.
        trailers: fields after the last chunk; complete when done.
    """

    __slots__ = ("_framing", "_held", "_remaining", "_state", "_trailer_bytes", "_trailers", "done")

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._held = b""
        self._state = _SIZE
        self._remaining = framing.length if isinstance(framing, Sized) else 0
        self._trailers: list[Header] = []
        self._trailer_bytes = 0
        self.done = isinstance(framing, NoBody) or (isinstance(framing, Sized) and self._remaining == 0)

    @property
    def trailers(self) -> tuple[Header, ...]:
        """The trailers so far, as they were sent."""
        return tuple(self._trailers)

    def receive(self, data: bytes | memoryview) -> tuple[list[bytes], int]:
        """The pieces of body in these bytes, and how many of the bytes belong to this body.

        Raises:
            RemoteProtocolError: kind `chunk` or `field`, or `head_too_large` for endless trailers.
        """
        if self.done:
            return [], 0
        if isinstance(self._framing, Chunked):
            return self._receive_chunked(bytes(data))
        if isinstance(self._framing, UntilClose):
            return ([bytes(data)] if data else []), len(data)
        taken = min(len(data), self._remaining)
        self._remaining -= taken
        self.done = self._remaining == 0
        return ([bytes(data[:taken])] if taken else []), taken

    def end_of_stream(self) -> None:
        """The peer will send nothing more.

        Raises:
            RemoteProtocolError: kind `truncated`: the body was to be longer.
        """
        if isinstance(self._framing, UntilClose):
            self.done = True
        elif not self.done:
            raise RemoteProtocolError("the body ended before its end", kind="truncated")

    def _receive_chunked(self, data: bytes) -> tuple[list[bytes], int]:
        held = len(self._held)
        if held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        at = 0
        while not self.done and at < len(data):
            if self._state == _DATA:
                piece = data[at : at + self._remaining]
                pieces.append(piece)
                at += len(piece)
                self._remaining -= len(piece)
                if self._remaining == 0:
                    self._state = _DATA_END
                continue
            line_end = self._line_end(data, at)
            if line_end < 0:
                self._held = data[at:]
                return pieces, len(data) - held
            self._take_line(data[at:line_end])
            at = line_end + 2
        return pieces, at - held

    def _line_end(self, data: bytes, at: int) -> int:
        """Where the line's CRLF is, or -1 while it is not here."""
        if self._state == _DATA_END:
            limit = 0
        elif self._state == _SIZE:
            limit = MAX_CHUNK_LINE_BYTES
        else:
            limit = MAX_TRAILER_BYTES - self._trailer_bytes
        end = data.find(b"\r\n", at, at + limit + 2)
        if end >= 0:
            return end
        here = data[at : at + limit + 2]
        if b"\n" in here or b"\r" in here[:-1] or (self._state == _DATA_END and here != b"\r"):
            raise self._broken()
        if len(here) >= limit + 2:
            raise self._too_long()
        return -1

    def _broken(self) -> RemoteProtocolError:
        return RemoteProtocolError("a chunk that does not begin or end as chunks do", kind="chunk")

    def _too_long(self) -> RemoteProtocolError:
        if self._state == _TRAILERS:
            return RemoteProtocolError("trailers that do not end", kind="head_too_large", status=431)
        return self._broken()

    def _take_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            self._take_size(line)
        elif self._state == _DATA_END:
            self._state = _SIZE
        elif line:
            self._trailer_bytes += len(line) + 2
            if len(self._trailers) >= MAX_HEADERS:
                raise self._too_long()
            self._trailers.append(parse_field_line(line))
        else:
            self.done = True

    def _take_size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None or int(match[1], 16) > _MAX_CHUNK_BYTES:
            raise self._broken()
        self._remaining = int(match[1], 16)
        self._state = _DATA if self._remaining else _TRAILERS


def chunk(data: bytes) -> bytes:
    """One chunk. Empty data would be the last chunk by accident, so it gives nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: tuple[Header, ...] = ()) -> bytes:
    """The end of a chunked body.

    Raises:
        LocalProtocolError: a trailer that could not be read back as the same trailer.
    """
    lines = [b"%b: %b\r\n" % trailer for trailer in trailers]
    for line, trailer in zip(lines, trailers, strict=True):
        try:
            same = parse_field_line(line[:-2]) == trailer
        except RemoteProtocolError:
            same = False
        if not same:
            raise LocalProtocolError("a trailer that is not a name and a value")
    return b"0\r\n%b\r\n" % b"".join(lines)
