import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing
from visiona.agent.addresses import Address
from visiona.agent.forward import LINGER_SECONDS, Forwarder, pipe
from visiona.agent.settings import AgentSettings
from visiona.tunnel.byte_stream import TunnelStream

from tests.agent.links import joined_tunnels

Service = Callable[[trio.SocketStream], Awaitable[None]]
REQUEST = b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n"


@asynccontextmanager
async def caller_of(
    service: Service | None, settings: AgentSettings | None = None
) -> AsyncIterator[Callable[[], Awaitable[TunnelStream]]]:
    """Opens streams that an agent forwards to the service; None: nobody listens there."""
    async with trio.open_nursery() as nursery:
        if service is None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        else:
            (listener,) = await nursery.start(partial(trio.serve_tcp, service, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
        forwarder = Forwarder(Address(False, "127.0.0.1", port), settings or AgentSettings())
        async with joined_tunnels() as (agent, relay):

            async def accept_forever() -> None:
                while True:
                    nursery.start_soon(forwarder.serve, await agent.accept())

            nursery.start_soon(accept_forever)
            yield relay.open_stream
            nursery.cancel_scope.cancel()


async def read_all(stream: TunnelStream) -> bytes:
    return b"".join([bytes(data) async for data in stream])


async def echo(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data)
    await stream.send_eof()


async def test_bytes_go_both_ways_and_each_end_is_passed_on() -> None:
    payload = bytes(range(256)) * 4000
    async with caller_of(echo) as open_stream:
        stream = await open_stream()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                await stream.send_all(payload)
                await stream.send_eof()

            nursery.start_soon(send)
            assert await read_all(stream) == payload


async def test_the_request_arrives_as_the_relay_wrote_it() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.send_all(await stream.receive_some())
        await stream.send_eof()

    async with caller_of(answer) as open_stream:
        stream = await open_stream()
        await stream.send_all(REQUEST)
        assert await read_all(stream) == REQUEST  # also its Host: the destination is the target all the same


async def test_a_service_that_is_down_is_a_clean_502() -> None:
    async with caller_of(None) as open_stream:
        stream = await open_stream()
        await stream.send_all(REQUEST)
        head, _, body = (await read_all(stream)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        error = json.loads(body)["error"]
        assert error["code"] == "DEVICE_ERROR"
        assert "not reachable" in error["message"]


async def test_a_head_request_to_a_service_that_is_down_gets_no_body() -> None:
    async with caller_of(None) as open_stream:
        stream = await open_stream()
        await stream.send_all(REQUEST.replace(b"GET", b"HEAD"))
        assert (await read_all(stream)).endswith(b"\r\n\r\n")


async def test_one_request_too_many_is_told_to_come_again() -> None:
    async with caller_of(echo, AgentSettings(max_streams=1)) as open_stream:
        first = await open_stream()
        await first.send_all(b"hello")
        assert await first.receive_some() == b"hello"
        second = await open_stream()
        await second.send_all(REQUEST)
        answer = await read_all(second)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
        await first.send_all(b"still here")
        assert await first.receive_some() == b"still here"


async def test_t33_an_answer_that_breaks_off_does_not_look_finished() -> None:
    async def break_off(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
        # Wait until it was read, then reset: what is unread would be lost together with the connection.
        await stream.receive_some()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with caller_of(break_off) as open_stream:
        stream = await open_stream()
        await stream.send_all(REQUEST)
        received = b""
        while not received.endswith(b"short"):
            received += await stream.receive_some()
        await stream.send_all(b"go on")
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_h15_a_caller_that_gives_up_ends_the_local_request() -> None:
    gone = trio.Event()

    async def camera(stream: trio.SocketStream) -> None:
        try:
            while True:
                await stream.send_all(b"picture" * 1000)
        except trio.BrokenResourceError:
            gone.set()

    async with caller_of(camera) as open_stream:
        stream = await open_stream()
        await stream.send_all(REQUEST)
        await stream.receive_some()
        await stream.aclose()
        with trio.fail_after(5):
            await gone.wait()


async def test_h15_a_caller_that_gives_up_ends_a_local_request_that_says_nothing() -> None:
    asked, gone = trio.Event(), trio.Event()

    async def hang(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        asked.set()
        assert await stream.receive_some() == b""
        gone.set()

    async with caller_of(hang) as open_stream:
        stream = await open_stream()
        await stream.send_all(REQUEST)
        await asked.wait()
        await stream.aclose()
        with trio.fail_after(5):
            await gone.wait()


async def test_an_early_answer_crosses_although_the_service_stopped_reading() -> None:
    async def refuse_upload(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await stream.send_eof()
        async for _ in stream:
            pass

    async with caller_of(refuse_upload) as open_stream:
        stream = await open_stream()
        await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert (await read_all(stream)).startswith(b"HTTP/1.1 413 ")


class Ends:
    """Two streams for `pipe`, and their other ends."""

    def __init__(self) -> None:
        self.stream, self.caller = trio.testing.memory_stream_pair()
        self.local, self.service = trio.testing.memory_stream_pair()


async def test_a_caller_that_never_ends_is_let_go_after_the_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ends = Ends()
    await ends.service.send_eof()
    began = trio.current_time()
    await pipe(ends.stream, ends.local)
    assert trio.current_time() - began == pytest.approx(LINGER_SECONDS)
    assert await ends.caller.receive_some() == b""


async def test_what_a_caller_sends_to_a_service_that_reads_no_more_is_dropped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ends = Ends()

    async def service() -> None:
        await ends.service.receive_stream.aclose()
        await ends.caller.send_all(b"x" * 100_000)
        await ends.caller.send_all(b"y" * 100_000)
        await ends.service.send_all(b"the answer")
        await ends.service.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(service)
        await pipe(ends.stream, ends.local)
        assert await ends.caller.receive_some() == b"the answer"
