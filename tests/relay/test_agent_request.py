"""One request of the server's own, to devices that answer badly, late, early or never."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from visiona.domain.errors import DeviceBroke, DeviceTooSlow
from visiona.relay.agent_request import MAX_ANSWER_BYTES, Request, TunnelLost, answer_of, asked
from visiona.relay.registry import LiveTunnel
from visiona.stores.errors import StoreUnavailable
from visiona.tunnel.byte_stream import TunnelStream

from tests.web.device_rig import answering, finish, open_rig, read_request

PIECE = b"x" * 65536


@asynccontextmanager
async def a_device(program: Callable[[TunnelStream], Awaitable[None]]) -> AsyncIterator[LiveTunnel]:
    async with open_rig("door", program) as rig:
        yield rig.live


async def endless(counted: list[int]) -> AsyncGenerator[bytes, None]:
    while True:
        counted.append(len(PIECE))
        yield PIECE


async def test_a_body_arrives_whole_and_the_answer_is_read() -> None:
    seen: list[bytes] = []

    async def program(stream: TunnelStream) -> None:
        request = await read_request(stream)
        seen.append(request.body)
        await stream.send_all(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'8\r\n{"a": 1}\r\n0\r\n\r\n'
        )
        await finish(stream)

    async def pieces() -> AsyncGenerator[bytes, None]:
        for _ in range(20):
            yield PIECE

    async with a_device(program) as live:
        assert await answer_of(live, Request("PUT", "/x", (), 20 * len(PIECE), pieces())) == (200, {"a": 1})
    assert seen == [20 * PIECE]


async def test_a_device_that_takes_nothing_is_not_sent_more_than_its_window() -> None:
    counted: list[int] = []

    async def program(stream: TunnelStream) -> None:
        await trio.sleep_forever()

    async with a_device(program) as live:
        with pytest.raises(DeviceTooSlow):
            async with asked(live, Request("PUT", "/x", (), 10**9, endless(counted)), idle_seconds=0.2):
                pass
        assert live.tunnel.stream_count == 0
    assert sum(counted) < 1_000_000


async def test_a_device_that_refuses_need_not_take_the_rest() -> None:
    async def program(stream: TunnelStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\n{}")
        await finish(stream)

    async with a_device(program) as live, asked(live, Request("PUT", "/x", (), 10**9, endless([]))) as answer:
        assert (answer.status, answer.request_was_sent) == (413, False)
        assert await answer.json() == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_the_devices_fault(answer: bytes) -> None:
    async with a_device(answering(answer)) as live:
        with pytest.raises(DeviceBroke):
            await answer_of(live, Request("GET", "/x"))
        assert live.tunnel.stream_count == 0


async def test_an_answer_that_is_too_long_is_none() -> None:
    body = b'"' + b"x" * MAX_ANSWER_BYTES + b'"'
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with a_device(answering(whole)) as live:
        assert await answer_of(live, Request("GET", "/x")) == (200, None)


async def test_an_answer_that_does_not_come_has_its_deadline() -> None:
    async def program(stream: TunnelStream) -> None:
        await read_request(stream)
        await trio.sleep_forever()

    async with a_device(program) as live:
        with pytest.raises(DeviceTooSlow):
            await answer_of(live, Request("GET", "/x", answer_seconds=0.05))


async def test_a_tunnel_that_is_lost_is_told_from_a_device_that_gives_up() -> None:
    came = trio.Event()

    async def program(stream: TunnelStream) -> None:
        await read_request(stream)
        came.set()
        await trio.sleep_forever()

    async with a_device(program) as live, trio.open_nursery() as nursery:

        async def cut() -> None:
            await came.wait()
            live.tunnel.close("tcp_reset")

        nursery.start_soon(cut)
        with pytest.raises(TunnelLost):
            await answer_of(live, Request("GET", "/x"))
        with pytest.raises(TunnelLost):
            await answer_of(live, Request("GET", "/x"))


async def test_what_cannot_be_read_here_is_not_the_devices_fault() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield PIECE
        raise StoreUnavailable("the file cannot be read")

    async def program(stream: TunnelStream) -> None:
        while await stream.receive_some():
            pass

    async with a_device(program) as live:
        with pytest.raises(StoreUnavailable):
            await answer_of(live, Request("PUT", "/x", (), 10**6, broken()))
