"""What a peer can do, and what it costs it. Real bytes in; events, answers and errors out."""

from collections.abc import Callable

import pytest
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.events import (
    DataReceived,
    GoAwayReceived,
    PingAcked,
    StreamEnded,
    StreamOpened,
    StreamReset,
    Writable,
)
from visiona.wire.yamux.frame import ACK, DATA, FIN, RST, SYN, WINDOW_UPDATE, header
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits, Role
from visiona.wire.yamux.session import Session

from tests.wire.yamux import frames
from tests.wire.yamux.judging import kind_of

WINDOW = INITIAL_WINDOW_BYTES
GO_AWAY_1 = frames.go_away(1)


def relay(**limits: int) -> Session:
    return Session(Role.SERVER, Limits(**limits))


def agent(**limits: int) -> Session:
    return Session(Role.CLIENT, Limits(**limits, remote_may_open=True))


def opened(session: Session) -> int:
    """A stream of ours whose SYN is on its way."""
    stream_id = session.open_stream()
    sent(session)
    return stream_id


def sent(session: Session) -> bytes:
    return b"".join(session.data_to_send())


def closes(session: Session, data: bytes, kind: str, now: float = 0.0) -> None:
    """The bytes end the session, and a go-away is all that is left to send."""
    with pytest.raises(RemoteProtocolError) as refused:
        session.receive_data(data, now)
    assert refused.value.kind == kind
    assert sent(session) == GO_AWAY_1
    assert session.statistics().streams == 0


# T-20 … T-23: framing


@pytest.mark.parametrize(
    "bad",
    [bytes([1]) + bytes(11), header(4, 0, 0, 0), header(WINDOW_UPDATE, 16, 2, 0), b"GET / HTTP/1.1\r\n"],
    ids=["version", "type", "flags", "http"],
)
def test_t20_a_bad_header_closes(bad: bytes) -> None:
    closes(relay(), bad, "header")


def test_t21_a_length_of_four_gigabytes_closes_before_any_of_it_is_read() -> None:
    session = relay()
    closes(session, header(DATA, 0, opened(session), 0xFFFFFFFF), "window")


def test_ghsa_hmj8_a_length_is_checked_before_the_body_is_there() -> None:
    session = relay()
    closes(session, header(DATA, 0, opened(session), WINDOW + 1), "window")


def test_t22_data_that_fills_the_window_is_fine() -> None:
    session = relay()
    stream_id = opened(session)
    body = bytes(WINDOW)
    assert session.receive_data(frames.data(stream_id, body), 0.0) == [DataReceived(stream_id, body)]


def test_t22_data_beyond_the_window_by_one_closes() -> None:
    session = relay()
    stream_id = opened(session)
    session.receive_data(frames.data(stream_id, bytes(WINDOW)), 0.0)
    closes(session, frames.data(stream_id, b"x"), "window")


@pytest.mark.parametrize(
    ("session", "stream_id"), [(relay(), 1), (agent(), 2)], ids=["refusing", "accepting"]
)
def test_t23_a_syn_with_more_data_than_a_window_closes(session: Session, stream_id: int) -> None:
    closes(session, header(DATA, SYN, stream_id, WINDOW + 1), "window")


def test_cve_2026_32314_a_syn_with_a_window_of_data_is_taken_and_one_byte_more_closes() -> None:
    session = agent()
    body = bytes(WINDOW)
    assert session.receive_data(frames.data(2, body, SYN), 0.0) == [StreamOpened(2), DataReceived(2, body)]
    closes(session, frames.data(2, b"x"), "window")


def test_t24_a_body_that_does_not_come_is_overdue_after_its_time() -> None:
    session = relay()
    stream_id = opened(session)
    session.receive_data(frames.data(stream_id, bytes(1000))[:500], 100.0)
    assert not session.frame_body_overdue(160.0)
    assert session.frame_body_overdue(160.1)
    session.receive_data(bytes(512), 161.0)
    assert not session.frame_body_overdue(1000.0)


