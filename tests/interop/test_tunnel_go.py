"""Our tunnel, relay side, with the real agent: gorilla/websocket, hashicorp/yamux of two generations, net/http."""

import hashlib
import itertools
import json
from collections.abc import Callable

import pytest
import trio
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.session import Tunnel
from visiona.tunnel.settings import TunnelSettings

from tests.interop.pattern import digest, pattern
from tests.interop.programs import GoProgram
from tests.interop.small_relay import ask, small_relay

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(180)]

TOKEN = "vAs_" + "5" * 64
BULK_BYTES = 100 << 20
StartAgent = Callable[..., GoProgram]


@pytest.fixture(params=["serve", "pipe", "forward"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the agent answers: net/http on the streams, a byte pipe to its server, or a client of its own."""
    assert isinstance(request.param, str)
    return request.param


async def closed(tunnel: Tunnel) -> TunnelClosed:
    with trio.fail_after(10):
        return await tunnel.wait_closed()


@pytest.mark.parametrize("auth", ["query", "bearer"])
async def test_the_token_comes_in_the_handshake(go_agent: StartAgent, auth: str) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN, auth=auth, agent_header="visiona/1.2", instance="abc")
        tunnel = await relay.next_tunnel()
        head = relay.heads[0]
        if auth == "query":
            assert head.target == b"/tunnel/connect?token=" + TOKEN.encode()
        else:
            assert head.get(b"authorization") == b"Bearer " + TOKEN.encode()
        assert (head.get(b"x-visiona-agent"), head.get(b"x-visiona-instance")) == (b"visiona/1.2", b"abc")
        assert (await ask(tunnel, "GET", "/status?code=204")).status == 204
        assert (await agent.heard("connected"))["attempt"] == 1


async def test_t10_an_agent_that_offers_compression_is_served_without(go_agent: StartAgent) -> None:
    async with small_relay() as relay:
        go_agent(relay.url, TOKEN, compression=True)
        tunnel = await relay.next_tunnel()
        assert b"permessage-deflate" in (relay.heads[0].get(b"sec-websocket-extensions") or b"")
        body = bytes(200_000)
        assert (await ask(tunnel, "POST", "/echo", body)).body == body


async def test_thousands_of_exchanges_bring_their_own_bodies_back(go_agent: StartAgent, mode: str) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN, mode=mode)
        tunnel = await relay.next_tunnel()

        async def lane(first: int) -> None:
            for number in range(first, 1600, 32):
                body = pattern(number % 50, number * 37 % 5003)
                target = f"/echo?number={number}&chunked={number % 3 % 2}"
                answer = await ask(tunnel, "POST", target, body, chunked=bool(number % 2))
                assert answer.status == 200
                assert answer.body == body
                assert answer.headers["x-body-sha256"] == hashlib.sha256(body).hexdigest()
                assert answer.headers["x-echo-target"] == target

        async with trio.open_nursery() as nursery:
            for first in range(32):
                nursery.start_soon(lane, first)
        assert (await agent.counters())["requests"] == 1600
        assert tunnel.stream_count == 0


async def test_100_mb_go_up_and_come_down_with_their_digests(go_agent: StartAgent, mode: str) -> None:
    async with small_relay() as relay:
        go_agent(relay.url, TOKEN, mode=mode)
        tunnel = await relay.next_tunnel()
        up = await ask(tunnel, "POST", "/digest", pattern(1, BULK_BYTES))
        assert json.loads(up.body)["sha256"] == digest(1, BULK_BYTES)
        for chunked in (0, 1):
            down = await ask(tunnel, "GET", f"/bytes?n={BULK_BYTES}&seed=2&chunked={chunked}")
            assert len(down.body) == BULK_BYTES
            assert hashlib.sha256(down.body).hexdigest() == digest(2, BULK_BYTES)


async def test_pings_of_both_sides_are_answered_while_bulk_is_under_way(go_agent: StartAgent) -> None:
    async with small_relay(TunnelSettings(ping_seconds=0.2)) as relay:
        agent = go_agent(relay.url, TOKEN, keepalive="100ms")
        tunnel = await relay.next_tunnel()
        for _ in range(2):
            body = (await ask(tunnel, "POST", "/echo?stream=1", pattern(1, 20_000_000))).body
            assert hashlib.sha256(body).hexdigest() == digest(1, 20_000_000)
        await trio.sleep(0.5)
        assert tunnel.is_open
        assert tunnel.rtt_seconds is not None
        assert tunnel.rtt_seconds < 3
        assert (await agent.counters())["pings"] >= 3
        assert not agent.said("disconnected")


# An agent that forwards with a client of its own looks at the stream only when it writes: no /hang and no /stall there.
@pytest.mark.parametrize(
    ("mode", "target"),
    [
        *itertools.product(
            ("serve", "pipe"), ("/hang", "/sse", "/mjpeg", "/stall?n=500", "/bytes?n=1000000000")
        ),
        *itertools.product(("forward",), ("/sse", "/mjpeg", "/bytes?n=1000000000")),
    ],
)
async def test_a_stream_that_we_give_up_is_cancelled_at_the_agent(
    go_agent: StartAgent, mode: str, target: str
) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN, mode=mode)
        tunnel = await relay.next_tunnel()
        stream = await tunnel.open_stream()
        await stream.send_all(f"GET {target} HTTP/1.1\r\nHost: agent.test\r\n\r\n".encode())
        if target == "/hang":
            await agent.heard("hanging")
        else:
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK\r\n")
        left_at = trio.current_time()
        await stream.aclose()
        await agent.heard("request_cancelled", within_seconds=5)
        assert trio.current_time() - left_at < 1
        assert (await ask(tunnel, "GET", "/status?code=204")).status == 204


async def test_a_fin_behind_the_request_does_not_cost_the_answer(go_agent: StartAgent, mode: str) -> None:
    async with small_relay() as relay:
        go_agent(relay.url, TOKEN, mode=mode)
        tunnel = await relay.next_tunnel()
        async with await tunnel.open_stream() as stream:
            await stream.send_all(b"POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            await stream.send_eof()
            answer = b""
            while data := await stream.receive_some():
                answer += data
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'"length":5' in answer


# http.Server cannot hijack a 2019 yamux stream, whose deadlines wake nobody: no "serve" with the old one.
@pytest.mark.parametrize(
    ("generation", "mode"), [("new", "serve"), *itertools.product(("new", "old"), ("pipe", "forward"))]
)
async def test_an_upgraded_stream_is_a_raw_pipe_both_ways(go_agent: StartAgent, mode: str) -> None:
    async with small_relay() as relay:
        go_agent(relay.url, TOKEN, mode=mode)
        tunnel = await relay.next_tunnel()
        async with await tunnel.open_stream() as stream:
            await stream.send_all(
                b"GET /ws HTTP/1.1\r\nHost: agent.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += await stream.receive_some()
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
            await stream.send_all(b"\x82\x85\x00\x00\x00\x00hello")
            assert await stream.receive_some() == b"\x82\x05hello"


async def test_t27_streams_that_the_agent_opens_are_reset_and_the_tunnel_lives(go_agent: StartAgent) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN)
        tunnel = await relay.next_tunnel()
        await agent.heard("connected")
        agent.tell("open 3")
        assert (await agent.heard("opened", count=3))["ended"] == "connection reset"
        assert (await ask(tunnel, "GET", "/status?code=204")).status == 204


async def test_closing_says_go_away_and_the_agent_comes_back(go_agent: StartAgent) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN)
        first = await relay.next_tunnel()
        await agent.heard("connected")
        first.close("replaced")
        assert (await agent.heard("goaway"))["code"] == 0
        await agent.heard("disconnected")
        second = await relay.next_tunnel()
        assert (await ask(second, "GET", "/status?code=204")).status == 204


async def test_t32_streams_in_flight_finish_when_the_agent_says_go_away(go_agent: StartAgent) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN, once=True)
        tunnel = await relay.next_tunnel()
        async with await tunnel.open_stream() as stream:
            await stream.send_all(b"GET /bytes?n=500000&ms=50&seed=3 HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await stream.receive_some()
            agent.tell("goaway")
            while len(answer.partition(b"\r\n\r\n")[2]) < 500_000:
                answer += await stream.receive_some()
        assert hashlib.sha256(answer.partition(b"\r\n\r\n")[2]).hexdigest() == digest(3, 500_000)
        assert (await closed(tunnel)).cause == "agent_closed"


@pytest.mark.parametrize(
    ("order", "causes"), [("drop", {"tcp_reset"}), ("close", {"agent_closed", "tcp_reset"})]
)
async def test_an_agent_that_goes_is_noticed_at_once(
    go_agent: StartAgent, order: str, causes: set[str]
) -> None:
    async with small_relay() as relay:
        agent = go_agent(relay.url, TOKEN, once=True)
        tunnel = await relay.next_tunnel()
        await agent.heard("connected")
        agent.tell(order)
        assert (await closed(tunnel)).cause in causes


async def test_t31_an_agent_that_reads_no_more_costs_a_write_timeout_and_bounded_memory(
    go_agent: StartAgent,
) -> None:
    async with small_relay(TunnelSettings(write_seconds=1.0)) as relay:
        agent = go_agent(relay.url, TOKEN, keepalive="0s")
        tunnel = await relay.next_tunnel()
        await agent.heard("connected")
        agent.tell("stop-reading 30")
        async with trio.open_nursery() as nursery:

            async def push() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await ask(tunnel, "POST", "/digest", bytes(1 << 20))

            for _ in range(100):
                nursery.start_soon(push)
            assert (await closed(tunnel)).cause == "write_timeout"
            assert tunnel.session.statistics().queued_bytes <= 1 << 20


async def test_a_silent_agent_is_dead_after_its_time(go_agent: StartAgent) -> None:
    async with small_relay(TunnelSettings(ping_seconds=0.2, dead_seconds=1.0)) as relay:
        agent = go_agent(relay.url, TOKEN, keepalive="0s")
        tunnel = await relay.next_tunnel()
        await agent.heard("connected")
        agent.tell("stop-reading 30")
        assert (await closed(tunnel)).cause == "keepalive_timeout"
