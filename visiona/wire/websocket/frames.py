"""WebSocket frames ↔ bytes, for a stream that does not care where messages begin (RFC 6455 §5).

Payload is handed on in the pieces in which it arrived: nothing is reassembled, and nothing is allocated because a peer
claims a length. Text is passed on as bytes, unchecked: what travels here is yamux, or another's business. Extensions
are not spoken, so reserved bits are an error. Answering pings and closing is the caller's.
"""

from typing import NamedTuple

from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.websocket.masking import apply_mask, turned
from visiona.wire.websocket.opcodes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    MAX_CONTROL_BYTES,
    MAX_HEADER_BYTES,
    NO_CODE,
    PING,
    PONG,
    RSV,
    TEXT,
    may_be_sent,
)

MAX_IDLE_FRAMES = 1024
"""Control frames and empty data frames in one `receive_data`. 256 KiB of them would be 43,000 and stall the loop for
all; an honest peer sends a handful."""


class Payload(NamedTuple):
    """A piece of a message. `ends_message`: the last one, possibly empty."""

    data: bytes
    is_text: bool = False
    ends_message: bool = False


class Ping(NamedTuple):
    """To be answered by a Pong with the same payload."""

    payload: bytes


class Pong(NamedTuple):
    """An answer to a Ping, or unasked."""

    payload: bytes


class Closed(NamedTuple):
    """The peer's Close frame; nothing after it counts. `code` is 1005 where it sent none."""

    code: int
    reason: str


Event = Payload | Ping | Pong | Closed


class FrameReader:
    """Reads the frames of one direction. After an error, or Closed, it ignores what comes.

    Args:
        expect_masked: what clients send is masked, what servers send is not; the other way is an error.
    """

    __slots__ = (
        "_expect_masked",
        "_finishing",
        "_held",
        "_in_message",
        "_is_text",
        "_mask",
        "_remaining",
        "closed",
    )

    def __init__(self, *, expect_masked: bool) -> None:
        self._expect_masked = expect_masked
        self._held = b""
        self._mask = b""
        self._remaining = 0
        self._finishing = False
        self._in_message = False
        self._is_text = False
        self.closed = False

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """The events in these bytes.

        Raises:
            RemoteProtocolError: kind `websocket` (to be answered by Close 1002). Events that stood before the fault
                in the same bytes are lost with the connection.
        """
        if self._held:
            data = self._held + bytes(data)
            self._held = b""
        events: list[Event] = []
        view = memoryview(data)
        at = 0
        idle_frames = 0
        while not self.closed and at < len(view):
            if self._remaining:
                at += self._take_payload(view[at : at + self._remaining], events)
                continue
            taken = self._take_header(view[at : at + MAX_HEADER_BYTES + MAX_CONTROL_BYTES], events)
            if not taken:
                self._held = bytes(view[at:])
                break
            at += taken
            if not self._remaining:
                idle_frames += 1
                if idle_frames > MAX_IDLE_FRAMES:
                    raise self._broken("a flood of frames without payload")
        return events

    def _take_payload(self, piece: memoryview, events: list[Event]) -> int:
        count = len(piece)
        self._remaining -= count
        ends_message = self._finishing and not self._remaining
        if self._expect_masked:
            events.append(Payload(apply_mask(piece, self._mask), self._is_text, ends_message))
            if self._remaining:
                self._mask = turned(self._mask, count)
        else:
            events.append(Payload(bytes(piece), self._is_text, ends_message))
        return count

    def _take_header(self, view: memoryview, events: list[Event]) -> int:
        """Reads a frame's header, and the whole frame if it is a control frame; 0 while it is incomplete."""
        if len(view) < 2:
            return 0
        first, second = view[0], view[1]
        opcode = first & 0x0F
        self._check_header(first, second, opcode)
        length = second & 0x7F
        at = 2
        if length >= 126:
            at = 4 if length == 126 else 10
            length = self._long_length(view, at)
            if length < 0:
                return 0
        if self._expect_masked:
            at += 4
            if len(view) < at:
                return 0
        mask = bytes(view[at - 4 : at]) if self._expect_masked else b""
        if opcode >= CLOSE:
            if len(view) < at + length:
                return 0
            payload = bytes(view[at : at + length])
            self._take_control(opcode, apply_mask(payload, mask) if mask else payload, events)
            return at + length
        if opcode != CONTINUATION:
            self._is_text = opcode == TEXT
        self._finishing = first & FIN != 0
        self._in_message = not self._finishing
        self._mask = mask
        self._remaining = length
        if not length and self._finishing:
            events.append(Payload(b"", self._is_text, ends_message=True))
        return at

    def _check_header(self, first: int, second: int, opcode: int) -> None:
        """What the first two bytes alone can break."""
        if first & RSV:
            raise self._broken("a reserved bit is set")
        if (second & MASKED != 0) != self._expect_masked:
            raise self._broken("a mask that is missing" if self._expect_masked else "a mask from a server")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise self._broken("an unknown opcode")
            if not first & FIN or second & 0x7F > MAX_CONTROL_BYTES:
                raise self._broken("a control frame that is long or fragmented")
        elif opcode > BINARY:
            raise self._broken("an unknown opcode")
        elif (opcode == CONTINUATION) != self._in_message:
            raise self._broken("a continuation of nothing, or a message within a message")

    def _long_length(self, view: memoryview, end: int) -> int:
        """The length in its 16- or 64-bit form, or -1 while it is not here."""
        if len(view) < end:
            return -1
        length = int.from_bytes(view[2:end])
        if length >> 63:
            raise self._broken("a length of 2^63 or more")
        if length < (126 if end == 4 else 65536):
            raise self._broken("a length in more bytes than it needs")
        return length

    def _take_control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode == PING:
            events.append(Ping(payload))
        elif opcode == PONG:
            events.append(Pong(payload))
        else:
            events.append(self._close(payload))
            self.closed = True

    def _close(self, payload: bytes) -> Closed:
        if not payload:
            return Closed(NO_CODE, "")
        code = int.from_bytes(payload[:2])
        if len(payload) < 2 or not may_be_sent(code):
            raise self._broken("a close code that may not be sent")
        try:
            return Closed(code, payload[2:].decode())
        except UnicodeDecodeError:
            raise self._broken("a close reason that is not UTF-8") from None

    def _broken(self, message: str) -> RemoteProtocolError:
        self.closed = True
        return RemoteProtocolError(message, kind="websocket")


