from tests.support.pair import Pair
from tests.wire.yamux import frames


def test_statistics_show_what_there_is() -> None:
    pair = Pair()
    server = pair.server.session
    stream_id = server.open_stream()
    server.send_data(stream_id, b"abc")
    seen = server.statistics()
    assert (seen.streams, seen.unacked_streams, seen.unaccepted_streams) == (1, 1, 0)
    assert (seen.queued_bytes, seen.control_frames, seen.granted_bytes) == (3, 1, 262_144)
    assert (seen.ids_left, seen.grown_bytes, seen.rtt_seconds) == ((1 << 30) - 2, 0, None)


def test_statistics_of_both_ends_are_empty_after_the_last_stream() -> None:
    pair = Pair()
    stream_id = pair.server.session.open_stream()
    pair.settle()
    for end in (pair.server, pair.client):
        end.session.end_stream(stream_id)
    pair.settle()
    for end in (pair.server, pair.client):
        seen = end.session.statistics()
        assert (seen.streams, seen.unacked_streams, seen.unaccepted_streams, seen.granted_bytes) == (
            0,
            0,
            0,
            0,
        )
        assert seen.remembered_streams == 1


def test_ping_answers_that_wait_are_control_frames() -> None:
    server = Pair().server.session
    server.receive_data(frames.ping(3), 0.0)
    assert server.statistics().control_frames == 1
