"""What the owner of a session can ask of it; each conversation is played from both ends."""

from collections.abc import Callable

import pytest
from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux.errors import SessionEnding, StreamLimit
from visiona.wire.yamux.events import StreamOpened, Writable
from visiona.wire.yamux.frame import FIN, FrameParser
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, MAX_STREAM_ID, Limits, Role
from visiona.wire.yamux.session import Session
from visiona.wire.yamux.window import Budget

from tests.support.pair import End, Pair, in_pieces_of
from tests.wire.yamux import frames
from tests.wire.yamux.judging import kind_of

WINDOW = INITIAL_WINDOW_BYTES
OPEN_HOUSE = Limits(remote_may_open=True)


@pytest.fixture(params=["the server opens", "the client opens"])
def pair(request: pytest.FixtureRequest) -> Pair:
    made = Pair(server_limits=OPEN_HOUSE, client_limits=OPEN_HOUSE)
    if request.param == "the client opens":
        made.server, made.client = made.client, made.server
    return made


@pytest.fixture
def opener(pair: Pair) -> End:
    return pair.server


@pytest.fixture
def accepter(pair: Pair) -> End:
    return pair.client


def sent(session: Session) -> bytes:
    return b"".join(session.data_to_send())


def nothing_left(pair: Pair) -> bool:
    return all(
        (seen.streams, seen.unacked_streams, seen.unaccepted_streams, seen.queued_bytes, seen.granted_bytes)
        == (0, 0, 0, 0, 0)
        for seen in (pair.server.session.statistics(), pair.client.session.statistics())
    )


def test_a_request_and_its_answer(pair: Pair, opener: End, accepter: End) -> None:
    stream_id = opener.session.open_stream()
    opener.session.send_data(stream_id, b"question")
    opener.session.end_stream(stream_id)
    pair.settle()
    assert accepter.data[stream_id] == b"question"
    assert accepter.ended(stream_id)
    accepter.session.send_data(stream_id, b"answer")
    accepter.session.end_stream(stream_id)
    pair.settle()
    assert opener.data[stream_id] == b"answer"
    assert opener.ended(stream_id)
    assert nothing_left(pair)


def test_a_request_is_syn_data_and_fin_in_frames_of_their_own() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    session.send_data(stream_id, b"question")
    session.end_stream(stream_id)
    assert sent(session) == frames.syn(2) + frames.data(2, b"question") + frames.fin(2)
    assert not session.wants_to_send


def test_fin_never_rides_on_a_data_frame(pair: Pair, opener: End, accepter: End) -> None:
    stream_id = opener.session.open_stream()
    opener.session.send_data(stream_id, bytes(200_000))
    opener.session.end_stream(stream_id)
    found = list(FrameParser().receive(sent(opener.session), 0.0))
    assert [frame[0] for frame in found if frame[1] & FIN] == [1]


def test_accepting_acknowledges_at_once_and_once() -> None:
    session = Session(Role.CLIENT, OPEN_HOUSE)
    session.receive_data(frames.syn(2), 0.0)
    assert not session.wants_to_send
    session.accept_stream(2)
    session.accept_stream(2)
    assert sent(session) == frames.ack(2)


@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.send_data(2, b""),
        lambda session: session.end_stream(2),
        lambda session: session.consume(2, 0, 0.0),
    ],
    ids=["send", "end", "consume"],
)
def test_using_a_stream_accepts_it(act: Callable[[Session], None]) -> None:
    session = Session(Role.CLIENT, OPEN_HOUSE)
    session.receive_data(frames.syn(2), 0.0)
    act(session)
    assert sent(session).startswith(frames.ack(2))
    assert session.statistics().unaccepted_streams == 0


def test_a_larger_initial_window_is_announced_with_syn_and_with_ack() -> None:
    larger = Limits(initial_window_bytes=WINDOW + 1000, remote_may_open=True)
    server, client = Session(Role.SERVER, larger), Session(Role.CLIENT, larger)
    stream_id = server.open_stream()
    opening = sent(server)
    assert opening == frames.syn(stream_id, 1000)
    client.receive_data(opening, 0.0)
    client.accept_stream(stream_id)
    client.send_data(stream_id, bytes(WINDOW))
    server.receive_data(sent(client), 0.0)
    assert client.room(stream_id) == 1000
    assert server.room(stream_id) == WINDOW


def test_an_empty_write_sends_nothing() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    sent(session)
    session.send_data(stream_id, b"")
    assert not session.wants_to_send


