import pytest
from visiona.wire.yamux.frame import ACK, FIN, RST
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits
from visiona.wire.yamux.strays import LATE_FRAME_BYTES, LATE_FRAMES_BYTES, Strays

from tests.wire.yamux.judging import kind_of

FEW = Limits(unknown_frames_per_minute=3)


def test_late_data_within_the_credit_of_a_reset_stream_is_not_held_against_the_peer() -> None:
    strays = Strays(Limits(unknown_frames_per_minute=0))
    strays.remember(2, 1000)
    for _ in range(1000):
        strays.judge(2, 0, 1, 0.0)


def test_a_few_late_frames_without_a_body_are_expected() -> None:
    strays = Strays(Limits(unknown_frames_per_minute=0))
    strays.remember(2, 0)
    for _ in range(LATE_FRAMES_BYTES // LATE_FRAME_BYTES):
        strays.judge(2, ACK, 0, 0.0)
    assert kind_of(lambda: strays.judge(2, ACK, 0, 0.0)) == "unknown"


@pytest.mark.parametrize("last_word", [FIN, RST])
def test_fin_and_rst_are_the_last_word(last_word: int) -> None:
    strays = Strays(Limits(unknown_frames_per_minute=0))
    strays.remember(2, 1000)
    strays.judge(2, last_word, 0, 0.0)
    assert len(strays) == 0
    assert kind_of(lambda: strays.judge(2, 0, 1, 0.0)) == "unknown"


@pytest.mark.parametrize("flags", [ACK, FIN, RST])
def test_t26_flags_for_unknown_ids_are_ignored_up_to_the_rate(flags: int) -> None:
    strays = Strays(FEW)
    for stream_id in (2, 4, 6):
        strays.judge(stream_id, flags, 0, 0.0)
    assert kind_of(lambda: strays.judge(8, flags, 0, 59.9)) == "unknown"


def test_t26_the_rate_is_counted_anew_after_a_minute() -> None:
    strays = Strays(FEW)
    for at in (0.0, 0.0, 0.0, 60.0, 60.0, 60.0):
        strays.judge(2, ACK, 0, at)


@pytest.mark.parametrize(
    ("size", "kind"), [(INITIAL_WINDOW_BYTES, None), (INITIAL_WINDOW_BYTES + 1, "unknown")]
)
def test_t26_unknown_data_is_discarded_up_to_one_window(size: int, kind: str | None) -> None:
    strays = Strays(Limits())
    assert kind_of(lambda: strays.judge(2, 0, size, 0.0)) == kind


def test_t26_the_window_of_unknown_data_is_one_for_all_streams() -> None:
    strays = Strays(Limits())
    strays.judge(2, 0, INITIAL_WINDOW_BYTES, 0.0)
    assert kind_of(lambda: strays.judge(4, 0, 1, 1.0)) == "unknown"


def test_more_than_the_allowance_of_a_remembered_stream_counts_as_unknown() -> None:
    strays = Strays(Limits())
    strays.remember(2, 10)
    strays.judge(2, 0, INITIAL_WINDOW_BYTES, 0.0)
    assert kind_of(lambda: strays.judge(2, 0, INITIAL_WINDOW_BYTES, 0.0)) == "unknown"


def test_memory_of_finished_streams_is_bounded_and_keeps_the_newest() -> None:
    strays = Strays(Limits(remembered_streams=100, unknown_frames_per_minute=0))
    for stream_id in range(10_000):
        strays.remember(stream_id, 0)
        assert len(strays) <= 100
    for stream_id in range(9_950, 10_000):
        strays.judge(stream_id, ACK, 0, 0.0)


def test_a_limit_of_no_memory_still_works() -> None:
    strays = Strays(Limits(remembered_streams=0))
    strays.remember(2, 0)
    strays.remember(4, 0)
    assert len(strays) == 1


def test_the_older_half_can_be_used_up_and_forgotten_too() -> None:
    strays = Strays(Limits(remembered_streams=4, unknown_frames_per_minute=0))
    for stream_id in (2, 4, 6):
        strays.remember(stream_id, 0)
    strays.judge(2, ACK, 0, 0.0)
    strays.forget(2)
    assert kind_of(lambda: strays.judge(2, ACK, 0, 0.0)) == "unknown"


def test_the_second_answered_ping_ends_the_memory() -> None:
    strays = Strays(Limits(unknown_frames_per_minute=0))
    strays.remember(2, 0)
    strays.age()
    strays.judge(2, ACK, 0, 0.0)
    strays.age()
    assert len(strays) == 0
    strays.age()
    assert kind_of(lambda: strays.judge(2, ACK, 0, 0.0)) == "unknown"
