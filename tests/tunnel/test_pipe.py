"""Connections to be tried before they are awaited."""

import socket

import pytest
import trio
import trio.testing
from visiona.tunnel.pipe import NOT_SENT_LOW_BYTES, SocketPipe, StreamPipe, tune


def socket_pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


async def test_a_socket_gives_what_came_and_then_the_end() -> None:
    ours, theirs = socket_pair()
    pipe = SocketPipe(ours)
    theirs.send(b"hello")
    assert await pipe.receive_some() == b"hello"
    theirs.close()
    assert await pipe.receive_some() == b""
    await pipe.aclose()
    await pipe.aclose()
    assert ours.fileno() == -1


async def test_a_full_socket_takes_nothing_more_and_the_rest_can_be_awaited() -> None:
    ours, theirs = socket_pair()
    pipe = SocketPipe(ours)
    data = memoryview(bytes(1_000_000))
    sent = pipe.send_nowait(data)
    assert 0 < sent < len(data)
    assert pipe.send_nowait(data) == 0
    received = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.send_all, data[sent:], 5.0)
        other = SocketPipe(theirs)
        while received < len(data):
            received += len(await other.receive_some())
    assert received == len(data)
    await pipe.aclose()
    await other.aclose()


async def test_each_bit_of_progress_starts_the_deadline_afresh(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = socket_pair()
    pipe = SocketPipe(ours)
    while pipe.send_nowait(bytes(65536)):
        pass
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def read_now_and_then() -> None:
            for _ in range(3):
                await trio.sleep(8)
                theirs.recv(200_000)

        nursery.start_soon(read_now_and_then)
        with pytest.raises(trio.TooSlowError):
            await pipe.send_all(memoryview(bytes(10_000_000)), 10.0)
    assert trio.current_time() - began == pytest.approx(34, abs=0.1)
    await pipe.aclose()
    theirs.close()


async def test_the_end_of_sending_is_seen_and_harmless_when_the_other_end_is_gone() -> None:
    ours, theirs = socket_pair()
    pipe = SocketPipe(ours)
    await pipe.send_eof()
    assert theirs.recv(10) == b""
    theirs.close()
    await pipe.aclose()
    await pipe.send_eof()


async def test_a_stream_is_always_awaited_piece_by_piece(autojump_clock: trio.testing.MockClock) -> None:
    here, there = trio.testing.memory_stream_pair()
    pipe = StreamPipe(here)
    assert pipe.send_nowait(b"x") == 0
    await pipe.send_all(memoryview(bytes(200_000)), 1.0)
    assert len(await there.receive_some()) == 200_000
    await there.send_all(b"answer")
    assert await pipe.receive_some() == b"answer"
    await pipe.send_eof()
    await pipe.aclose()
    assert await there.receive_some() == b""


async def test_a_stream_that_takes_nothing_is_too_slow(autojump_clock: trio.testing.MockClock) -> None:
    here, there = trio.testing.lockstep_stream_pair()
    pipe = StreamPipe(here)
    with pytest.raises(trio.TooSlowError):
        await pipe.send_all(memoryview(b"x"), 10.0)
    await there.aclose()


def test_a_tuned_socket_sends_small_frames_at_once_and_queues_little() -> None:
    with socket.socket() as sock:
        tune(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOT_SENT_LOW_BYTES
