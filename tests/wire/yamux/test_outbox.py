import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.yamux.frame import DATA, FIN, FrameParser
from visiona.wire.yamux.limits import Limits
from visiona.wire.yamux.outbox import MERGE_BYTES, Outbox
from visiona.wire.yamux.stream import Stream
from visiona.wire.yamux.window import Budget, Terms, Window

from tests.wire.yamux import frames

LIMITS = Limits()


def stream(stream_id: int, credit: int = 1 << 30) -> Stream:
    made = Stream(stream_id, Window(Terms(LIMITS, Budget())), True)
    made.window.send_credit = credit
    return made


def sent(outbox: Outbox, max_bytes: int = 262_144) -> list[tuple[int, int, int]]:
    """Type, stream and length of what is taken."""
    data = b"".join(outbox.take(max_bytes))
    assert len(data) <= max_bytes
    return [(frame[0], frame[2], frame[3]) for frame in FrameParser().receive(data, 0.0)]


def test_nothing_queued_is_nothing_to_send() -> None:
    outbox = Outbox(LIMITS)
    assert not outbox.wants_to_send
    assert outbox.take(1000) == []


def test_the_order_is_ping_replies_then_control_then_data() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_data(one, b"data")
    outbox.queue_credit(2, 5)
    outbox.queue_control(frames.syn(2))
    outbox.queue_ping_reply(frames.ping(9))
    assert outbox.wants_to_send
    assert [kind for kind, _, _ in sent(outbox)] == [2, 1, 1, 0]
    assert not outbox.wants_to_send


def test_credit_of_one_stream_is_one_frame() -> None:
    outbox = Outbox(LIMITS)
    outbox.queue_credit(2, 5)
    outbox.queue_credit(4, 1)
    outbox.queue_credit(2, 7)
    assert sent(outbox) == [(1, 2, 12), (1, 4, 1)]


@pytest.mark.parametrize(("max_bytes", "count"), [(0, 0), (11, 0), (12, 1), (35, 2), (36, 3)])
def test_control_frames_are_never_cut(max_bytes: int, count: int) -> None:
    outbox = Outbox(LIMITS)
    for stream_id in (2, 4, 6):
        outbox.queue_control(frames.syn(stream_id))
    assert len(sent(outbox, max_bytes)) == count
    assert outbox.control_frames == 3 - count


def test_data_does_not_overtake_a_control_lane_that_is_cut() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_control(frames.syn(4))
    outbox.queue_control(frames.syn(2))
    outbox.queue_data(one, b"x")
    assert sent(outbox, 23) == [(1, 4, 0)]
    assert sent(outbox) == [(1, 2, 0), (0, 2, 1)]


def test_small_writes_leave_in_one_frame() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    for piece in (b"a" * MERGE_BYTES, b"b", b"c" * 5):
        outbox.queue_data(one, piece)
    assert one.pieces == [b"a" * MERGE_BYTES, b"bccccc"]
    assert b"".join(outbox.take(100_000)) == frames.data(2, b"a" * MERGE_BYTES + b"bccccc")


def test_memory_of_tiny_writes_is_bounded_by_their_bytes() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    for _ in range(20_000):
        outbox.queue_data(one, b"x")
    assert len(one.pieces) <= 20_000 // MERGE_BYTES + 1


def test_a_long_write_leaves_in_frames_of_the_declared_size() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_data(one, b"x" * (130 << 10))
    assert sent(outbox) == [(0, 2, 64 << 10), (0, 2, 64 << 10), (0, 2, 2 << 10)]


@pytest.mark.parametrize(("count", "size"), [(8, 64 << 10), (9, 16 << 10)])
def test_frames_are_shorter_in_a_crowd(count: int, size: int) -> None:
    outbox = Outbox(LIMITS)
    for number in range(count):
        outbox.queue_data(stream(2 * number), b"x" * (100 << 10))
    assert sent(outbox, 64 << 20)[0] == (0, 0, size)


def test_a_write_larger_than_any_room_is_refused_whole() -> None:
    outbox, one = Outbox(LIMITS), stream(2, credit=10)
    assert not outbox.queue_data(one, b"x" * 11)
    assert one.queued_bytes == outbox.queued_bytes == 0
    assert outbox.queue_data(one, b"x" * 10)
    assert one.window.send_credit == 0


@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)])
def test_the_queue_of_a_stream_takes_its_limit_and_not_one_more(over: int, fits: bool) -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    assert outbox.room(one) == LIMITS.stream_queue_bytes
    assert outbox.queue_data(one, b"x" * (LIMITS.stream_queue_bytes + over)) is fits


@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)])
def test_t31_the_queue_of_a_session_takes_its_limit_and_not_one_more(over: int, fits: bool) -> None:
    outbox = Outbox(LIMITS)
    for number in range(4):
        assert outbox.queue_data(stream(number), b"x" * ((256 << 10) - (number == 3)))
    assert outbox.queue_data(stream(9), b"x" * (1 + over)) is fits
    assert outbox.congested is fits


