"""The driver: reader, writer, ends and causes. Yamux itself is tested in tests/wire/yamux."""

import contextlib
import itertools
import socket

import pytest
import trio
import trio.testing
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import StreamRefused, StreamReset, TunnelClosed
from visiona.tunnel.live_streams import MAX_WAITING_OPENS
from visiona.tunnel.pipe import SocketPipe, tune
from visiona.tunnel.session import MAX_UNACCEPTED, SLICE_SECONDS, Tunnel, open_tunnel
from visiona.tunnel.settings import TunnelSettings
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.session import Session

from tests.support.tunnels import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    RawAgent,
    Remembering,
    before_a_raw_agent,
    frame,
    joined,
)


async def read_all(stream: TunnelStream) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def echo(stream: TunnelStream) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        async with stream:
            async for chunk in stream:
                await stream.send_all(chunk)
            await stream.send_eof()


async def echo_all(agent: Tunnel) -> None:
    async with trio.open_nursery() as nursery:
        while True:
            try:
                stream = await agent.accept()
            except TunnelClosed:
                return
            nursery.start_soon(echo, stream)


async def test_an_exchange_goes_both_ways_and_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with joined() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(echo_all, ends.agent)
        async with await ends.relay.open_stream() as stream:
            await stream.send_all(b"hello")
            await stream.send_eof()
            assert await read_all(stream) == b"hello"
        await trio.testing.wait_all_tasks_blocked()
        assert ends.relay.stream_count == ends.agent.stream_count == 0
        ends.relay.close("server_drain")


async def test_bulk_in_both_directions_at_once_arrives_whole() -> None:
    data = bytes(range(256)) * 8192  # 2 MiB: eight times the window

    async def send(stream: TunnelStream) -> None:
        await stream.send_all(data)
        await stream.send_eof()

    async with joined() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(echo_all, ends.agent)
        streams = [await ends.relay.open_stream() for _ in range(4)]
        for stream in streams:
            nursery.start_soon(send, stream)
        for stream in streams:
            assert await read_all(stream) == data
        ends.relay.close("server_drain")


async def test_a_task_cancelled_anywhere_disturbs_no_neighbour() -> None:
    async with joined() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(echo_all, ends.agent)

        async def cancelled_after(ticks: int) -> None:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as inner:

                    async def work() -> None:
                        async with await ends.relay.open_stream() as stream:
                            await stream.send_all(b"x" * 300_000)
                            await read_all(stream)

                    inner.start_soon(work)
                    for _ in range(ticks):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

        async with trio.open_nursery() as cancelling:
            for ticks in range(60):
                cancelling.start_soon(cancelled_after, ticks)
            for number in range(50):
                async with await ends.relay.open_stream() as stream:
                    await stream.send_all(b"%d" % number)
                    await stream.send_eof()
                    assert await read_all(stream) == b"%d" % number
        assert ends.relay.is_open
        ends.relay.close("server_drain")


async def test_everything_queued_in_one_tick_leaves_in_one_message() -> None:
    here, there = trio.testing.memory_stream_pair()
    sent: list[bytes] = []

    async with open_tunnel(
        WebSocketTransport(_Recording(here, sent), is_client=False), Role.SERVER
    ) as tunnel:
        await trio.testing.wait_all_tasks_blocked()
        before = len(sent)
        for _ in range(20):
            tunnel.open_stream_nowait(Remembering()).write(b"hello")
        await trio.testing.wait_all_tasks_blocked()
        assert len(sent) == before + 1
        await there.aclose()


class _Recording:
    """A pipe that notes each send; never blocks."""

    def __init__(self, stream: trio.abc.Stream, sent: list[bytes]) -> None:
        self._stream = stream
        self._sent = sent

    async def receive_some(self) -> bytes:
        return bytes(await self._stream.receive_some())

    def send_nowait(self, data: bytes | memoryview) -> int:
        self._sent.append(bytes(data))
        return len(data)

    async def send_all(self, data: memoryview, progress_seconds: float) -> None:
        raise AssertionError("nothing was left to send")

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


