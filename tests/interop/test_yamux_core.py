"""Our session against hashicorp/yamux over TCP, in both roles: the scenarios in which we open the streams."""

import itertools
import time
from collections.abc import Iterator

import pytest
from visiona.wire.yamux.errors import SessionEnding, StreamLimit
from visiona.wire.yamux.limits import Limits, Role

from tests.interop import core
from tests.interop.core import Echo, Note, echo, nothing_is_left
from tests.interop.pattern import digest
from tests.interop.raw import Joined, joined

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(120)]
role = core.role

BULK_BYTES = 100 << 20
WINDOW_BYTES = 262_144
ENDLESS_BYTES = 1 << 40
ROUNDS = 20


@pytest.fixture
def note(request: pytest.FixtureRequest, role: Role) -> Note:
    scenario = request.function.__name__.removeprefix("test_").split("__")[0]
    return core.row(request, scenario=scenario, opener="we open")


@pytest.fixture
def ends(generation: str, role: Role, note: Note) -> Iterator[Joined]:
    with joined(generation, role) as both:
        yield both
        both.peer.run_until(lambda: nothing_is_left(both.peer))


def test_streams__every_echo_of_many_streams_comes_back_whole(ends: Joined, role: Role, note: Note) -> None:
    peer, numbers = ends.peer, iter(range(10_000 if role is Role.SERVER else 1_000))
    running: list[Echo] = []

    def done() -> bool:
        running[:] = [one for one in running if not one.is_done]
        for number in itertools.islice(numbers, 64 - len(running)):
            running.append(Echo(peer, number % 50, number * 37 % 3001))
        return not running

    began = time.monotonic()
    peer.run_until(done, within_seconds=100)
    note(
        f"{peer.counts['StreamEnded']} streams, {peer.counts['StreamEnded'] / (time.monotonic() - began):.0f} a second"
    )


def test_half_close_ours__what_comes_after_our_fin_is_read_to_its_end(ends: Joined) -> None:
    channel = ends.peer.open("late 7 3000000")
    channel.send_pattern(3, 100_000)
    channel.end()
    ends.peer.run_until(lambda: channel.is_over)
    assert (channel.digest, channel.length) == (digest(7, 3_000_000), 3_000_000)


def test_half_close_theirs__what_we_send_after_their_fin_arrives(ends: Joined, generation: str) -> None:
    # 2019's yamux reads EOF once it has closed, and then gives no credit: one window is all that it takes.
    count = 600_000 if generation == "new" else 200_000
    channel = ends.peer.open("early")
    ends.peer.run_until(lambda: channel.is_over)
    channel.send_pattern(4, count)
    channel.end()
    ends.peer.run_until(lambda: channel.is_sent and nothing_is_left(ends.peer))
    ends.peer.run_for(0.05)
    read = ends.program.wait("early_read")
    if generation == "new":
        assert (read["sha256"], read["length"]) == (digest(4, count), count)
    echo(ends.peer)


def test_reset_ours__the_peer_stops_at_once_and_the_session_works_on(ends: Joined) -> None:
    for _ in range(ROUNDS):
        channel = ends.peer.open("flood")
        ends.peer.run_until(lambda one=channel: one.length > 400_000)
        ends.peer.session.reset_stream(channel.stream_id)
    echo(ends.peer)
    assert ends.program.wait("flood_ended", count=ROUNDS)["error"] == "connection reset"


def test_reset_theirs__we_hear_of_it_once_and_the_session_works_on(ends: Joined) -> None:
    for _ in range(ROUNDS):
        channel = ends.peer.open("reset 100000")
        channel.send_pattern(1, ENDLESS_BYTES)
        ends.peer.run_until(lambda one=channel: one.is_over)
        assert channel.history == ["reset"]
    echo(ends.peer)


def test_backlog__the_257th_unaccepted_stream_is_refused_and_the_others_live(
    generation: str, role: Role, note: Note
) -> None:
    limits = Limits(max_unacked_streams=400)
    with joined(generation, role, limits=limits, accept_on_order=True) as ends:
        echoes = [Echo(ends.peer, number, 1000) for number in range(300)]
        ends.peer.run_until(lambda: ends.peer.counts["StreamReset"] == 44)
        ends.peer.run_for(0.1)
        ends.program.tell("accept")
        ends.peer.run_until(lambda: all(one.is_done for one in echoes[:256]))
        assert [one.channel.history for one in echoes[256:]] == [["reset"]] * 44
        echo(ends.peer)
        note(f"{ends.peer.counts['StreamEnded'] - 1} answered, 44 refused")


