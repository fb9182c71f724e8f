import struct
import tracemalloc
from itertools import pairwise

import pytest
import websockets.exceptions
import websockets.frames
import websockets.streams
from hypothesis import given, settings
from hypothesis import strategies as st
from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.websocket.frames import (
    MAX_IDLE_FRAMES,
    Closed,
    Event,
    FrameReader,
    Payload,
    Ping,
    Pong,
    binary_frame,
    close_frame,
    data_frame,
    frame_header,
    ping_frame,
    pong_frame,
)
from visiona.wire.websocket.opcodes import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from wsproto import ConnectionType, connection, events
from wsproto.utilities import LocalProtocolError as WsprotoLocalError

MASK = b"\x12\x34\x56\x78"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = None, rsv: int = 0
) -> bytes:
    """A frame made here, bit by bit, and not by the module under test."""
    first = (0x80 if fin else 0) | rsv | opcode
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        header = struct.pack("!BB", first, masked | len(payload))
    elif len(payload) < 65536:
        header = struct.pack("!BBH", first, masked | 126, len(payload))
    else:
        header = struct.pack("!BBQ", first, masked | 127, len(payload))
    if mask is None:
        return header + payload
    return header + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def joined(found: list[Event]) -> list[Event]:
    """The events with pieces of one message put together, since pieces depend on where the bytes were cut."""
    out: list[Event] = []
    open_piece: Payload | None = None
    for event in found:
        if isinstance(event, Payload):
            before = open_piece.data if open_piece is not None else b""
            open_piece = Payload(before + event.data, event.is_text, event.ends_message)
            if event.ends_message:
                out.append(open_piece)
                open_piece = None
        else:
            out.append(event)
    return [*out, open_piece] if open_piece is not None and open_piece.data else out


def read(data: bytes, *cuts: int, masked: bool = False) -> list[Event]:
    reader = FrameReader(expect_masked=masked)
    edges = [0, *sorted(cuts), len(data)]
    return [event for a, b in pairwise(edges) for event in reader.receive_data(data[a:b])]


def refusal(data: bytes, *, masked: bool = False) -> RemoteProtocolError:
    reader = FrameReader(expect_masked=masked)
    with pytest.raises(RemoteProtocolError) as caught:
        reader.receive_data(data)
    assert reader.closed
    assert reader.receive_data(frame(BINARY, b"late", mask=MASK if masked else None)) == []
    return caught.value


LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_message_of_any_length_is_read_from_both_ends(length: int, mask: bytes | None) -> None:
    payload = bytes(length % 251 for length in range(length))
    assert read(frame(BINARY, payload, mask=mask), masked=mask is not None) == [Payload(payload, False, True)]
    assert binary_frame([payload[:7], payload[7:]], mask) == frame(BINARY, payload, mask=mask)


def test_pieces_are_handed_on_as_they_arrive_and_unmasked_at_the_right_place() -> None:
    reader = FrameReader(expect_masked=True)
    data = frame(BINARY, b"abcdefghij", mask=MASK)
    assert reader.receive_data(data[:9]) == [Payload(b"abc")]
    assert reader.receive_data(b"") == []
    assert reader.receive_data(memoryview(data)[9:11]) == [Payload(b"de")]
    assert reader.receive_data(bytearray(data[11:])) == [Payload(b"fghij", False, True)]


def test_text_passes_as_bytes_without_a_look_at_its_encoding() -> None:
    assert read(frame(TEXT, b"\xff\xfe")) == [Payload(b"\xff\xfe", True, True)]
    assert data_frame([b"abc"], None, is_text=True) == frame(TEXT, b"abc")


def test_a_fragmented_message_with_a_ping_within_is_one_message() -> None:
    data = (
        frame(TEXT, b"ab", fin=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, b"", fin=False)
        + frame(CONTINUATION, b"cd", fin=False)
        + frame(CONTINUATION, b"")
        + frame(BINARY, b"x")
    )
    assert read(data) == [
        Payload(b"ab", True),
        Ping(b"p"),
        Payload(b"cd", True),
        Payload(b"", True, True),
        Payload(b"x", False, True),
    ]


@pytest.mark.parametrize("mask", [None, MASK])
def test_control_frames_are_written_and_read(mask: bytes | None) -> None:
    data = (
        ping_frame(b"a" * 125, mask) + pong_frame(b"", mask) + close_frame(1001, "späti", mask) + b"\xff\xff"
    )
    assert read(data, masked=mask is not None) == [Ping(b"a" * 125), Pong(b""), Closed(1001, "späti")]
    assert data.startswith(frame(PING, b"a" * 125, mask=mask) + frame(PONG, b"", mask=mask))


