"""Moving pictures over HTTP, `multipart/x-mixed-replace`: a body cut into its parts as it arrives.

There is no standard for it beyond the multipart of RFC 2046 §5.1, and cameras bend that: bare LF, no Content-Length, a
wrong one, a boundary that is quoted or brings its own dashes. So the delimiter decides where a part ends, and
Content-Length is believed until it was wrong once: it is what lets a picture go on before the next one begins.

What is no such body, or has parts beyond the limit, raises; `unfinished` is then what was not handed on as a part.
"""

import re
from typing import Final, NamedTuple

from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import is_token, is_value

MIXED_REPLACE: Final = b"multipart/x-mixed-replace"

MAX_PREAMBLE_BYTES = 4096
"""Before the first delimiter. Cameras send an empty line or nothing."""

MAX_PART_HEAD_BYTES = 4096

MAX_PART_FIELDS = 64
"""Of a part. Cameras have two or three."""

MAX_PARTS_AT_ONCE = 256
"""In what is given in one piece, also those without content: so small they are no pictures, and each costs as much time
as a hundred thousand bytes of one."""

MAX_LOOKALIKES = 256
"""In one part: lines that begin as the delimiter does and are none. Each costs as much time as its first line."""

MAX_PADDING_BYTES = 64
"""Of blanks in a delimiter's line (RFC 2046 §5.1.1)."""

_BOUNDARY: Final = re.compile(
    rb";[\t ]*boundary[\t ]*=[\t ]*(?:\"([^\"\\]{1,200})\"|([^\t ;\"]{1,200}))", re.IGNORECASE
)
_HEAD_END: Final = re.compile(rb"\n\r?\n")

# What a splitter waits for.
_FIRST, _HEAD, _BODY, _AFTER, _SKIP = range(5)
_NO, _MORE = -1, -2


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary that an answer's Content-Type announces; None: it is no moving picture, or names none."""
    kind, _, _ = content_type.partition(b";")
    if kind.strip(b" \t").lower() != MIXED_REPLACE:
        return None
    match = _BOUNDARY.search(content_type)
    return match[1] or match[2] if match is not None else None


class Part(NamedTuple):
    """One part.

    Attributes:
        head: its fields as lines with CRLF, without Content-Length and without what is no field.
        content_type: in lower case, without parameters; empty: it has none.
    """

    head: bytes
    content_type: bytes
    body: bytes