def test_t30_a_peer_that_does_not_read_stops_only_its_stream(pair: Pair, opener: End, accepter: End) -> None:
    accepter.reads = False
    slow, quick = opener.session.open_stream(), opener.session.open_stream()
    opener.session.send_data(slow, bytes(WINDOW))
    pair.settle()
    assert opener.session.room(slow) == 0
    opener.session.send_data(quick, bytes(1000))
    pair.settle()
    assert len(accepter.data[quick]) == 1000
    accepter.session.consume(slow, WINDOW, 0.0)
    pair.settle()
    assert opener.saw(Writable) == [Writable(slow)]
    assert opener.session.room(slow) == WINDOW


def test_a_megabyte_each_way_in_pieces_of_any_size_arrives_whole(
    pair: Pair, opener: End, accepter: End
) -> None:
    pair.cut = in_pieces_of(1009)
    stream_id = opener.session.open_stream()
    pair.settle()
    there, back = bytes(range(256)) * 4096, bytes(range(255, -1, -1)) * 4096
    pair.write(opener, stream_id, there)
    pair.write(accepter, stream_id, back)
    opener.session.end_stream(stream_id)
    accepter.session.end_stream(stream_id)
    pair.settle()
    assert accepter.data[stream_id] == there
    assert opener.data[stream_id] == back
    assert nothing_left(pair)


def test_half_close_each_way(pair: Pair, opener: End, accepter: End) -> None:
    one, two = opener.session.open_stream(), opener.session.open_stream()
    opener.session.end_stream(one)
    pair.settle()
    accepter.session.end_stream(two)
    pair.settle()
    accepter.session.send_data(one, b"to you")
    opener.session.send_data(two, b"to you")
    pair.settle()
    assert opener.data[one] == accepter.data[two] == b"to you"
    accepter.session.end_stream(one)
    opener.session.end_stream(two)
    pair.settle()
    assert nothing_left(pair)


def test_t33_fins_that_cross_end_the_stream_on_both_sides(pair: Pair, opener: End, accepter: End) -> None:
    stream_id = opener.session.open_stream()
    pair.settle()
    opener.session.end_stream(stream_id)
    accepter.session.end_stream(stream_id)
    pair.settle()
    assert opener.ended(stream_id)
    assert accepter.ended(stream_id)
    assert nothing_left(pair)


def test_t33_resets_that_cross_end_it_too(pair: Pair, opener: End, accepter: End) -> None:
    stream_id = opener.session.open_stream()
    pair.settle()
    opener.session.reset_stream(stream_id)
    accepter.session.reset_stream(stream_id)
    pair.settle()
    assert nothing_left(pair)


def test_a_reset_drops_what_is_queued_and_the_other_end_hears_of_it(
    pair: Pair, opener: End, accepter: End
) -> None:
    stream_id = opener.session.open_stream()
    opener.session.send_data(stream_id, b"never")
    opener.session.reset_stream(stream_id)
    pair.settle()
    assert accepter.was_reset(stream_id)
    assert stream_id not in accepter.data
    assert nothing_left(pair)


def test_a_reset_can_end_a_congestion() -> None:
    session = Session(Role.SERVER)
    full = [session.open_stream() for _ in range(4)]
    for stream_id in full:
        session.send_data(stream_id, bytes(256 << 10))
    late = session.open_stream()
    assert session.room(late) == 0
    for stream_id in full:
        session.reset_stream(stream_id)
    assert session.events() == [Writable(late)]
    assert session.events() == []


def test_events_of_sending_come_with_the_next_receive_when_nobody_asks() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    session.send_data(stream_id, bytes(1 << 18))
    assert session.room(stream_id) == 0
    session.receive_data(frames.credit(stream_id, 10), 0.0)
    while session.wants_to_send:
        session.data_to_send()
    assert session.receive_data(b"", 0.0) == [Writable(stream_id)]


def test_no_writable_comes_for_a_stream_that_ended(pair: Pair, opener: End, accepter: End) -> None:
    stream_id = opener.session.open_stream()
    opener.session.send_data(stream_id, bytes(WINDOW))
    assert opener.session.room(stream_id) == 0
    opener.session.end_stream(stream_id)
    accepter.session.receive_data(frames.syn(stream_id), 0.0)
    accepter.session.end_stream(stream_id)
    accepter.session.data_to_send()
    opener.session.receive_data(frames.fin(stream_id), 0.0)
    while opener.session.wants_to_send:
        opener.session.data_to_send()
    assert opener.session.events() == []
    assert opener.session.statistics().streams == 0