# Ends and causes


async def test_the_end_of_the_connection_is_the_agent_closing() -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        handler = Remembering()
        tunnel.open_stream_nowait(handler)
        await agent.stream.aclose()
        closed = await tunnel.wait_closed()
        assert closed.cause == "agent_closed"
        assert isinstance(handler.lost, TunnelClosed)
        assert handler.lost.cause == "agent_closed"
        with pytest.raises(TunnelClosed, match="agent_closed"):
            tunnel.open_stream_nowait(Remembering())


async def test_a_reset_of_the_connection_is_recorded_as_such() -> None:
    ours, theirs = _tcp_pair()
    tunnel = _tunnel(ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tunnel.run)
        await trio.testing.wait_all_tasks_blocked()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        theirs.close()
    assert tunnel.closed is not None
    assert tunnel.closed.cause == "tcp_reset"
    assert ours.fileno() == -1


async def test_the_first_cause_stays() -> None:
    async with joined() as ends:
        ends.relay.close("revoked")
        ends.relay.close("expired")
        assert (await ends.relay.wait_closed()).cause == "revoked"


async def test_closing_tells_the_agent_with_a_go_away() -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        tunnel.close("revoked")
        heard = await agent.hear_until(GO_AWAY)
        assert heard.length == 0
        with pytest.raises(trio.EndOfChannel):
            await agent.hear()


async def test_broken_frames_close_with_the_kind_as_detail() -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        await agent.say(frame(7, 0, 0, 0))
        assert (await agent.hear_until(GO_AWAY)).length == 1
        closed = await tunnel.wait_closed()
        assert (closed.cause, closed.detail) == ("protocol_error", "header")


