"""Who asks and who answers in the integrity test: a client that is not ours, and a device of our own or in Go."""

import hashlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import h11
import trio
from visiona.relay.registry import Registry
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.pipe import SocketPipe
from visiona.tunnel.session import open_tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.http1.head import RequestHead
from visiona.wire.websocket.handshake import check_upgrade, switching_protocols
from visiona.wire.yamux.limits import Role

from tests.interop.programs import go_agent
from tests.web.device_rig import (
    TOKEN,
    ConnectAgent,
    Port,
    Request,
    WebClient,
    device_record,
    finish,
    open_port,
    open_rig,
    session_of,
)

DEVICE = "00000000-0000-0000-0000-000000000007"
BODY_SIZES = (0, 1, 17, 500, 4096, 16_384, 65_536, 200_000)


@dataclass(frozen=True)
class Asked:
    """One request and what its answer must be."""

    method: str
    target: str
    body: bytes
    raw: bytes


def make_request(dice: random.Random, label: str) -> Asked:
    """Any method, size and framing; the label comes back, so that no answer can be taken for another's."""
    method = dice.choice(["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "PATCH"])
    size = 0 if method in {"GET", "HEAD"} else dice.choice(BODY_SIZES)
    body = dice.randbytes(size)
    mode = dice.choice(["", "&chunked=1", "&stream=1"]) if method != "HEAD" else ""
    target = f"/echo?label={label}{mode}"
    lines = [
        f"{method} /api/devices/{DEVICE}/proxy{target} HTTP/1.1",
        "Host: door.test",
        f"Authorization: Bearer {TOKEN}",
    ]
    if body and dice.random() < 0.5:
        head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode()
        raw = head + b"".join(_chunks(dice, body)) + b"0\r\n\r\n"
    else:
        framing = [f"Content-Length: {size}"] if method not in {"GET", "HEAD"} else []
        raw = "\r\n".join([*lines, *framing, "", ""]).encode() + body
    return Asked(method, target, body, raw)


def _chunks(dice: random.Random, body: bytes) -> list[bytes]:
    chunks, at = [], 0
    while at < len(body):
        size = dice.choice([1, 3, 100, 5000, 40_000])
        piece = body[at : at + size]
        chunks.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        at += size
    return chunks


async def converse(port: int, seed: int, count: int) -> int:
    """One keep-alive connection: requests in bursts of one to five, every answer compared; how many there were."""
    dice = random.Random(seed)
    client = WebClient(await trio.open_tcp_stream("127.0.0.1", port))
    done = 0
    async with client.stream:
        while done < count:
            burst = [
                make_request(dice, f"{seed}-{done + ahead}") for ahead in range(dice.choice([1, 1, 2, 5]))
            ]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.send, b"".join(asked.raw for asked in burst))
                for asked in burst:
                    _compare(asked, await client.answer(asked.method))
            done += len(burst)
    return done


def _compare(asked: Asked, answer: object) -> None:
    status, headers = answer.status, answer.headers
    assert status == 200, (asked.method, asked.target, answer)
    assert (headers["x-echo-method"], headers["x-echo-target"]) == (asked.method, asked.target)
    if asked.method != "HEAD":
        body: bytes = answer.body
        assert hashlib.sha256(body).digest() == hashlib.sha256(asked.body).digest()


async def echo_device(stream: TunnelStream) -> None:
    """The echo of the Go backend, for machines without Go: sized, chunked, or streamed while it arrives."""
    request = await Request(stream).read_head()
    target = request.head.target
    said = b"X-Echo-Method: %b\r\nX-Echo-Target: %b\r\n" % (request.head.method, target)
    if b"stream=1" in target:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n" % said)
        while isinstance(event := await request._next(), h11.Data):
            await stream.send_all(b"%x\r\n%b\r\n" % (len(event.data), bytes(event.data)))
        await stream.send_all(b"0\r\n\r\n")
    else:
        while isinstance(event := await request._next(), h11.Data):
            request.body += bytes(event.data)
        if b"chunked=1" in target:
            dice = random.Random(len(request.body))
            body = b"".join(_chunks(dice, request.body)) + b"0\r\n\r\n"
            await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n%b" % (said, body))
        else:
            body = b"" if request.head.method == b"HEAD" else request.body
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n" % (len(request.body), said)
            await stream.send_all(head + body)
    await finish(stream)


def _admitting(registry: Registry, came: trio.Event) -> ConnectAgent:
    async def connect_agent(sock: socket.socket, head: RequestHead, leftover: bytes, _: str) -> None:
        sock.send(switching_protocols(check_upgrade(head)))
        transport = WebSocketTransport(SocketPipe(sock), is_client=False, leftover=leftover)
        async with open_tunnel(transport, Role.SERVER) as tunnel:
            registry.admit(tunnel, session_of(DEVICE))
            came.set()
            await tunnel.wait_closed()

    return connect_agent


@asynccontextmanager
async def open_device(layer: str, kind: str) -> AsyncIterator[Port]:
    """A web port with a device: `python`, or the real Go agent, `new` or `old`."""
    if kind == "python":
        async with open_rig(layer, echo_device) as rig:
            yield rig.web
        return
    came = trio.Event()
    admit: Callable[[Registry], ConnectAgent] = lambda registry: _admitting(registry, came)  # noqa: E731 - it is typed where it stands
    async with open_port(layer, connect_agent=admit) as port:
        port.stores.known[DEVICE] = device_record(DEVICE)
        with go_agent(f"ws://127.0.0.1:{port.number}", "vAs_" + "0" * 64, kind, once=True):
            await came.wait()
            yield port