def frame_header(opcode: int, length: int, mask: bytes | None, *, fin: bool = True) -> bytes:
    """The header of a frame, with its mask; the payload follows, masked by the caller."""
    masked = MASKED if mask is not None else 0
    first = opcode | FIN if fin else opcode
    if length < 126:
        header = bytes((first, masked | length))
    elif length < 65536:
        header = bytes((first, masked | 126)) + length.to_bytes(2)
    else:
        header = bytes((first, masked | 127)) + length.to_bytes(8)
    return header if mask is None else header + mask


def binary_frame(payload_pieces: list[bytes], mask: bytes | None) -> bytes:
    """One unfragmented binary message. `mask`: four random bytes from a client, None from a server."""
    return data_frame(payload_pieces, mask, is_text=False)


def data_frame(payload_pieces: list[bytes], mask: bytes | None, *, is_text: bool) -> bytes:
    """One unfragmented message. Text must be UTF-8; that is the caller's to know."""
    header = frame_header(TEXT if is_text else BINARY, sum(map(len, payload_pieces)), mask)
    if mask is None:
        return b"".join([header, *payload_pieces])
    return header + apply_mask(b"".join(payload_pieces), mask)


def ping_frame(payload: bytes, mask: bytes | None) -> bytes:
    """A Ping; raises LocalProtocolError beyond MAX_CONTROL_BYTES."""
    return _control_frame(PING, payload, mask)


def pong_frame(payload: bytes, mask: bytes | None) -> bytes:
    """The answer to a Ping; raises LocalProtocolError beyond MAX_CONTROL_BYTES."""
    return _control_frame(PONG, payload, mask)


def close_frame(code: int, reason: str, mask: bytes | None) -> bytes:
    """A Close frame. A reason that is too long is cut, between characters; code 1005 gives an empty Close.

    Raises:
        LocalProtocolError: a code that may not be sent.
    """
    if code == NO_CODE:
        return _control_frame(CLOSE, b"", mask)
    if not may_be_sent(code):
        raise LocalProtocolError(f"close code {code} may not be sent")
    cut = reason.encode()[: MAX_CONTROL_BYTES - 2].decode(errors="ignore")
    return _control_frame(CLOSE, code.to_bytes(2) + cut.encode(), mask)


def _control_frame(opcode: int, payload: bytes, mask: bytes | None) -> bytes:
    if len(payload) > MAX_CONTROL_BYTES:
        raise LocalProtocolError(f"a control frame carries at most {MAX_CONTROL_BYTES} bytes")
    return frame_header(opcode, len(payload), mask) + (payload if mask is None else apply_mask(payload, mask))