def test_a_close_without_a_code_is_1005_both_ways() -> None:
    assert read(frame(CLOSE)) == [Closed(1005, "")]
    assert close_frame(1005, "ignored", None) == frame(CLOSE)


def test_nothing_counts_after_a_close() -> None:
    reader = FrameReader(expect_masked=False)
    assert reader.receive_data(frame(CLOSE, b"\x03\xe8") + frame(BINARY, b"x")) == [Closed(1000, "")]
    assert reader.closed
    assert reader.receive_data(b"\xff") == []


def test_a_long_close_reason_is_cut_between_characters() -> None:
    [closed] = read(close_frame(4000, "é" * 100, None))
    assert closed == Closed(4000, "é" * 61)


@pytest.mark.parametrize("code", [0, 1004, 1006, 1015, 2000, 5000])
def test_a_code_that_may_not_be_sent_is_not_written(code: int) -> None:
    with pytest.raises(LocalProtocolError):
        close_frame(code, "", None)


def test_a_control_frame_that_is_too_long_is_not_written() -> None:
    for write in (ping_frame, pong_frame):
        with pytest.raises(LocalProtocolError):
            write(b"a" * 126, None)


def test_a_header_can_be_written_for_a_fragment() -> None:
    assert frame_header(BINARY, 3, None, fin=False) + b"abc" == frame(BINARY, b"abc", fin=False)


BROKEN = {
    "t10_mask_missing": (frame(BINARY, b"x"), True),
    "t10_mask_from_a_server": (frame(BINARY, b"x", mask=MASK), False),
    "t10_reserved_bit_1_is_compression": (frame(BINARY, b"x", rsv=0x40), False),
    "t10_reserved_bit_2": (frame(BINARY, b"x", rsv=0x20), False),
    "t10_reserved_bit_3": (frame(BINARY, b"x", rsv=0x10), False),
    "t10_reserved_bit_on_a_ping": (frame(PING, b"x", rsv=0x40), False),
    "t10_unknown_data_opcode": (frame(0x3), False),
    "t10_unknown_control_opcode": (frame(0xB), False),
    "t10_last_opcode": (frame(0xF), False),
    "t10_long_ping": (b"\x89\x7e\x00\x7e" + b"a" * 126, False),
    "t10_long_close": (b"\x88\x7f" + b"\0" * 8, False),
    "t10_fragmented_ping": (frame(PING, b"x", fin=False), False),
    "t10_length_of_2_63": (b"\x82\x7f\x80" + b"\0" * 7, False),
    "t10_length_of_2_64": (b"\x82\xff" + b"\xff" * 8, True),
    "t10_long_form_for_a_short_length": (b"\x82\x7e\x00\x7d", False),
    "t10_longest_form_for_a_short_length": (b"\x82\x7f" + (65_535).to_bytes(8), False),
    "t10_continuation_of_nothing": (frame(CONTINUATION, b"x"), False),
    "t10_continuation_after_the_end": (frame(BINARY, b"x") + frame(CONTINUATION, b"x"), False),
    "t10_message_within_a_message": (frame(BINARY, b"x", fin=False) + frame(BINARY, b"x"), False),
    "t10_close_of_one_byte": (frame(CLOSE, b"\x03"), False),
    "t10_close_1005": (frame(CLOSE, b"\x03\xed"), False),
    "t10_close_1006": (frame(CLOSE, b"\x03\xee"), False),
    "t10_close_1016": (frame(CLOSE, b"\x03\xf8"), False),
    "t10_close_5000": (frame(CLOSE, b"\x13\x88"), False),
    "t10_close_reason_not_utf8": (frame(CLOSE, b"\x03\xe8\xff"), False),
}


@pytest.mark.parametrize(("data", "masked"), BROKEN.values(), ids=BROKEN)
def test_a_frame_that_rfc_6455_forbids_is_refused(data: bytes, masked: bool) -> None:
    assert refusal(data, masked=masked).kind == "websocket"


@pytest.mark.parametrize(("data", "masked"), BROKEN.values(), ids=BROKEN)
def test_t36_it_is_refused_byte_by_byte_too(data: bytes, masked: bool) -> None:
    with pytest.raises(RemoteProtocolError):
        read(data, *range(1, len(data)), masked=masked)


def test_t10_a_claimed_length_allocates_nothing() -> None:
    reader = FrameReader(expect_masked=True)
    tracemalloc.start()
    try:
        for _ in range(100):
            reader = FrameReader(expect_masked=True)
            assert reader.receive_data(b"\x82\xff\x7f" + b"\xff" * 7 + MASK) == []
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "idle", [frame(PING), frame(PONG, b"x"), frame(BINARY), frame(BINARY) + frame(BINARY, b"x")]
)
def test_t28_t29_a_flood_of_frames_without_payload_is_refused_beyond_its_limit(idle: bytes) -> None:
    assert FrameReader(expect_masked=False).receive_data(idle * MAX_IDLE_FRAMES)
    assert refusal(idle * (MAX_IDLE_FRAMES + 1)).kind == "websocket"