class PartSplitter:
    """Cuts one body. Parts without content are left out.

    Attributes:
        delimiter: with its dashes, as the device sends it; empty until the first came.
        ended: the closing delimiter came; what follows is nobody's.
        part_count: of all that began, also those without content.
    """

    __slots__ = (
        "_at",
        "_believes_length",
        "_body_at",
        "_boundary",
        "_buffer",
        "_content_type",
        "_head",
        "_length",
        "_lookalikes",
        "_max_part_bytes",
        "_most_parts",
        "_scanned",
        "_state",
        "delimiter",
        "ended",
        "part_count",
    )

    def __init__(self, boundary: bytes, *, max_part_bytes: int) -> None:
        self._boundary = boundary
        self._max_part_bytes = max_part_bytes
        self._buffer = bytearray()
        self._state = _FIRST
        # Where what is waited for begins; a part begins after its delimiter's line, its body at `_body_at`.
        self._at = self._body_at = self._scanned = 0
        self._head = self._content_type = b""
        self._length: int | None = None
        self._lookalikes = self._most_parts = self.part_count = 0
        self._believes_length = True
        self.delimiter = b""
        self.ended = False

    @property
    def unfinished(self) -> bytes:
        """What came since the last whole part or delimiter line."""
        return bytes(self._buffer[self._at :])

    @property
    def held_bytes(self) -> int:
        """Of a part that is not whole."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Part]:
        """The parts that are whole now.

        Raises:
            RemoteProtocolError: kind `multipart`; `unfinished` holds these bytes too, and nothing more may be given.
        """
        parts: list[Part] = []
        if self.ended:
            return parts
        self._buffer += data
        self._most_parts = self.part_count + MAX_PARTS_AT_ONCE
        while self._step(parts):
            pass
        if self._at:
            # Once for each piece that arrives, not for each part: it moves what is left.
            del self._buffer[: self._at]
            self._body_at -= self._at
            self._scanned -= self._at
            self._at = 0
        return parts

    def _step(self, parts: list[Part]) -> bool:
        """Moves on by one delimiter, head or body; False when more must come first, or nothing will."""
        if self.ended:
            return False
        if self._state == _FIRST:
            return self._find_first()
        if self._state == _HEAD:
            return self._take_head()
        if self._state == _AFTER:
            return self._go_on()
        if self._state == _BODY and self._length is not None and self._believes_length:
            return self._take_sized(self._length, parts)
        return self._take_delimited(parts)

    # --- delimiters ---------------------------------------------------------------------------------------------

    def _find_first(self) -> bool:
        """The first line that is the delimiter. Some boundaries are announced with the dashes they are sent with."""
        own_dashes = (self._boundary,) if self._boundary.startswith(b"--") else ()
        at = self._scanned
        while True:
            for candidate in (b"--" + self._boundary, *own_dashes):
                end = self._delimiter_end(at, candidate)
                if end == _MORE:
                    return False
                if end != _NO:
                    self.delimiter = candidate
                    self._begin_part(end)
                    return True
            line_end = self._buffer.find(b"\n", at)
            if (len(self._buffer) if line_end < 0 else line_end) - self._at > MAX_PREAMBLE_BYTES:
                raise _not_multipart("it does not begin with its boundary")
            if line_end < 0:
                return False
            # A device that sends byte by byte is not to have its lines looked at anew for each.
            self._scanned = at = line_end + 1

    def _delimiter_end(self, at: int, delimiter: bytes) -> int:
        """Where the line ends that is the delimiter and begins here; _NO, or _MORE: too little is here to say.

        After the closing delimiter, which has dashes at its end too, the body is over; its line may be without an end.
        """
        buffer, end = self._buffer, at + len(delimiter)
        here = bytes(buffer[at:end])
        if here != delimiter:
            return _MORE if delimiter.startswith(here) else _NO
        line_end = buffer.find(b"\n", end, end + MAX_PADDING_BYTES)
        padding = bytes(buffer[end : end + MAX_PADDING_BYTES if line_end < 0 else line_end])
        if padding.startswith(b"--"):
            return end
        if padding.strip(b" \t\r") or (line_end < 0 and len(padding) == MAX_PADDING_BYTES):
            return _MORE if padding == b"-" and line_end < 0 else _NO
        return _MORE if line_end < 0 else line_end + 1

    def _begin_part(self, at: int) -> None:
        self.ended = self._buffer.startswith(b"--", at) and self._buffer[at - 1] != 0x0A
        self._at = self._scanned = at
        self._state = _HEAD
        self._lookalikes = 0
        self.part_count += 1
        if self.part_count > self._most_parts:
            raise _not_multipart("its parts are too small to be pictures")

    def _go_on(self) -> bool:
        """After a part that its length has ended: the delimiter, at the beginning of a line or right here."""
        buffer, at = self._buffer, self._at
        for line_end in (b"\r\n", b"\n", b""):
            if buffer.startswith(line_end, at):
                end = self._delimiter_end(at + len(line_end), self.delimiter)
                if end == _MORE or (line_end == b"" and bytes(buffer[at:]) == b"\r"):
                    return False
                if end != _NO:
                    self._begin_part(end)
                    return True
        # Its length was wrong: what is left of that part is dropped, and no other length is believed.
        self._believes_length = False
        self._state = _SKIP
        self._body_at = self._scanned = at
        return True

    # --- parts --------------------------------------------------------------------------------------------------

    def _take_head(self) -> bool:
        buffer, at = self._buffer, self._at
        if buffer.startswith((b"\r\n", b"\n"), at):
            lines_end, self._body_at = at, buffer.index(b"\n", at) + 1
        elif found := _HEAD_END.search(buffer, max(at, self._scanned - 2), at + MAX_PART_HEAD_BYTES):
            lines_end, self._body_at = found.start() + 1, found.end()
        elif len(buffer) - at >= MAX_PART_HEAD_BYTES:
            raise _not_multipart("the head of a part does not end")
        else:
            self._scanned = len(buffer)
            return False
        self._read_fields(bytes(buffer[at:lines_end]))
        self._scanned = self._body_at
        self._state = _BODY
        return True

    def _read_fields(self, data: bytes) -> None:
        kept: list[bytes] = []
        self._length, self._content_type = None, b""
        lines = data.splitlines()
        if len(lines) > MAX_PART_FIELDS:
            raise _not_multipart(f"a part has more than {MAX_PART_FIELDS} fields")
        for line in lines:
            name, colon, value = line.partition(b":")
            value = value.strip(b" \t")
            if not colon or not is_token(name) or not is_value(value):
                continue
            lowered = name.lower()
            if lowered == b"content-length":
                self._length = int(value) if value.isdigit() and len(value) < 16 else None
                continue
            if lowered == b"content-type":
                self._content_type = value.partition(b";")[0].strip(b" \t").lower()
            kept.append(b"%b: %b\r\n" % (name, value))
        self._head = b"".join(kept)

    def _take_sized(self, length: int, parts: list[Part]) -> bool:
        end = self._body_at + length
        if length > self._max_part_bytes:
            raise self._too_long()
        if len(self._buffer) < end:
            return False
        self._hand_on(end, parts)
        self._at = end
        self._state = _AFTER
        return True

    def _take_delimited(self, parts: list[Part]) -> bool:
        buffer, delimiter = self._buffer, self.delimiter
        if self._scanned == self._body_at and (end := self._delimiter_end(self._body_at, delimiter)) != _NO:
            if end == _MORE:
                return False
            self._begin_part(end)
            return True
        while (found := buffer.find(b"\n" + delimiter, self._scanned)) >= 0:
            end = self._delimiter_end(found + 1, delimiter)
            self._scanned = found if end == _MORE else found + 1
            body_end = found - (buffer[found - 1] == 0x0D)
            if end != _NO and body_end - self._body_at > self._max_part_bytes:
                raise self._too_long()
            if end == _MORE:
                return False
            if end != _NO:
                self._hand_on(body_end, parts)
                self._begin_part(end)
                return True
            self._lookalikes += 1
            if self._lookalikes > MAX_LOOKALIKES:
                raise _not_multipart("a part is full of what looks like its end")
        self._scanned = max(self._scanned, len(buffer) - len(delimiter))
        if len(buffer) - self._body_at > self._max_part_bytes + len(delimiter) + MAX_PADDING_BYTES:
            raise self._too_long()
        return False

    def _hand_on(self, end: int, parts: list[Part]) -> None:
        if end > self._body_at and self._state == _BODY:
            parts.append(Part(self._head, self._content_type, bytes(self._buffer[self._body_at : end])))

    def _too_long(self) -> RemoteProtocolError:
        return _not_multipart(f"a part is longer than {self._max_part_bytes} bytes")


def _not_multipart(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the moving picture cannot be read: {what}", kind="multipart", status=502)
