"""What only the door does: HTTP/1.1 on a raw connection, its deadlines, its order, its endings."""

import socket
import struct

import pytest
import trio
import trio.testing
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import StreamRefused
from visiona.tunnel.session import Tunnel
from visiona.web.door_connection import MAX_PIPELINED_BYTES, MAX_UNWANTED_BYTES

from tests.support.waiting import until
from tests.web.device_rig import Request, Rig, answering, echo, finish, open_rig, read_request

CHUNKED = "Transfer-Encoding: chunked"


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked(0.02)


async def status_and_end(rig: Rig, raw: bytes) -> tuple[int, bytes]:
    """The status of what is answered to raw bytes, and everything up to the connection's end."""
    client = await rig.connect()
    await client.send(raw)
    await settle()
    rig.pass_seconds(3)
    with trio.fail_after(3):
        text = await client.rest()
    return (int(text.split(b" ")[1]) if text else 0), text


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: +3",
        "Content-Length: 0x3",
        "Content-Length: 3, 3",
        "Content-Length : 3",
        "X: a\nContent-Length: 3",
        "X: a\rContent-Length: 3",
        "X: a\r\n folded",
        "X: a\0b",
    ],
)
async def test_h01_a_request_that_two_parsers_could_frame_differently_is_refused(fields: str) -> None:
    async def never(stream: TunnelStream) -> None:
        raise AssertionError("something was forwarded")

    async with open_rig("door", never) as rig:
        status, text = await status_and_end(rig, rig.request("POST ~/", fields, body=b"abc"))
        assert status in {400, 501}
        assert text.count(b"HTTP/1.1 ") == 1
        assert rig.live.tunnel.stream_count == 0


@pytest.mark.parametrize(
    "body",
    [
        b"3;a=\n\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\n",
        b"3\r\nabcX0\r\n\r\n",
        b"-1\r\n\r\n",
    ],
)
async def test_h01_a_chunk_that_two_parsers_could_read_differently_is_refused(body: bytes) -> None:
    broken: list[bool] = []

    async def device(stream: TunnelStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            while await stream.receive_some():
                pass
        broken.append(True)

    async with open_rig("door", device) as rig:
        status, text = await status_and_end(rig, rig.request("POST ~/", CHUNKED, body=body))
        assert (status, text.count(b"HTTP/1.1 ")) == (400, 1)
        await settle()
    assert broken == [True]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil@good\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(120)) + b"\r\n", 431),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 0),
        (b"\x00\x00\x00", 0),
    ],
    ids=range(9),
)
async def test_t04_h05_what_is_no_good_head_is_refused_and_closed(head: bytes, status: int) -> None:
    async with open_rig("door", echo) as rig:
        assert (await status_and_end(rig, head))[0] == status


async def test_t01_a_head_that_comes_byte_by_byte_is_dropped_after_ten_seconds_in_all() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        request = rig.request("GET ~/")
        for position in range(8):
            await client.send(request[position : position + 1])
            await settle()
            rig.pass_seconds(1)
        await settle()
        rig.pass_seconds(3)
        await settle()
        rig.pass_seconds(3)
        assert b"408" in (await client.rest()).split(b"\r\n")[0]


async def test_t02_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await settle()
        rig.pass_seconds(9)
        await settle()
        rig.pass_seconds(2)
        assert await client.rest() == b""


async def test_h11_an_idle_connection_is_closed_after_its_time_and_not_before() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await client.ask(rig.request("GET ~/"))
        await settle()
        rig.pass_seconds(74)
        await settle()
        assert (await client.ask(rig.request("GET ~/again"))).status == 200
        await settle()
        rig.pass_seconds(77)
        assert await client.rest() == b""


