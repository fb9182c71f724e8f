import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.frame import DATA, GO_AWAY, HEADER_BYTES, PIECE, PING, SYN, Frame, FrameParser, header

from tests.wire.yamux import frames


def parse(*reads: bytes, now: float = 0.0) -> list[Frame]:
    parser = FrameParser()
    return [frame for read in reads for frame in parser.receive(read, now)]


def joined(found: list[Frame]) -> list[tuple[int, int, int, int, bytes]]:
    """Frames with their pieces put together, as they were before they were cut."""
    whole: list[tuple[int, int, int, int, bytes]] = []
    for frame_type, flags, stream_id, length, piece, _ in found:
        if frame_type == PIECE:
            whole[-1] = (*whole[-1][:4], whole[-1][4] + piece)
        else:
            whole.append((frame_type, flags, stream_id, length, piece))
    return whole


def test_a_header_is_twelve_big_endian_bytes() -> None:
    assert header(2, 1, 0, 0x01020304) == bytes.fromhex("00 02 0001 00000000 01020304")
    assert header(0, 4, 0xFFFFFFFE, 5) == bytes.fromhex("00 00 0004 fffffffe 00000005")


def test_each_type_is_read_with_its_fields() -> None:
    assert parse(frames.data(2, b"body") + frames.credit(4, 9) + frames.ping(7) + frames.go_away(1)) == [
        (0, 0, 2, 4, b"body", 0),
        (1, 0, 4, 9, b"", 0),
        (2, 1, 0, 7, b"", 0),
        (3, 0, 0, 1, b"", 0),
    ]


def test_only_data_frames_have_a_body() -> None:
    """The opaque value of a ping is not a length, whatever it is."""
    assert parse(frames.ping(4) + frames.go_away(4) + frames.credit(2, 4)) == [
        (2, 1, 0, 4, b"", 0),
        (3, 0, 0, 4, b"", 0),
        (1, 0, 2, 4, b"", 0),
    ]


def test_an_empty_data_frame_is_complete_with_its_header() -> None:
    assert parse(frames.data(2, b"")) == [(0, 0, 2, 0, b"", 0)]


def test_a_body_is_handed_on_piece_by_piece() -> None:
    whole = frames.data(2, b"abcdef", flags=4)
    assert parse(whole[:14], whole[14:17], b"", whole[17:]) == [
        (DATA, 4, 2, 6, b"ab", 4),
        (PIECE, 4, 2, 6, b"cde", 1),
        (PIECE, 4, 2, 6, b"f", 0),
    ]


def test_a_header_whose_body_has_not_begun_is_handed_on_at_once() -> None:
    assert parse(header(DATA, 0, 2, 0xFFFFFFFF)) == [(DATA, 0, 2, 0xFFFFFFFF, b"", 0xFFFFFFFF)]


@pytest.mark.parametrize("first", range(1, 2 * HEADER_BYTES + 7))
def test_t36_a_header_cut_anywhere_is_the_same_frame(first: int) -> None:
    stream = frames.data(2, b"abc") + frames.ping(5) + frames.credit(4, 1)
    assert joined(parse(stream[:first], stream[first:])) == joined(parse(stream))


def test_t36_one_thousand_frames_in_one_message_and_in_messages_of_one_byte() -> None:
    stream = b"".join(frames.data(2 * number, b"x" * (number % 7)) for number in range(1, 1001))
    together = parse(stream)
    assert len(together) == 1000
    assert joined(parse(*(stream[at : at + 1] for at in range(len(stream))))) == joined(together)


@given(
    st.lists(
        st.one_of(
            st.builds(frames.data, st.integers(0, 9), st.binary(max_size=40), st.integers(0, 15)),
            st.builds(frames.credit, st.integers(0, 9), st.integers(0, 0xFFFFFFFF)),
            st.builds(frames.ping, st.integers(0, 0xFFFFFFFF), st.integers(0, 15)),
            st.builds(frames.go_away, st.integers(0, 0xFFFFFFFF)),
        ),
        max_size=12,
    ),
    st.data(),
)
def test_bytes_cut_anywhere_are_the_same_frames(sent: list[bytes], choose: st.DataObject) -> None:
    stream = b"".join(sent)
    cuts = sorted(choose.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reads = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert joined(parse(*reads)) == joined(parse(stream))


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("version", bytes([1]) + frames.ping(1)[1:]),
        ("type", header(GO_AWAY + 1, 0, 2, 0)),
        ("the parser's own mark", header(PIECE, 0, 2, 0)),
        ("flags", header(PING, 16, 0, 0)),
        ("all flags", header(DATA, 0xFFFF, 2, 0)),
    ],
)
def test_t20_a_header_that_is_none_is_refused(name: str, bad: bytes) -> None:
    parser = FrameParser()
    found = parser.receive(frames.ping(1) + bad, 0.0)
    assert next(found)[0] == PING
    with pytest.raises(RemoteProtocolError) as refused:
        next(found)
    assert refused.value.kind == "header"


def test_frames_before_a_bad_header_are_handed_on_first() -> None:
    found = FrameParser().receive(frames.data(2, b"good") + b"\xff" * 12, 0.0)
    assert next(found) == (DATA, 0, 2, 4, b"good", 0)


@pytest.mark.parametrize("cut", [1, 11, 12, 13, 15])
def test_t24_an_unfinished_frame_knows_since_when(cut: int) -> None:
    parser = FrameParser()
    stream = frames.data(2, b"abcd")
    list(parser.receive(stream[:cut], 5.0))
    assert parser.unfinished_since == 5.0
    list(parser.receive(stream[cut:], 9.0))
    assert parser.unfinished_since is None


def test_t24_a_body_in_many_pieces_counts_from_its_header() -> None:
    parser = FrameParser()
    stream = frames.data(2, b"abcd")
    for at in range(len(stream) - 1):
        list(parser.receive(stream[at : at + 1], float(at)))
    assert parser.unfinished_since == HEADER_BYTES - 1.0


def test_t24_a_header_that_dribbles_in_counts_from_its_first_byte() -> None:
    parser = FrameParser()
    for at in range(HEADER_BYTES - 1):
        list(parser.receive(b"\0", float(at)))
    assert parser.unfinished_since == 0.0


def test_a_flag_on_a_cut_frame_comes_with_each_piece() -> None:
    stream = frames.data(6, b"ab", flags=SYN)
    assert [frame[1] for frame in parse(stream[:13], stream[13:])] == [SYN, SYN]