@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.send_data(2, b"x"),
        lambda session: session.send_data(2, b""),
        lambda session: session.end_stream(2),
    ],
    ids=["data", "no data", "end"],
)
@pytest.mark.parametrize("before", ["never opened", "ended", "reset"])
def test_what_a_stream_cannot_do_any_more_is_a_bug_of_ours(
    act: Callable[[Session], None], before: str
) -> None:
    session = Session(Role.SERVER)
    if before != "never opened":
        session.open_stream()
        (session.end_stream if before == "ended" else session.reset_stream)(2)
    assert session.room(2) == 0
    with pytest.raises(LocalProtocolError):
        act(session)


def test_more_than_the_room_is_a_bug_of_ours() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    session.send_data(stream_id, bytes(session.room(stream_id)))
    with pytest.raises(LocalProtocolError, match="1 bytes do not fit"):
        session.send_data(stream_id, b"x")


def test_resetting_and_consuming_what_is_gone_has_no_effect() -> None:
    session = Session(Role.SERVER)
    session.reset_stream(2)
    session.consume(2, 100, 0.0)
    session.accept_stream(2)
    assert not session.wants_to_send


def test_credit_goes_back_in_one_frame_when_half_a_window_is_consumed() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    sent(session)
    session.receive_data(frames.data(stream_id, bytes(WINDOW)), 0.0)
    for _ in range(4):
        session.consume(stream_id, WINDOW // 4, 0.0)
    assert sent(session) == frames.credit(stream_id, WINDOW)


def test_no_credit_is_sent_for_a_stream_whose_peer_has_ended() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    sent(session)
    session.receive_data(frames.data(stream_id, bytes(WINDOW), FIN), 0.0)
    session.consume(stream_id, WINDOW, 0.0)
    assert not session.wants_to_send


def grow(session: Session, stream_id: int, rounds: int = 40) -> int:
    """Uses the window up again and again, within far less than a round trip; returns the largest single grant."""
    session.receive_data(frames.ping(session.ping(0.0), 2), 1.0)
    credit, most = WINDOW, 0
    for at in range(rounds):
        session.receive_data(frames.data(stream_id, bytes(credit)), 2.0)
        session.consume(stream_id, credit, 2.0 + at * 1e-6)
        grants = [frame[3] for frame in FrameParser().receive(sent(session), 0.0) if frame[:2] == (1, 0)]
        credit = sum(grants)
        most = max(most, credit)
    return most


def test_a_busy_stream_gets_a_larger_window_up_to_the_cap() -> None:
    session = Session(Role.SERVER, Limits(max_window_bytes=1 << 20))
    stream_id = session.open_stream()
    assert grow(session, stream_id) == 1 << 20
    assert session.statistics().grown_bytes == (1 << 20) - WINDOW


def test_growth_is_limited_by_the_tunnel_and_by_the_process_and_given_back() -> None:
    process = Budget(2 * WINDOW)
    one = Session(Role.SERVER, Limits(receive_budget_bytes=WINDOW), budget=process)
    two = Session(Role.SERVER, budget=process)
    first, second = one.open_stream(), two.open_stream()
    assert grow(one, first) == 2 * WINDOW
    assert grow(two, second) == 2 * WINDOW
    assert process.taken_bytes == 2 * WINDOW
    one.reset_stream(first)
    two.receive_data(frames.rst(second), 0.0)
    assert process.taken_bytes == 0


def test_closing_a_session_gives_its_growth_back() -> None:
    process = Budget()
    session = Session(Role.SERVER, budget=process)
    grow(session, session.open_stream(), rounds=3)
    assert process.taken_bytes > 0
    session.close()
    session.close()
    assert process.taken_bytes == 0


def test_an_error_of_the_peer_gives_the_growth_back() -> None:
    process = Budget()
    session = Session(Role.SERVER, budget=process)
    grow(session, session.open_stream(), rounds=3)
    assert kind_of(lambda: session.receive_data(b"\xff" * 12, 3.0)) == "header"
    assert process.taken_bytes == 0


def test_after_an_error_the_session_stays_broken_and_only_the_go_away_is_sent() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    session.send_data(stream_id, b"too late")
    session.receive_data(frames.ping(1), 0.0)
    for _ in range(2):
        assert kind_of(lambda: session.receive_data(b"\xff" * 12, 0.0)) == "header"
    with pytest.raises(SessionEnding):
        session.open_stream()
    session.close()
    session.go_away()
    assert sent(session) == frames.go_away(1)


def test_our_go_away_refuses_new_streams_both_ways_and_lets_old_ones_finish(
    pair: Pair, opener: End, accepter: End
) -> None:
    old = opener.session.open_stream()
    pair.settle()
    accepter.session.go_away()
    crossing = opener.session.open_stream()
    pair.settle()
    assert opener.was_reset(crossing)
    assert StreamOpened(crossing) not in accepter.events
    with pytest.raises(SessionEnding):
        opener.session.open_stream()
    with pytest.raises(SessionEnding):
        accepter.session.open_stream()
    opener.session.send_data(old, b"last")
    opener.session.end_stream(old)
    accepter.session.end_stream(old)
    pair.settle()
    assert accepter.data[old] == b"last"
    assert nothing_left(pair)


def test_a_go_away_is_repeated_only_to_say_something_worse() -> None:
    session = Session(Role.SERVER)
    session.go_away()
    session.go_away()
    session.go_away(2)
    session.go_away(1)
    assert sent(session) == frames.go_away(0) + frames.go_away(2)


def test_go_yamux_129_closing_with_streams_alive_leaves_only_the_go_away() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    session.send_data(stream_id, bytes(1000))
    session.go_away()
    session.close()
    assert sent(session) == frames.go_away()
    assert session.statistics().streams == 0
    session.reset_stream(stream_id)
    session.consume(stream_id, 1, 0.0)
    assert not session.wants_to_send


def test_a_session_closed_without_a_word_sends_nothing() -> None:
    session = Session(Role.SERVER)
    session.open_stream()
    session.close()
    assert not session.wants_to_send
    assert session.is_ending


def test_t34_near_the_last_id_the_session_says_that_it_is_ending() -> None:
    session = Session(Role.SERVER, first_stream_id=MAX_STREAM_ID - 1)
    assert not session.is_ending
    assert session.open_stream() == MAX_STREAM_ID - 1
    assert session.is_ending
    with pytest.raises(SessionEnding):
        session.open_stream()


def test_opening_waits_for_acknowledgements() -> None:
    session = Session(Role.SERVER, Limits(max_unacked_streams=1))
    session.open_stream()
    with pytest.raises(StreamLimit):
        session.open_stream()
    session.receive_data(frames.ack(2), 0.0)
    assert session.open_stream() == 4


def test_opens_and_resets_that_nobody_reads_are_bounded() -> None:
    session = Session(Role.SERVER)
    for _ in range(Limits().control_frames // 2):
        session.reset_stream(session.open_stream())
    with pytest.raises(StreamLimit):
        session.open_stream()
    assert session.statistics().control_frames <= Limits().control_frames + 1


def test_pings_that_nobody_reads_are_bounded() -> None:
    session = Session(Role.SERVER, Limits(control_frames=5))
    for at in range(100):
        session.ping(float(at))
    assert session.statistics().control_frames == 5


def test_a_ping_goes_before_queued_data() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    sent(session)
    session.send_data(stream_id, bytes(100_000))
    session.data_to_send(1000)
    opaque = session.ping(0.0)
    assert session.data_to_send()[0] == frames.ping(opaque)


def test_views_of_memory_are_taken_as_well_as_bytes() -> None:
    session = Session(Role.SERVER)
    session.receive_data(memoryview(bytearray(frames.ping(5))), 0.0)
    assert sent(session) == frames.ping(5, 2)


def test_a_body_that_does_not_come_is_overdue() -> None:
    session = Session(Role.SERVER)
    assert not session.frame_body_overdue(1000.0)
    session.receive_data(frames.data(2, b"abc")[:14], 1000.0)
    assert session.frame_body_overdue(1060.1)


def test_the_round_trip_is_known_after_the_first_answer(pair: Pair, opener: End) -> None:
    assert opener.session.rtt_seconds is None
    opener.session.ping(pair.now)
    pair.now += 0.25
    pair.settle()
    assert opener.session.rtt_seconds == 0.25
    assert opener.session.statistics().rtt_seconds == 0.25


def test_a_starved_stream_hears_of_room_once_though_it_left_in_many_frames() -> None:
    session = Session(Role.SERVER)
    stream_id = session.open_stream()
    session.receive_data(frames.credit(stream_id, 1 << 20), 0.0)
    session.send_data(stream_id, bytes(session.room(stream_id)))
    assert session.room(stream_id) == 0
    session.data_to_send(1 << 20)
    assert session.events() == [Writable(stream_id)]


def test_an_idle_session_remembers_nothing_after_two_answered_pings(pair: Pair, opener: End) -> None:
    for _ in range(20):
        opener.session.reset_stream(opener.session.open_stream())
    pair.settle()
    assert opener.session.statistics().remembered_streams == 20
    for _ in range(2):
        opener.session.ping(pair.now)
        pair.settle()
    assert opener.session.statistics().remembered_streams == 0