async def test_cancelling_a_tunnel_closes_it_as_a_drain() -> None:
    ours, theirs = _tcp_pair()
    tunnel = _tunnel(ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tunnel.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    theirs.close()
    assert tunnel.closed is not None
    assert tunnel.closed.cause == "server_drain"


async def test_a_bug_in_a_handler_surfaces_and_closes_only_this_tunnel() -> None:
    class Broken(Remembering):
        def stream_data(self, data: bytes) -> None:
            raise ZeroDivisionError

    here, there = trio.testing.memory_stream_pair()
    agent = RawAgent(there)
    tunnel = Tunnel(
        WebSocketTransport(_Recording(here, []), is_client=False), Session(Role.SERVER), TunnelSettings()
    )
    stream = tunnel.open_stream_nowait(Broken())
    await agent.say(frame(DATA, ACK, stream.id, 1, b"x"))
    with pytest.raises(ExceptionGroup) as caught:
        await tunnel.run()
    assert caught.group_contains(ZeroDivisionError)
    assert tunnel.closed is not None
    assert (tunnel.closed.cause, tunnel.closed.detail) == ("protocol_error", "internal")


async def test_a_retired_tunnel_finishes_its_streams_and_takes_no_new_ones(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        handler = Remembering()
        stream = tunnel.open_stream_nowait(handler)
        tunnel.retire("replaced", 3.0)
        assert not tunnel.is_open
        with pytest.raises(TunnelClosed, match="replaced"):
            tunnel.open_stream_nowait(Remembering())
        await agent.hear_until(GO_AWAY)
        await agent.say(frame(DATA, ACK, stream.id, 2, b"ok"), frame(WINDOW_UPDATE, FIN, stream.id, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert (handler.data, handler.ended, tunnel.closed) == (b"ok", True, None)
        stream.end()
        assert (await tunnel.wait_closed()).cause == "replaced"
        assert handler.lost is None


async def test_a_retired_tunnel_closes_when_its_grace_is_over(autojump_clock: trio.testing.MockClock) -> None:
    async with joined() as ends:
        handler = Remembering()
        ends.relay.open_stream_nowait(handler)
        ends.relay.retire("replaced", 3.0)
        began = trio.current_time()
        assert (await ends.relay.wait_closed()).cause == "replaced"
        assert 3.0 <= trio.current_time() - began <= 3.6
        assert isinstance(handler.lost, TunnelClosed)


async def test_an_agent_that_hangs_up_on_a_retired_tunnel_is_not_the_cause() -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        tunnel.open_stream_nowait(Remembering())
        tunnel.retire("replaced", 30.0)
        await agent.stream.aclose()
        assert (await tunnel.wait_closed()).cause == "replaced"


async def test_t32_after_a_go_away_streams_in_flight_finish_and_new_ones_are_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        handler = Remembering()
        stream = tunnel.open_stream_nowait(handler)
        await agent.say(frame(GO_AWAY, 0, 0, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert not tunnel.is_open
        with pytest.raises(TunnelClosed, match="agent_closed"):
            tunnel.open_stream_nowait(Remembering())
        await agent.say(frame(DATA, ACK, stream.id, 4, b"done"), frame(WINDOW_UPDATE, FIN, stream.id, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert (handler.data, handler.ended) == (b"done", True)
        stream.end()
        closed = await tunnel.wait_closed()
        assert (closed.cause, closed.detail) == ("agent_closed", "go_away")


@pytest.mark.parametrize("code", [1, 2, 77])
async def test_t32_a_go_away_that_accuses_ends_the_tunnel(code: int) -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        handler = Remembering()
        tunnel.open_stream_nowait(handler)
        await agent.say(frame(GO_AWAY, 0, 0, code))
        closed = await tunnel.wait_closed()
        assert (closed.cause, closed.detail) == ("agent_closed", f"go_away_{code}")
        assert handler.lost is not None


async def test_t34_when_the_ids_are_used_up_the_tunnel_is_cycled_gracefully(
    autojump_clock: trio.testing.MockClock,
) -> None:
    here, there = trio.testing.memory_stream_pair()
    agent = RawAgent(there)
    session = Session(Role.SERVER, first_stream_id=(1 << 31) - 4)
    tunnel = Tunnel(WebSocketTransport(_Recording(here, []), is_client=False), session, TunnelSettings())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tunnel.run)
        handler = Remembering()
        stream = tunnel.open_stream_nowait(handler)
        tunnel.open_stream_nowait(Remembering()).reset()
        with pytest.raises(TunnelClosed, match="server_drain:stream_ids"):
            tunnel.open_stream_nowait(Remembering())
        assert tunnel.closed is None
        await agent.say(frame(DATA, ACK, stream.id, 2, b"ok"), frame(WINDOW_UPDATE, FIN, stream.id, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert handler.data == b"ok"
        stream.end()
    assert tunnel.closed is not None
    assert str(tunnel.closed) == "server_drain:stream_ids"


# Waiting


async def test_opens_beyond_what_the_agent_has_accepted_wait_their_turn() -> None:
    limits = Limits(max_unacked_streams=2)
    async with before_a_raw_agent(limits=limits) as (tunnel, agent):
        handlers = [Remembering() for _ in range(4)]
        streams = [tunnel.open_stream_nowait(handler) for handler in handlers]
        assert [stream.id for stream in streams] == [2, 4, 0, 0]
        assert streams[2].write(b"early") is False
        streams[2].end()
        streams[3].reset()
        await agent.say(frame(WINDOW_UPDATE, ACK, 2, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert streams[2].id == 6
        while (heard := await agent.hear_until(DATA)).stream_id != 6:
            pass
        assert heard.payload == b"early"
        assert (await agent.hear()).flags == FIN
        assert tunnel.stream_count == 3


async def test_a_writer_that_waited_for_the_opening_is_told() -> None:
    async with before_a_raw_agent(limits=Limits(max_unacked_streams=1)) as (tunnel, agent):
        tunnel.open_stream_nowait(Remembering())
        late = Remembering()
        assert tunnel.open_stream_nowait(late).write(b"x") is False
        await agent.say(frame(WINDOW_UPDATE, ACK, 2, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert late.writable == 1


async def test_who_only_asked_for_room_is_told_when_others_no_longer_fill_the_tunnel() -> None:
    limits = Limits(outbox_high_bytes=1000, outbox_low_bytes=100)
    async with before_a_raw_agent(limits=limits) as (tunnel, agent):
        greedy, patient = Remembering(), Remembering()
        assert tunnel.open_stream_nowait(greedy).write(bytes(1000)) is False
        waiting = tunnel.open_stream_nowait(patient)
        assert waiting.room == 0
        await agent.hear_until(DATA)
        await trio.testing.wait_all_tasks_blocked()
        assert (greedy.writable, patient.writable) == (1, 1)
        assert waiting.room == 1000


async def test_too_many_waiting_opens_are_refused() -> None:
    async with before_a_raw_agent(limits=Limits(max_unacked_streams=1)) as (tunnel, _):
        for _ in range(MAX_WAITING_OPENS + 1):
            tunnel.open_stream_nowait(Remembering())
        with pytest.raises(StreamRefused):
            tunnel.open_stream_nowait(Remembering())


async def test_what_waits_is_lost_when_the_tunnel_takes_no_more() -> None:
    async with before_a_raw_agent(limits=Limits(max_unacked_streams=1)) as (tunnel, agent):
        tunnel.open_stream_nowait(Remembering())
        late = Remembering()
        tunnel.open_stream_nowait(late)
        await agent.say(frame(GO_AWAY, 0, 0, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(late.lost, TunnelClosed)


async def test_t27_a_stream_that_the_agent_opens_is_reset() -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        await agent.say(frame(WINDOW_UPDATE, SYN, 1, 0))
        heard = await agent.hear_until(WINDOW_UPDATE)
        assert (heard.stream_id, heard.flags) == (1, RST)
        assert tunnel.is_open
        assert tunnel.stream_count == 0


async def test_streams_that_were_reset_before_anybody_accepted_them_do_not_pile_up() -> None:
    async with joined() as ends:
        for _ in range(3000):
            ends.relay.open_stream_nowait(Remembering()).reset()
            await trio.testing.wait_all_tasks_blocked()
        kept = await ends.relay.open_stream()
        await kept.send_all(b"x")
        lost = 0
        while (accepted := await ends.agent.accept()).stream.is_lost:
            lost += 1
        assert lost <= MAX_UNACCEPTED
        assert await accepted.receive_some() == b"x"
        await accepted.aclose()


# An agent that does not take what it is sent


async def test_t30_a_stream_without_credit_waits_alone_and_is_reset_at_its_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    settings = TunnelSettings(stream_write_seconds=60.0)
    async with before_a_raw_agent(settings) as (tunnel, agent), trio.open_nursery() as nursery:
        stuck, neighbour = Remembering(), Remembering()
        stream = tunnel.open_stream_nowait(stuck)
        assert stream.write(b"x" * 300_000) is False
        lively = tunnel.open_stream_nowait(neighbour)

        async def read_and_answer_pings() -> None:
            while True:
                heard = await agent.hear()
                if heard.kind == PING and heard.flags & SYN:
                    await agent.say(frame(PING, ACK, 0, heard.length))
                if heard.flags & RST:
                    assert heard.stream_id == stream.id
                    return
                if heard.kind == DATA and heard.stream_id == lively.id:
                    await agent.say(frame(DATA, ACK, lively.id, 2, b"ok"))

        began = trio.current_time()
        nursery.start_soon(read_and_answer_pings)
        await trio.sleep(30)
        assert lively.write(b"hello") is True
        await trio.sleep(1)
        assert (neighbour.data, stuck.lost) == (b"ok", None)
        await stuck.was_lost.wait()
        assert isinstance(stuck.lost, StreamReset)
        assert stuck.lost.reason == "write_timeout"
        assert 60 < trio.current_time() - began <= 62
        assert tunnel.is_open
        lively.reset()


async def test_t31_an_agent_that_stops_reading_is_given_up_after_the_write_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = _tcp_pair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    tunnel = _tunnel(ours, Limits(max_send_credit_bytes=1 << 30))
    handlers = [Remembering() for _ in range(8)]
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tunnel.run)
        for handler in handlers:
            assert tunnel.open_stream_nowait(handler).write(b"x" * 262_144) is False
        await trio.testing.wait_all_tasks_blocked()
        assert tunnel.session.statistics().queued_bytes <= 1 << 20
    theirs.close()
    assert tunnel.closed is not None
    assert tunnel.closed.cause == "write_timeout"
    assert 10 <= trio.current_time() - began < 11
    assert all(isinstance(handler.lost, TunnelClosed) for handler in handlers)


async def test_t45_a_tunnel_whose_agent_does_not_read_is_cut_within_a_second_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = _tcp_pair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    tunnel = _tunnel(ours)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tunnel.run)
        for _ in range(8):
            tunnel.open_stream_nowait(Remembering()).write(b"x" * 262_144)
        await trio.testing.wait_all_tasks_blocked()
        tunnel.close("revoked")
    theirs.close()
    assert tunnel.closed is not None
    assert tunnel.closed.cause == "revoked"
    assert trio.current_time() - began < 1


async def test_t40_half_open_a_silent_connection_is_dead_after_thirty_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with before_a_raw_agent() as (tunnel, _):
        handler = Remembering()
        tunnel.open_stream_nowait(handler)
        began = trio.current_time()
        closed = await tunnel.wait_closed()
        assert closed.cause == "keepalive_timeout"
        assert 30 < trio.current_time() - began <= 31
        assert isinstance(handler.lost, TunnelClosed)


async def test_t54_pings_are_frequent_enough_for_a_proxy_that_cuts_idle_connections(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        heard_at = []
        for _ in range(12):
            ping = await agent.hear_until(PING)
            heard_at.append(trio.current_time())
            await agent.say(frame(PING, ACK, 0, ping.length))
        gaps = [later - earlier for earlier, later in itertools.pairwise(heard_at)]
        assert all(9 < gap < 11 for gap in gaps)
        assert tunnel.is_open
        assert tunnel.rtt_seconds is not None


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    tune(ours)
    return ours, theirs


def _tunnel(sock: socket.socket, limits: Limits | None = None) -> Tunnel:
    transport = WebSocketTransport(SocketPipe(sock), is_client=False)
    return Tunnel(transport, Session(Role.SERVER, limits or Limits()), TunnelSettings())


async def test_t29_an_agent_that_answers_byte_by_byte_does_not_keep_others_from_their_turn(
    mock_clock: trio.testing.MockClock,
) -> None:
    """A bug: 20,000 one-byte frames fit into a read, and nobody was served for a second and a half."""
    turns_at: list[int] = []

    class Slow(Remembering):
        def stream_data(self, data: bytes) -> None:
            super().stream_data(data)
            mock_clock.jump(SLICE_SECONDS / 4)

    handler = Slow()

    async def somebody_else() -> None:
        while True:
            await trio.lowlevel.checkpoint()
            if len(handler.data) > (turns_at or [0])[-1]:
                turns_at.append(len(handler.data))

    async with before_a_raw_agent() as (tunnel, agent), trio.open_nursery() as nursery:
        stream = tunnel.open_stream_nowait(handler)
        nursery.start_soon(somebody_else)
        await agent.say(*[frame(DATA, 0, stream.id, 1, b"x")] * 100)
        while len(handler.data) < 100:
            await trio.lowlevel.checkpoint()
        stream.reset()
        nursery.cancel_scope.cancel()
    assert max(later - earlier for earlier, later in itertools.pairwise([0, *turns_at])) <= 12


async def test_what_is_left_of_a_long_read_is_dropped_when_the_tunnel_closes_in_between(
    mock_clock: trio.testing.MockClock,
) -> None:
    class Closing(Remembering):
        def stream_data(self, data: bytes) -> None:
            super().stream_data(data)
            mock_clock.jump(SLICE_SECONDS)
            tunnel.close("revoked")

    handler = Closing()
    async with before_a_raw_agent() as (tunnel, agent):
        stream = tunnel.open_stream_nowait(handler)
        await agent.say(*[frame(DATA, 0, stream.id, 1, b"x")] * 100)
        assert (await tunnel.wait_closed()).cause == "revoked"
    assert handler.data == b"x"