# T-25: credit


def test_t25_credit_past_the_cap_closes() -> None:
    session = relay()
    stream_id = opened(session)
    session.receive_data(frames.credit(stream_id, (1 << 30) - WINDOW), 0.0)
    closes(session, frames.credit(stream_id, 1), "credit")


@pytest.mark.parametrize("grants", [[0xFFFFFFFF], [0x7FFFFFFF, 0x7FFFFFFF], [1 << 29] * 3])
def test_t25_credit_past_32_bits_closes(grants: list[int]) -> None:
    session = relay()
    stream_id = opened(session)
    closes(session, b"".join(frames.credit(stream_id, grant) for grant in grants), "credit")


def test_credit_makes_room_once_there_was_none() -> None:
    session = relay()
    stream_id = opened(session)
    assert session.receive_data(frames.credit(stream_id, 5), 0.0) == []
    session.send_data(stream_id, bytes(WINDOW))
    sent(session)
    session.send_data(stream_id, bytes(5))
    sent(session)
    assert session.room(stream_id) == 0
    assert session.receive_data(frames.credit(stream_id, 7), 0.0) == [Writable(stream_id)]
    assert session.room(stream_id) == 7


def test_credit_without_room_in_the_queue_wakes_nobody() -> None:
    session = relay()
    stream_id = opened(session)
    session.send_data(stream_id, bytes(WINDOW))
    assert session.room(stream_id) == 0
    assert session.receive_data(frames.credit(stream_id, 100), 0.0) == []
    sent(session)
    assert session.events() == [Writable(stream_id)]


# T-26: ids


def test_t26_a_second_syn_for_a_live_id_closes() -> None:
    session = agent()
    session.receive_data(frames.syn(2), 0.0)
    closes(session, frames.syn(2), "duplicate")


def test_t26_a_syn_for_a_stream_of_ours_closes() -> None:
    session = relay()
    closes(session, frames.syn(opened(session)), "duplicate")


@pytest.mark.parametrize("stream_id", [0, 2, 4, 0xFFFFFFFE])
def test_t26_a_syn_with_an_id_that_is_not_the_peers_closes(stream_id: int) -> None:
    closes(relay(), frames.syn(stream_id), "parity")


@pytest.mark.parametrize("stream_id", [0, 1, 3])
def test_t26_the_same_on_the_accepting_side(stream_id: int) -> None:
    closes(agent(), frames.syn(stream_id), "parity")


@pytest.mark.parametrize("flags", [ACK, FIN, RST, ACK | FIN])
@pytest.mark.parametrize("stream_id", [0, 2, 7, 0xFFFFFFFF])
def test_t26_flags_for_an_unknown_stream_are_ignored(flags: int, stream_id: int) -> None:
    session = relay()
    assert session.receive_data(header(WINDOW_UPDATE, flags, stream_id, 0), 0.0) == []
    assert not session.wants_to_send


def test_t26_unknown_data_is_discarded_up_to_one_window_and_closes_beyond() -> None:
    session = relay()
    assert session.receive_data(frames.data(8, bytes(WINDOW)), 0.0) == []
    closes(session, header(DATA, 0, 8, 1), "unknown")


def test_t26_unknown_data_in_pieces_is_discarded_too() -> None:
    session = relay()
    stream = frames.data(8, bytes(1000)) + frames.ping(5)
    assert [session.receive_data(stream[at : at + 100], 0.0) for at in range(0, len(stream), 100)] == [
        []
    ] * 11
    assert sent(session) == frames.ping(5, ACK)


def test_t26_one_thousand_unknown_frames_a_minute_are_borne_and_the_next_closes() -> None:
    session = relay()
    for number in range(1000):
        session.receive_data(frames.credit(2 + 2 * number, 1), number * 0.05)
    closes(session, frames.credit(2, 1), "unknown", now=59.0)