async def test_h11_a_body_that_stops_coming_is_refused_and_resets_the_stream() -> None:
    async def device(stream: TunnelStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await stream.receive_some()

    async with open_rig("door", device) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/", "Content-Length: 100", body=b"some"))
        await settle()
        rig.pass_seconds(62)
        assert (await client.answer("POST")).status == 400
        await settle()
        assert rig.live.tunnel.stream_count == 0


async def test_the_door_says_continue_when_the_body_is_wanted() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/", "Content-Length: 3", "Expect: 100-continue"))
        assert await client.line() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abc")
        assert (await client.answer("POST")).body == b"abc"


async def test_the_door_does_not_say_continue_to_a_body_that_it_refuses() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/", "Content-Length: 3", "Expect: 100-continue", token="none"))
        assert b" 401 " in await client.line()


@pytest.mark.parametrize("path", ["~/", "/api/devices"])
async def test_an_unknown_expectation_is_417_for_a_device_and_for_the_site(path: str) -> None:
    async with open_rig("door", echo) as rig:
        request = rig.request(f"POST {path}", "Content-Length: 0", "Expect: magic")
        assert (await status_and_end(rig, request))[0] == 417


async def test_trailers_cross_both_ways() -> None:
    seen: dict[str, str] = {}

    async def device(stream: TunnelStream) -> None:
        seen.update((await read_request(stream)).trailers)
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n"
        )
        await finish(stream)

    async with open_rig("door", device) as rig:
        client = await rig.connect()
        body = b"1\r\na\r\n0\r\nX-Digest: 1\r\nAuthorization: forged\r\n\r\n"
        answer = await client.ask(rig.request("POST ~/", CHUNKED, body=body), method="POST")
    assert seen == {"x-digest": "1"}
    assert (answer.body, answer.trailers) == (b"ok", {"x-sum": "9"})


async def test_an_answer_of_unknown_length_is_chunked_for_a_client_that_can_read_chunks() -> None:
    async with open_rig("door", answering(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as rig:
        client = await rig.connect()
        for _ in range(2):
            answer = await client.ask(rig.request("GET ~/"))
            assert (answer.headers["transfer-encoding"], answer.body) == ("chunked", b"all of it")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n3\r\n of\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nall of",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nall of",
    ],
    ids=["chunked", "until close", "sized"],
)
async def test_a_client_of_http_1_0_gets_no_chunks_and_its_connection_ends(answer: bytes) -> None:
    async with open_rig("door", answering(answer)) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/").replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert body == b"all of"
        assert b"chunked" not in head