def test_cve_2024_32984_what_waits_for_a_peer_that_does_not_read_is_bounded() -> None:
    outbox = Outbox(LIMITS)
    queued = 0
    for number in range(10_000):
        one = stream(number)
        while room := outbox.room(one):
            queued += room
            assert outbox.queue_data(one, b"x" * room)
    assert queued == outbox.queued_bytes == LIMITS.outbox_high_bytes


def test_congestion_ends_at_the_low_watermark_and_says_so() -> None:
    outbox = Outbox(LIMITS)
    for number in range(4):
        outbox.queue_data(stream(number), b"x" * (256 << 10))
    late = stream(8)
    assert outbox.room(late) == 0
    assert late.starved
    while outbox.queued_bytes > LIMITS.outbox_low_bytes:
        assert outbox.congested
        assert not outbox.eased
        outbox.take(64 << 10)
    assert outbox.eased
    assert outbox.room(late) == LIMITS.stream_queue_bytes


def test_fin_follows_the_last_byte_in_a_frame_of_its_own() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_data(one, b"x" * 70_000)
    outbox.queue_fin(one)
    data = b"".join(outbox.take(262_144))
    found = [(frame[0], frame[1], frame[3]) for frame in FrameParser().receive(data, 0.0)]
    assert found == [(DATA, 0, 65_536), (DATA, 0, 4464), (1, FIN, 0)]
    assert outbox.relieved == [one]


def test_fin_of_an_empty_queue_takes_the_control_lane() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_fin(one)
    assert b"".join(outbox.take(100)) == frames.fin(2)


def test_fin_that_does_not_fit_any_more_comes_next() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_data(one, b"abc")
    outbox.queue_fin(one)
    assert b"".join(outbox.take(16)) == frames.data(2, b"abc")
    assert b"".join(outbox.take(16)) == frames.fin(2)


def test_a_stream_hears_of_room_when_half_its_queue_is_gone() -> None:
    outbox, one = Outbox(LIMITS), stream(2)
    outbox.queue_data(one, b"x" * LIMITS.stream_queue_bytes)
    assert outbox.room(one) == 0
    outbox.take(12 + (64 << 10))
    assert outbox.relieved == []
    outbox.take(12 + (64 << 10))
    assert outbox.relieved == [one]


def test_drop_forgets_data_and_credit_and_leaves_neighbours_alone() -> None:
    outbox, one, two = Outbox(LIMITS), stream(2), stream(4)
    for each in (one, two):
        outbox.queue_data(each, b"x")
        outbox.queue_credit(each.stream_id, 1)
    outbox.drop(one)
    assert outbox.queued_bytes == 1
    assert sent(outbox) == [(1, 4, 1), (0, 4, 1)]
    outbox.drop(one)
    assert not outbox.wants_to_send


def test_drop_can_end_a_congestion() -> None:
    outbox = Outbox(LIMITS)
    full = [stream(number) for number in range(4)]
    for each in full:
        outbox.queue_data(each, b"x" * (256 << 10))
    for each in full:
        outbox.drop(each)
    assert outbox.eased
    assert not outbox.congested


def test_clear_leaves_nothing() -> None:
    outbox = Outbox(LIMITS)
    outbox.queue_data(stream(2), b"x")
    outbox.queue_credit(2, 1)
    outbox.queue_control(frames.syn(2))
    outbox.queue_ping_reply(frames.ping(1))
    outbox.clear()
    assert not outbox.wants_to_send
    assert outbox.queued_bytes == 0


@given(st.lists(st.integers(1, 9_000), min_size=2, max_size=20), st.integers(150, 50_000))
def test_no_stream_starves(sizes: list[int], max_bytes: int) -> None:
    """Between two turns of one stream every other that waits has one."""
    outbox = Outbox(Limits(frame_bytes=1000, crowded_frame_bytes=100, stream_queue_bytes=40_000))
    waiting = dict(enumerate(sizes))
    for number, size in waiting.items():
        assert outbox.queue_data(stream(number), bytes([number]) * size)
    order: list[int] = []
    while outbox.wants_to_send:
        for _, number, size in sent(outbox, max_bytes):
            if number in order:
                last = len(order) - order[::-1].index(number)
                assert set(waiting) - {number} <= set(order[last:])
            order.append(number)
            waiting[number] -= size
            if not waiting[number]:
                del waiting[number]
    assert not waiting


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=3000)), max_size=30), st.integers(100, 5000))
def test_every_stream_keeps_its_bytes_in_order(writes: list[tuple[int, bytes]], max_bytes: int) -> None:
    outbox = Outbox(Limits(frame_bytes=700, crowd_streams=2, crowded_frame_bytes=300))
    streams = [stream(number) for number in range(4)]
    expected, found = [b""] * 4, [b""] * 4
    for number, data in writes:
        if data and outbox.queue_data(streams[number], data):
            expected[number] += data
        for _, _, at, _, piece, _ in FrameParser().receive(b"".join(outbox.take(max_bytes)), 0.0):
            found[at] += piece
    while outbox.wants_to_send:
        for _, _, at, _, piece, _ in FrameParser().receive(b"".join(outbox.take(max_bytes)), 0.0):
            found[at] += piece
    assert found == expected