def test_backlog_kept__we_stop_at_half_of_it_and_go_on_when_they_accept(
    generation: str, role: Role, note: Note
) -> None:
    with joined(generation, role, accept_on_order=True) as ends:
        echoes = [Echo(ends.peer, number, 1000) for number in range(Limits().max_unacked_streams)]
        with pytest.raises(StreamLimit):
            ends.peer.open("echo")
        ends.peer.run_for(0.1)
        ends.program.tell("accept")
        ends.peer.run_until(lambda: all(one.is_done for one in echoes))
        echo(ends.peer)
        assert ends.peer.counts["StreamReset"] == 0


def test_window__a_stream_that_nobody_reads_takes_one_window_and_hinders_nobody(ends: Joined) -> None:
    channel = ends.peer.open("hold w")
    channel.send_pattern(5, 3_000_000)
    channel.end()
    ends.peer.run_for(0.2)
    assert channel.sent == WINDOW_BYTES
    echo(ends.peer, 2, 1_000_000)
    assert channel.sent == WINDOW_BYTES
    release = ends.peer.open("release w")
    release.end()
    ends.peer.run_until(lambda: release.is_over and channel.is_over)
    assert channel.head == f"{digest(5, 3_000_000)} 3000000\n".encode()


def test_ping__answers_come_soon_while_both_directions_are_full(ends: Joined, note: Note) -> None:
    peer = ends.peer
    echoes = [Echo(peer, number, BULK_BYTES // 8) for number in range(4)]

    def ping_again() -> None:
        if len(peer.ping_seconds) == peer.counts["asked"]:
            peer.counts["asked"] += 1
            peer.session.ping(time.monotonic())

    peer.on_step = ping_again
    ends.program.tell("ping")
    peer.run_until(lambda: all(one.is_done for one in echoes))
    theirs = ends.program.wait("ping")
    assert theirs["error"] == ""
    assert max(*peer.ping_seconds, theirs["seconds"]) < 3
    note(f"{len(peer.ping_seconds)} pings, ours at most {max(peer.ping_seconds) * 1000:.0f} ms, "
         f"theirs {theirs['seconds'] * 1000:.0f} ms")  # fmt: skip


def test_go_away_ours__they_open_nothing_more_and_what_runs_finishes(ends: Joined) -> None:
    running = ends.peer.open("echo")
    ends.peer.run_until(lambda: ends.peer.session.statistics().unacked_streams == 0)
    ends.peer.session.go_away()
    running.send_pattern(3, 500_000)
    running.end()
    ends.peer.run_until(lambda: running.is_over)
    assert running.digest == digest(3, 500_000)
    ends.program.tell("remote-goaway")
    assert ends.program.wait("remote_goaway")["said"] is True
    with pytest.raises(SessionEnding):
        ends.peer.open("echo")


def test_go_away_theirs__we_open_nothing_more_and_what_runs_finishes(ends: Joined) -> None:
    running = ends.peer.open("echo")
    ends.peer.run_until(lambda: ends.peer.session.statistics().unacked_streams == 0)
    ends.program.tell("goaway")
    ends.peer.run_until(lambda: ends.peer.go_away_codes == [0])
    with pytest.raises(SessionEnding):
        ends.peer.open("echo")
    running.send_pattern(3, 500_000)
    running.end()
    ends.peer.run_until(lambda: running.is_over)
    assert running.digest == digest(3, 500_000)


def test_bulk_up__100_mb_arrive_with_their_digest(ends: Joined, note: Note) -> None:
    began = time.monotonic()
    channel = ends.peer.open("sink")
    channel.send_pattern(11, BULK_BYTES)
    channel.end()
    ends.peer.run_until(lambda: channel.is_over)
    assert channel.head == f"{digest(11, BULK_BYTES)} {BULK_BYTES}\n".encode()
    note(_rate(began))


def test_bulk_down__100_mb_come_with_their_digest(ends: Joined, note: Note) -> None:
    began = time.monotonic()
    channel = ends.peer.open(f"source 12 {BULK_BYTES}")
    channel.end()
    ends.peer.run_until(lambda: channel.is_over)
    assert (channel.digest, channel.length) == (digest(12, BULK_BYTES), BULK_BYTES)
    note(_rate(began))


def test_bulk_both__100_mb_each_way_at_once(ends: Joined, note: Note) -> None:
    began = time.monotonic()
    echoes = [Echo(ends.peer, number, BULK_BYTES // 4) for number in range(4)]
    ends.peer.run_until(lambda: all(one.is_done for one in echoes))
    note(_rate(began))


def _rate(began: float) -> str:
    return f"{BULK_BYTES / 1e6 / (time.monotonic() - began):.0f} MB/s"
