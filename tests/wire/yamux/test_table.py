import pytest
from visiona.wire.yamux.errors import SessionEnding, StreamLimit
from visiona.wire.yamux.limits import MAX_STREAM_ID, Limits, Role
from visiona.wire.yamux.outbox import Outbox
from visiona.wire.yamux.state import Move
from visiona.wire.yamux.table import StreamTable
from visiona.wire.yamux.window import Budget


def table(role: Role = Role.SERVER, first: int | None = None, **limits: int) -> StreamTable:
    made = Limits(**limits)
    return StreamTable(role, made, Outbox(made), Budget(), first)


def test_the_client_opens_odd_ids_and_the_server_even_ones() -> None:
    client, server = table(Role.CLIENT), table(Role.SERVER)
    assert [client.open_local().stream_id for _ in range(3)] == [1, 3, 5]
    assert [server.open_local().stream_id for _ in range(3)] == [2, 4, 6]
    assert client.is_ours(7)
    assert not server.is_ours(7)


def test_a_first_id_of_the_other_role_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        table(Role.CLIENT, first=2)


def test_streams_are_opened_up_to_the_limit_and_not_one_more() -> None:
    full = table(max_streams=2)
    first = full.open_local()
    full.open_local()
    with pytest.raises(StreamLimit):
        full.open_local()
    full.move(first, Move.SEND_RST)
    assert full.open_local().stream_id == 6


def test_unacknowledged_streams_are_opened_up_to_the_limit_and_not_one_more() -> None:
    full = table(max_unacked_streams=2)
    first = full.open_local()
    full.open_local()
    with pytest.raises(StreamLimit):
        full.open_local()
    full.acked(first)
    full.open_local()
    assert full.unacked == 2


def test_cve_2024_32984_nothing_is_opened_while_announcements_pile_up() -> None:
    limits = Limits(control_frames=2)
    outbox = Outbox(limits)
    full = StreamTable(Role.SERVER, limits, outbox, Budget(), None)
    for _ in range(2):
        full.open_local()
        outbox.queue_control(b"x" * 12)
    with pytest.raises(StreamLimit):
        full.open_local()
    outbox.take(1000)
    full.open_local()


@pytest.mark.parametrize(("role", "last"), [(Role.CLIENT, MAX_STREAM_ID), (Role.SERVER, MAX_STREAM_ID - 1)])
def test_t34_the_last_id_is_used_and_none_after_it(role: Role, last: int) -> None:
    nearly = table(role, first=last - 2)
    assert nearly.ids_left == 2
    assert [nearly.open_local().stream_id, nearly.open_local().stream_id] == [last - 2, last]
    assert nearly.ids_left == 0
    with pytest.raises(SessionEnding):
        nearly.open_local()


def test_an_ending_session_opens_nothing_and_still_accepts() -> None:
    ending = table()
    ending.is_ending = True
    with pytest.raises(SessionEnding):
        ending.open_local()
    assert ending.open_remote(1) is not None
    ending.is_refusing = True
    assert ending.open_remote(3) is None


def test_t33_whatever_ends_a_stream_leaves_no_count_behind() -> None:
    subject = table()
    for move in (Move.SEND_RST, Move.RECEIVE_RST):
        subject.move(subject.open_local(), move)
        theirs = subject.open_remote(1)
        assert theirs is not None
        subject.move(theirs, move)
        accepted = subject.open_remote(3)
        assert accepted is not None
        subject.accepted(accepted)
        for half in (Move.SEND_FIN, Move.RECEIVE_FIN):
            subject.move(accepted, half)
    assert (len(subject.streams), subject.unacked, subject.unaccepted) == (0, 0, 0)


def test_a_stream_that_both_ended_stays_until_its_queue_has_left() -> None:
    limits = Limits()
    outbox = Outbox(limits)
    subject = StreamTable(Role.SERVER, limits, outbox, Budget(), None)
    stream = subject.open_local()
    outbox.queue_data(stream, b"last words")
    outbox.queue_fin(stream)
    subject.move(stream, Move.SEND_FIN)
    subject.move(stream, Move.RECEIVE_FIN)
    subject.drained(stream)
    assert stream.stream_id in subject.streams
    outbox.take(1000)
    subject.drained(stream)
    assert not subject.streams


def test_clear_gives_everything_back() -> None:
    budget = Budget()
    limits = Limits()
    subject = StreamTable(Role.SERVER, limits, Outbox(limits), Budget(1 << 30, budget), None)
    stream = subject.open_local()
    stream.window.receive(10)
    stream.window.consume(1, 0.0, 1.0)
    stream.window.receive(200_000)
    stream.window.consume(200_000, 0.0, 1.0)
    assert budget.taken_bytes == subject.grown_bytes == 262_144
    assert subject.granted_bytes == 2 * 262_144
    subject.clear()
    assert budget.taken_bytes == subject.granted_bytes == 0
    with pytest.raises(SessionEnding):
        subject.open_local()