def test_t36_a_thousand_frames_in_one_read() -> None:
    assert read(frame(BINARY, b"x", mask=MASK) * 1000, masked=True) == [Payload(b"x", False, True)] * 1000


_FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=300).map(lambda payload: [(BINARY, payload, True)]),
        st.lists(st.binary(max_size=20), min_size=2, max_size=4).map(
            lambda parts: [
                (TEXT if index == 0 else CONTINUATION, part, index == len(parts) - 1)
                for index, part in enumerate(parts)
            ]
        ),
        st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)).map(lambda one: [(*one, True)]),
    ),
    max_size=6,
).map(lambda groups: [one for group in groups for one in group])


@given(_FRAMES, st.one_of(st.none(), st.binary(min_size=4, max_size=4)), st.data())
def test_t36_bytes_cut_anywhere_give_the_same_events(
    frames: list[tuple[int, bytes, bool]], mask: bytes | None, data: st.DataObject
) -> None:
    whole = b"".join(frame(opcode, payload, fin=fin, mask=mask or None) for opcode, payload, fin in frames)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=10))
    masked = bool(mask)
    assert joined(read(whole, *cuts, masked=masked)) == joined(read(whole, masked=masked))


# --- two other readers as the second opinion: we may be stricter, never laxer

_WILD = st.lists(
    st.builds(
        lambda opcode, payload, fin, mask, rsv: frame(opcode, payload, fin=fin, mask=mask, rsv=rsv),
        st.sampled_from([0, 0, 1, 2, 2, 8, 9, 10, 3, 11]),
        st.one_of(
            st.binary(max_size=130), st.sampled_from([b"\x03\xe8", b"\x03\xe8ok", b"\x03\xed", b"\x03"])
        ),
        st.sampled_from([True, True, False]),
        st.sampled_from([MASK, MASK, MASK, None]),
        st.sampled_from([0, 0, 0, 0, 0x40]),
    ),
    max_size=5,
).map(b"".join)


def wsproto_reads(data: bytes) -> list[Event] | None:
    """What wsproto reads as a server, or None when it refuses."""
    server = connection.Connection(ConnectionType.SERVER)
    found: list[Event] = []
    try:
        server.receive_data(data)
        for event in server.events():
            if isinstance(event, events.BytesMessage | events.TextMessage):
                is_text = isinstance(event, events.TextMessage)
                payload = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                found.append(Payload(payload, is_text, event.message_finished))
            elif isinstance(event, events.Ping):
                found.append(Ping(bytes(event.payload)))
            elif isinstance(event, events.Pong):
                found.append(Pong(bytes(event.payload)))
            elif isinstance(event, events.CloseConnection):
                if server.state is not connection.ConnectionState.REMOTE_CLOSING:
                    return None  # its own close: the peer broke the protocol
                found.append(Closed(event.code, event.reason or ""))
                break
    except WsprotoLocalError:
        return None
    return found


@given(_WILD)
@settings(max_examples=250, deadline=None)
def test_t10_what_we_read_wsproto_reads_the_same(data: bytes) -> None:
    try:
        ours = joined(read(data, masked=True))
    except RemoteProtocolError:
        return
    if any(isinstance(event, Payload) and event.is_text and not _is_utf8(event.data) for event in ours):
        return  # text is not our business
    theirs = wsproto_reads(data)
    assert theirs is not None
    assert joined(theirs) == ours


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def websockets_reads(data: bytes) -> list[tuple[int, bytes, bool]]:
    """The frames as the websockets library parses them."""
    stream = websockets.streams.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    frames = []
    while stream.buffer:
        parser = websockets.frames.Frame.parse(stream.read_exact, mask=True, max_size=1 << 20)
        try:
            while True:
                next(parser)
        except StopIteration as stop:
            one = stop.value
        frames.append((int(one.opcode), bytes(one.data), one.fin))
    return frames


@given(_FRAMES, st.binary(min_size=4, max_size=4))
def test_what_we_write_the_websockets_library_reads_the_same(
    frames: list[tuple[int, bytes, bool]], mask: bytes
) -> None:
    written = b""
    expected = []
    for opcode, payload, fin in frames:
        if opcode == PING:
            written += ping_frame(payload, mask)
        elif opcode == PONG:
            written += pong_frame(payload, mask)
        else:
            written += data_frame([payload[:3], payload[3:]], mask, is_text=opcode == TEXT)
            opcode, fin = (TEXT if opcode == TEXT else BINARY), True
        expected.append((opcode, payload, fin))
    assert websockets_reads(written) == expected
