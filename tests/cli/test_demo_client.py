from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from visiona.agent.addresses import Address
from visiona.cli.demo_client import Client, Unexpected


@asynccontextmanager
async def site_that_says(*pieces: bytes) -> AsyncIterator[tuple[Client, list[bytes]]]:
    requests: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            requests.append(await stream.receive_some())
            for piece in pieces:
                await stream.send_all(piece)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield Client(Address(False, "127.0.0.1", listener.socket.getsockname()[1]), "vAp_x"), requests
        nursery.cancel_scope.cancel()


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


async def test_a_call_gives_the_envelopes_data_and_carries_the_token() -> None:
    async with site_that_says(answer(200, b'{"success": true, "data": [1]}')) as (client, requests):
        assert await client.call("POST", "/api/x", {"a": 1}) == [1]
    assert requests[0].startswith(b"POST /api/x HTTP/1.1\r\n")
    assert b"Authorization: Bearer vAp_x\r\n" in requests[0]
    assert requests[0].endswith(b'{"a": 1}')


async def test_another_status_says_what_was_answered() -> None:
    async with site_that_says(answer(503, b'{"error": "away"}')) as (client, _):
        with pytest.raises(Unexpected, match=r"GET /api/x answered 503: .*away"):
            await client.call("GET", "/api/x")


async def test_events_are_read_as_they_arrive_however_they_are_cut() -> None:
    pieces = (
        b"HTTP/1.1 200 OK\r\n\r\nevent: a\nda",
        b'ta: {"x": 1}\n',
        b"\nevent: b\ndata: 2\n\n: comment\n\n",
    )
    async with site_that_says(*pieces) as (client, _), client.request("GET", "/e") as got:
        assert [event async for event in got.events()] == [("a", {"x": 1}), ("b", 2), ("message", None)]


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"junk\r\n\r\n"])
async def test_an_answer_that_breaks_off_is_no_success(said: bytes) -> None:
    async with site_that_says(said) as (client, _):
        with pytest.raises(Unexpected):
            await client.call("GET", "/api/x")