async def test_t33_a_short_answer_of_unknown_length_is_a_reset_for_a_client_of_http_1_0() -> None:
    short = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n"
    go_on = trio.Event()

    async def device(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(short)
        await go_on.wait()
        await finish(stream)

    async with open_rig("door", device) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/").replace(b"HTTP/1.1", b"HTTP/1.0"))
        await client.line()
        assert await client.exactly(3) == b"all"
        go_on.set()
        with pytest.raises(trio.BrokenResourceError):
            assert await client.stream.receive_some() == b"never a clean end"


async def test_a_client_that_asks_for_it_gets_its_connection_closed_after_the_answer() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/", "Connection: close", "Content-Length: 2", body=b"ab"))
        text = await client.rest()
        assert b"Connection: close" in text
        assert text.endswith(b"ab")


async def test_a_refused_body_is_read_on_so_that_the_refusal_arrives() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        big = bytes(3_000_000)

        async def send() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await client.send(
                    rig.request("POST ~/", f"Content-Length: {len(big) + 1}", body=big, token="none")
                )
                await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            assert b" 401 " in await client.line()
            nursery.cancel_scope.cancel()


async def test_an_answer_before_the_body_was_read_keeps_the_connection_when_little_is_left() -> None:
    async def device(stream: TunnelStream) -> None:
        request = await Request(stream).read_head()
        early = b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno"
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        await stream.send_all(early if request.head.target == b"/early" else whole)
        await finish(stream)

    async with open_rig("door", device) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/early", "Content-Length: 6", body=b"abc"))
        assert (await client.answer("POST")).status == 413
        await client.send(b"def" + rig.request("GET ~/next"))
        assert (await client.answer()).body == b"ok"


async def test_an_answer_before_the_body_was_read_ends_the_connection_when_much_is_left() -> None:
    device = answering(b"")

    async def early(stream: TunnelStream) -> None:
        await Request(stream).read_head()
        await stream.send_all(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
        await finish(stream)

    assert device
    async with open_rig("door", early) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/early", "Content-Length: 100000000", body=b"abc"))
        assert (await client.answer("POST")).status == 413
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await client.send(bytes(MAX_UNWANTED_BYTES))
                await settle()
                rig.pass_seconds(3)


async def test_h11_requests_sent_ahead_are_gathered_up_to_a_bound_only() -> None:
    go_on = trio.Event()

    async def held(stream: TunnelStream) -> None:
        await read_request(stream)
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await finish(stream)

    async with open_rig("door", held) as rig:
        client = await rig.connect()
        one = rig.request("GET ~/")
        sent = 0
        with trio.move_on_after(0.3):
            while True:
                await client.stream.send_all(one * 1000)
                sent += 1000 * len(one)
        # What the kernel holds on both sides, and no more than the bound here.
        assert sent < (8 << 20) + MAX_PIPELINED_BYTES
        assert rig.live.tunnel.stream_count == 1
        go_on.set()
        for _ in range(100):
            assert (await client.answer()).status == 200


async def test_h11_a_million_tiny_requests_do_not_keep_others_waiting() -> None:
    async with open_rig("door", echo) as rig:
        greedy, modest = await rig.connect(), await rig.connect()

        is_answered = trio.Event()

        async def drown() -> None:
            flood = rig.request("GET ~/", token="none") * 500
            while True:
                await greedy.send(flood)

        async def drink() -> None:
            while await greedy.stream.receive_some(65536):
                is_answered.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drown)
            nursery.start_soon(drink)
            await is_answered.wait()
            with trio.fail_after(2):
                for _ in range(10):
                    assert (await modest.ask(rig.request("GET ~/"))).status == 200
            nursery.cancel_scope.cancel()


async def test_a_client_that_leaves_while_its_upload_waits_is_noticed_within_a_second() -> None:
    left = trio.Event()

    async def stuck(stream: TunnelStream) -> None:
        await until(lambda: stream.stream.is_lost)
        left.set()

    async with open_rig("door", stuck) as rig:
        client = await rig.connect()
        await client.send(rig.request("POST ~/", f"Content-Length: {1 << 30}"))
        with trio.move_on_after(0.3):
            while True:
                await client.send(bytes(65536))
        # Its end cannot arrive behind what nobody reads; a reset does.
        assert isinstance(client.stream, trio.SocketStream)
        client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await client.aclose()
        await trio.sleep(0.05)
        rig.pass_seconds(1)
        with trio.fail_after(1):
            await left.wait()


async def test_an_agent_that_connects_on_the_web_port_is_given_to_the_relay() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await client.send(
            b"GET /tunnel/connect?token=vAs_1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\nmore"
        )
        assert await client.rest() == b""
        assert rig.agents_connected == [(b"/tunnel/connect?token=vAs_1", b"more", "127.0.0.1")]


async def test_an_agent_may_come_on_a_connection_that_served_the_api_before() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        for _ in range(2):
            assert (await client.ask(b"GET /api/nothing HTTP/1.1\r\nHost: a\r\n\r\n")).status == 404
        await client.send(
            b"GET /tunnel/connect?token=vAs_1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nmore"
        )
        assert await client.rest() == b""
        assert rig.agents_connected == [(b"/tunnel/connect?token=vAs_1", b"more", "127.0.0.1")]


async def test_an_agent_sent_ahead_of_an_answer_waits_for_its_turn() -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        await client.send(
            b"GET /api/nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /tunnel/connect HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        assert (await client.answer()).status == 404
        assert await client.rest() == b""
        assert rig.agents_connected == [(b"/tunnel/connect", b"", "127.0.0.1")]


async def test_a_stream_that_cannot_be_opened_is_429_and_a_body_not_yet_asked_for_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise StreamRefused("full")

    async with open_rig("door", echo) as rig:
        monkeypatch.setattr(Tunnel, "open_stream_nowait", refuse)
        client = await rig.connect()
        assert (await client.ask(rig.request("GET ~/"))).status == 429
        await client.send(rig.request("POST ~/", "Content-Length: 3", "Expect: 100-continue"))
        assert b" 429 " in await client.line()
        await settle()
        rig.pass_seconds(3)
        assert b"HTTP/1.1" not in await client.rest()
        assert len(rig.registry.calls) == 0