def test_the_rest_of_a_stray_body_is_not_taken_for_data_of_the_stream_that_we_open_meanwhile() -> None:
    session = relay()
    stray = frames.data(2, b"abcdef", FIN)
    session.receive_data(stray[:14], 0.0)
    assert opened(session) == 2
    assert session.receive_data(stray[14:] + frames.data(2, b"true"), 0.0) == [DataReceived(2, b"true")]
    session.consume(2, 4, 0.0)


def test_frames_that_crossed_our_reset_are_discarded_and_not_held_against_the_peer() -> None:
    session = relay(unknown_frames_per_minute=0)
    stream_id = opened(session)
    session.receive_data(frames.ack(stream_id) + frames.data(stream_id, b"x"), 0.0)
    session.reset_stream(stream_id)
    late = b"".join(frames.data(stream_id, bytes(1000)) for _ in range((WINDOW - 1) // 1000))
    assert session.receive_data(late + frames.credit(stream_id, 9) + frames.fin(stream_id), 0.0) == []
    closes(session, frames.credit(stream_id, 9), "unknown")


def test_a_reset_in_the_middle_of_a_body_discards_the_rest() -> None:
    session = relay(unknown_frames_per_minute=0)
    stream_id = opened(session)
    stream = frames.data(stream_id, b"abcdef", FIN) + frames.ping(1)
    assert session.receive_data(stream[:15], 0.0) == [DataReceived(stream_id, b"abc")]
    session.reset_stream(stream_id)
    assert session.receive_data(stream[15:], 0.0) == []
    assert sent(session) == frames.ping(1, ACK) + frames.rst(stream_id)


# T-27: streams of the peer


def test_t27_each_stream_that_an_agent_opens_is_refused() -> None:
    session = relay()
    assert session.receive_data(frames.syn(1) + frames.data(3, b"hello", SYN), 0.0) == []
    assert sent(session) == frames.rst(1) + frames.rst(3)
    assert session.statistics().streams == 0


def test_t27_what_was_sent_on_a_refused_stream_is_discarded() -> None:
    session = relay(unknown_frames_per_minute=0)
    assert session.receive_data(frames.syn(1) + frames.data(1, bytes(WINDOW)) + frames.fin(1), 0.0) == []


def test_t27_sixty_four_a_minute_are_refused_and_the_next_closes() -> None:
    session = relay()
    for number in range(64):
        assert session.receive_data(frames.syn(2 * number + 1), 59.0 * number / 64) == []
        assert sent(session) == frames.rst(2 * number + 1)
    closes(session, frames.syn(1001), "remote_opens", now=59.9)


def test_t27_a_peer_that_may_open_is_refused_beyond_the_backlog() -> None:
    session = agent(accept_backlog=2)
    assert session.receive_data(b"".join(map(frames.syn, (2, 4, 6))), 0.0) == [
        StreamOpened(2),
        StreamOpened(4),
    ]
    assert sent(session) == frames.rst(6)
    session.accept_stream(2)
    assert session.receive_data(frames.syn(8), 0.0) == [StreamOpened(8)]


def test_a_peer_that_may_open_is_refused_beyond_the_number_of_streams() -> None:
    session = agent(max_streams=1)
    assert session.receive_data(frames.syn(2) + frames.syn(4), 0.0) == [StreamOpened(2)]
    assert sent(session) == frames.rst(4)


def test_opens_whose_answers_are_not_read_are_bounded() -> None:
    session = agent(control_frames=10, max_streams=0)
    for number in range(10):
        session.receive_data(frames.syn(2 + 2 * number), 0.0)
    closes(session, frames.syn(100), "flood")


def test_a_finished_id_may_be_opened_anew() -> None:
    session = agent()
    for _ in range(3):
        assert session.receive_data(frames.syn(2) + frames.rst(2), 0.0) == [StreamOpened(2), StreamReset(2)]


# T-28, T-29: floods


def test_t28_a_ping_is_answered_with_its_value() -> None:
    session = relay()
    session.receive_data(frames.ping(0xDEADBEEF), 0.0)
    assert sent(session) == frames.ping(0xDEADBEEF, ACK)


def test_t28_thirty_two_answers_wait_and_the_next_ping_closes() -> None:
    session = relay()
    for number in range(32):
        session.receive_data(frames.ping(number), 0.0)
    closes(session, frames.ping(99), "flood")


def test_t28_ten_thousand_pings_a_second_close_even_when_their_answers_leave() -> None:
    session = relay()

    def flood() -> None:
        for number in range(10_000):
            session.receive_data(frames.ping(number), number / 10_000)
            sent(session)

    assert kind_of(flood) == "flood"


def test_t28_ping_answers_that_nobody_waits_for_are_ignored_and_limited() -> None:
    session = relay(idle_frames_per_second=5)
    for number in range(5):
        assert session.receive_data(frames.ping(number + 1000, ACK), 0.0) == []
    closes(session, frames.ping(1, ACK), "flood")


def test_t28_a_ping_with_both_flags_is_a_question() -> None:
    session = relay()
    assert session.receive_data(frames.ping(3, SYN | ACK), 0.0) == []
    assert sent(session) == frames.ping(3, ACK)


@pytest.mark.parametrize(
    "build", [lambda at: frames.data(at, b""), lambda at: frames.credit(at, 0), frames.ack]
)
def test_t29_rustsec_2026_0258_frames_that_say_nothing_are_limited(build: Callable[[int], bytes]) -> None:
    session = relay()
    stream_id = opened(session)
    session.receive_data(frames.ack(stream_id), 0.0)
    session.receive_data(build(stream_id) * 256, 0.0)
    session.receive_data(build(stream_id) * 256, 1.0)
    closes(session, build(stream_id), "flood", now=1.9)


def test_t29_frames_that_end_streams_are_no_flood() -> None:
    session = relay(idle_frames_per_second=0)
    for _ in range(300):
        stream_id = opened(session)
        session.end_stream(stream_id)
        session.receive_data(frames.ack(stream_id) + frames.fin(stream_id), 0.0)
        sent(session)
    assert session.statistics().streams == 0


# T-30, T-32, T-33


def test_t30_a_stream_that_is_not_read_takes_no_room_from_the_others() -> None:
    session = relay()
    stuck = [opened(session) for _ in range(100)]
    for stream_id in stuck:
        session.send_data(stream_id, bytes(WINDOW))
        while session.wants_to_send:
            session.data_to_send()
        assert session.room(stream_id) == 0
    assert session.room(opened(session)) == WINDOW
    assert session.statistics().queued_bytes == 0


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_t32_a_go_away_is_reported_with_its_code_and_streams_in_flight_go_on(code: int) -> None:
    session = relay()
    stream_id = opened(session)
    assert session.receive_data(frames.go_away(code), 0.0) == [GoAwayReceived(code)]
    assert session.is_ending
    session.send_data(stream_id, b"still")
    assert sent(session) == frames.data(stream_id, b"still")
    assert session.receive_data(frames.data(stream_id, b"here"), 0.0) == [DataReceived(stream_id, b"here")]


def test_repeated_go_aways_are_limited() -> None:
    session = relay(idle_frames_per_second=2)
    session.receive_data(frames.go_away() * 3, 0.0)
    closes(session, frames.go_away(), "flood")


def test_t33_data_after_fin_resets_the_stream_and_not_the_session() -> None:
    session = relay()
    stream_id = opened(session)
    assert session.receive_data(frames.fin(stream_id) + frames.data(stream_id, b"more"), 0.0) == [
        StreamEnded(stream_id),
        StreamReset(stream_id),
    ]
    assert sent(session) == frames.rst(stream_id)
    assert session.statistics().streams == 0


def test_t33_data_after_fin_in_pieces_is_discarded_whole() -> None:
    session = relay()
    stream_id = opened(session)
    session.receive_data(frames.fin(stream_id), 0.0)
    late = frames.data(stream_id, b"abcdef", FIN)
    assert session.receive_data(late[:14], 0.0) == [StreamReset(stream_id)]
    assert session.receive_data(late[14:], 0.0) == []


def test_t33_data_after_fin_beyond_the_window_closes() -> None:
    session = relay()
    stream_id = opened(session)
    session.receive_data(frames.fin(stream_id), 0.0)
    closes(session, header(DATA, 0, stream_id, WINDOW + 1), "window")


def test_t33_a_second_fin_resets_the_stream() -> None:
    session = relay()
    stream_id = opened(session)
    assert session.receive_data(frames.fin(stream_id) * 2, 0.0) == [
        StreamEnded(stream_id),
        StreamReset(stream_id),
    ]
    assert sent(session) == frames.rst(stream_id)


def test_t33_a_reset_in_mid_body_is_reported_and_frees_everything() -> None:
    session = relay()
    stream_id = opened(session)
    session.send_data(stream_id, b"never sent")
    assert session.receive_data(frames.data(stream_id, b"half") + frames.rst(stream_id), 0.0) == [
        DataReceived(stream_id, b"half"),
        StreamReset(stream_id),
    ]
    assert not session.wants_to_send
    assert session.statistics().queued_bytes == session.statistics().streams == 0


def test_t33_a_reset_after_both_fins_is_ignored() -> None:
    session = relay(unknown_frames_per_minute=0)
    stream_id = opened(session)
    session.end_stream(stream_id)
    assert session.receive_data(frames.fin(stream_id) + frames.rst(stream_id), 0.0) == [
        StreamEnded(stream_id)
    ]
    assert session.statistics().streams == 0


def test_py_libp2p_1269_fin_on_a_data_frame_comes_after_its_body() -> None:
    session = relay()
    stream_id = opened(session)
    stream = frames.data(stream_id, b"tail", FIN)
    assert session.receive_data(stream[:13], 0.0) == [DataReceived(stream_id, b"t")]
    assert session.receive_data(stream[13:], 0.0) == [DataReceived(stream_id, b"ail"), StreamEnded(stream_id)]


def test_py_libp2p_1269_reset_and_fin_together_are_a_reset() -> None:
    session = relay()
    stream_id = opened(session)
    both = header(WINDOW_UPDATE, FIN | RST, stream_id, 0)
    assert session.receive_data(both, 0.0) == [StreamReset(stream_id)]


def test_a_stream_can_open_speak_and_end_in_one_frame() -> None:
    session = agent()
    assert session.receive_data(frames.data(2, b"all", SYN | FIN), 0.0) == [
        StreamOpened(2),
        DataReceived(2, b"all"),
        StreamEnded(2),
    ]


def test_an_announcement_of_a_body_without_any_of_it_is_no_event() -> None:
    session = relay()
    stream_id = opened(session)
    assert session.receive_data(header(DATA, 0, stream_id, 5), 0.0) == []
    assert session.receive_data(b"abcde", 0.0) == [DataReceived(stream_id, b"abcde")]


def test_any_frame_about_a_stream_acknowledges_it() -> None:
    session = relay()
    stream_id = opened(session)
    assert session.statistics().unacked_streams == 1
    session.receive_data(frames.data(stream_id, b"x"), 0.0)
    assert session.statistics().unacked_streams == 0


def test_an_answered_ping_tells_the_round_trip() -> None:
    session = relay()
    opaque = session.ping(10.0)
    assert sent(session) == frames.ping(opaque)
    assert session.receive_data(frames.ping(opaque, ACK), 10.5) == [PingAcked(opaque, 0.5)]
    assert session.rtt_seconds == 0.5


def test_an_acknowledgement_on_a_cut_data_frame_ends_nothing() -> None:
    session = relay()
    stream_id = opened(session)
    stream = frames.data(stream_id, b"ab", ACK)
    assert session.receive_data(stream[:13], 0.0) == [DataReceived(stream_id, b"a")]
    assert session.receive_data(stream[13:], 0.0) == [DataReceived(stream_id, b"b")]
    assert session.statistics().unacked_streams == 0
