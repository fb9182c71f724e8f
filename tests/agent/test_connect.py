import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from visiona.agent.addresses import Address
from visiona.agent.connect import connect_to, shake_hands
from visiona.agent.credential import Credential
from visiona.agent.reasons import reason_of
from visiona.agent.settings import AgentSettings
from visiona.tunnel.errors import DialRefused
from visiona.tunnel.pipe import StreamPipe
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.http1.head import RequestHead, find_head_end, parse_request_head
from visiona.wire.websocket.handshake import check_upgrade, switching_protocols
from visiona.wire.yamux.limits import Role

CERTIFICATES = Path(__file__).parents[1] / "support" / "certificates"
TOKEN = "vAs_" + "a" * 64
RELAY = Address(False, "relay.example", 80)


def credential() -> Credential:
    return Credential(TOKEN, "http://x", "http://127.0.0.1:1", "i" * 32)


async def read_request(stream: trio.abc.Stream) -> RequestHead:
    received = b""
    while find_head_end(received) is None:
        received += await stream.receive_some()
    return parse_request_head(received)


@asynccontextmanager
async def relay_at(
    serve: Callable[[trio.SocketStream], Awaitable[None]], path: str = ""
) -> AsyncIterator[Address]:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield Address(False, "127.0.0.1", listener.socket.getsockname()[1], path)
        nursery.cancel_scope.cancel()


async def play_relay(stream: trio.abc.Stream, heads: list[RequestHead]) -> None:
    """Accepts anybody, and asks one thing through the tunnel."""
    head = await read_request(stream)
    heads.append(head)
    await stream.send_all(switching_protocols(check_upgrade(head)))
    async with open_tunnel(WebSocketTransport(StreamPipe(stream), is_client=False), Role.SERVER) as tunnel:
        opened = await tunnel.open_stream()
        await opened.send_all(b"ping")
        assert await opened.receive_some() == b"pong"
        await opened.send_eof()
        await tunnel.wait_closed()


async def answer_the_relay(tunnel: Tunnel) -> None:
    stream = await tunnel.accept()
    assert await stream.receive_some() == b"ping"
    await stream.send_all(b"pong")
    assert await stream.receive_some() == b""


async def test_a_tunnel_comes_up_and_the_relay_opens_streams_in_it() -> None:
    heads: list[RequestHead] = []

    async def relay(stream: trio.SocketStream) -> None:
        await play_relay(stream, heads)

    async with (
        relay_at(relay, "/sub") as address,
        connect_to(address, credential(), AgentSettings(), "visiona-agent/9")() as tunnel,
    ):
        await answer_the_relay(tunnel)
    (head,) = heads
    assert head.target == b"/sub/tunnel/connect"
    assert head.get(b"authorization") == b"Bearer " + TOKEN.encode()
    assert head.get(b"x-visiona-agent") == b"visiona-agent/9"
    assert head.get(b"x-visiona-instance") == b"i" * 32
    assert head.get(b"origin") is None  # the relay takes an Origin for a browser (T-08)


def tls_relay(heads: list[RequestHead]) -> Callable[[trio.SocketStream], Awaitable[None]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "one.pem", CERTIFICATES / "one.key")

    async def relay(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, context, server_side=True)
        try:
            await play_relay(secured, heads)
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)

    return relay


async def test_a_tunnel_over_tls_trusts_the_authorities_that_the_installer_named() -> None:
    heads: list[RequestHead] = []
    async with relay_at(tls_relay(heads)) as plain:
        address = replace(plain, secure=True)
        trusting = replace(credential(), ca_file=str(CERTIFICATES / "one.pem"))
        async with connect_to(address, trusting, AgentSettings(), "v")() as tunnel:
            await answer_the_relay(tunnel)
    assert heads[0].get(b"host") == address.authority.encode()


@pytest.mark.parametrize("ca_file", ["", str(CERTIFICATES / "two.pem")])
async def test_a_relay_that_nobody_vouches_for_never_sees_the_credential(ca_file: str) -> None:
    heads: list[RequestHead] = []
    async with relay_at(tls_relay(heads)) as plain:
        connect = connect_to(
            replace(plain, secure=True), replace(credential(), ca_file=ca_file), AgentSettings(), "v"
        )
        with pytest.raises(trio.BrokenResourceError) as broken:
            async with connect():
                raise AssertionError("it must not come up")
    assert heads == []
    assert "its certificate is not trusted" in reason_of(broken.value)


async def answered(answer: bytes) -> bytes:
    """The handshake with a relay that says this."""
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def relay() -> None:
            head = await read_request(far)
            await far.send_all(answer.replace(b"KEY-ANSWER", _accept(head)))
            await far.send_eof()

        nursery.start_soon(relay)
        try:
            return await shake_hands(near, RELAY, ())
        finally:
            nursery.cancel_scope.cancel()


def _accept(head: RequestHead) -> bytes:
    answer = switching_protocols(check_upgrade(head))
    return answer.partition(b"Sec-WebSocket-Accept: ")[2].partition(b"\r\n")[0]


GOOD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: KEY-ANSWER\r\n"
)


async def test_bytes_behind_the_handshake_are_not_lost() -> None:
    assert await answered(GOOD + b"\r\nfirst bytes") == b"first bytes"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 48\r\n\r\n{"error": {"code": "SESSION_TOKEN_EXPIRED"}}    ',
            (401, "SESSION_TOKEN_EXPIRED", None),
        ),
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", (429, "", 17.0)),
        (b"HTTP/1.1 503 Unavailable\r\nRetry-After: soon\r\n\r\n", (503, "", None)),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 999999\r\n\r\n<html>", (502, "", None)),
        (b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n[]", (401, "", None)),
        (
            b"HTTP/1.1 307 Elsewhere\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
            (307, "", None),
        ),
    ],
)
async def test_a_refusal_says_its_status_its_code_and_when_to_come_again(
    answer: bytes, expected: tuple[int, str, float | None]
) -> None:
    with pytest.raises(ExceptionGroup) as group:
        await answered(answer)
    (refused,) = group.value.exceptions
    assert isinstance(refused, DialRefused)
    assert (refused.status, refused.code, refused.retry_after_seconds) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 101 Swit",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        GOOD.replace(b"KEY-ANSWER", b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=") + b"\r\n",
        GOOD + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ],
)
async def test_something_else_than_a_relay_is_a_broken_connection(answer: bytes) -> None:
    with pytest.raises(ExceptionGroup) as group:
        await answered(answer)
    assert isinstance(group.value.exceptions[0], trio.BrokenResourceError)


async def test_t51_a_relay_that_says_nothing_is_given_up_in_time(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = trio.testing.memory_stream_pair()

    async def connected(*_: object) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return near

    monkeypatch.setattr("visiona.agent.connect.open_connection", connected)
    began = trio.current_time()
    with pytest.raises(trio.TooSlowError):
        async with connect_to(RELAY, credential(), AgentSettings(), "v")():
            raise AssertionError("it cannot come up")
    assert trio.current_time() - began == pytest.approx(AgentSettings().dial_seconds)
    assert await far.receive_some() != b""
