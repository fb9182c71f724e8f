import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.websocket.boundary import BoundaryTracker
from visiona.wire.websocket.opcodes import BINARY, CLOSE, CONTINUATION, PING, TEXT

from tests.wire.websocket.test_frames import MASK, frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("mask", [None, MASK])
def test_a_boundary_is_before_and_after_a_frame_and_nowhere_within(length: int, mask: bytes | None) -> None:
    data = frame(BINARY, b"a" * length, mask=mask)
    for cut in {*range(min(len(data), 16)), len(data) // 2, len(data) - 1}:
        tracker = BoundaryTracker()
        tracker.feed(data[:cut])
        assert tracker.at_boundary is (cut == 0)
        tracker.feed(memoryview(data)[cut:])
        assert tracker.at_boundary
        assert not tracker.closed


_FRAMES = st.lists(
    st.builds(
        frame,
        st.sampled_from([CONTINUATION, TEXT, BINARY, PING, 0x3, 0xB]),
        st.binary(max_size=200),
        fin=st.booleans(),
        mask=st.sampled_from([None, MASK]),
        rsv=st.sampled_from([0, 0x40]),
    ),
    max_size=5,
)


@given(_FRAMES, st.lists(st.integers(0, 1000), max_size=8))
def test_t36_boundaries_are_where_the_frames_end_wherever_the_bytes_are_cut(
    frames: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(frames)
    ends = {0}
    for one in frames:
        ends.add(max(ends) + len(one))
    tracker = BoundaryTracker()
    at = 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        tracker.feed(data[at:cut])
        at = cut
        assert tracker.at_boundary is (at in ends)
        assert not tracker.closed


def test_h14_after_a_close_has_begun_nothing_may_be_added() -> None:
    tracker = BoundaryTracker()
    data = frame(CLOSE, b"\x03\xe8", mask=MASK)
    tracker.feed(data[:1])
    assert not tracker.closed
    tracker.feed(data[1:3])
    assert tracker.closed
    assert not tracker.at_boundary
    tracker.feed(data[3:])
    assert tracker.at_boundary


def test_a_message_of_a_gigabyte_is_counted_and_not_kept() -> None:
    tracker = BoundaryTracker()
    tracker.feed(b"\x82\x7f" + (1 << 30).to_bytes(8))
    piece = bytes(1 << 20)
    for _ in range(1 << 10):
        assert not tracker.at_boundary
        tracker.feed(piece)
    assert tracker.at_boundary


def test_a_length_that_nobody_could_send_never_ends() -> None:
    tracker = BoundaryTracker()
    tracker.feed(b"\x82\x7f" + b"\xff" * 8 + frame(BINARY))
    assert not tracker.at_boundary
