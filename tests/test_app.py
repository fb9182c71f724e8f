"""The whole server in this process, on ports of its own, with stores that keep nothing."""

import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
import trio.testing
from h2.connection import H2Connection
from h2.settings import SettingCodes
from visiona.app import Bound, run
from visiona.config import Settings, load

ENVIRONMENT = {
    "VISIONA_DATABASE_URL": "memory:",
    "VISIONA_WEB_LISTEN": "127.0.0.1:0",
    "VISIONA_RELAY_LISTEN": "127.0.0.1:0",
    "VISIONA_INTERNAL_LISTEN": "127.0.0.1:0",
}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[Bound, trio.Event]]:
    """A server that accepts, and the event that stops it."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        bound: list[Bound] = []
        accepting = trio.Event()

        def ready(where: Bound) -> None:
            bound.append(where)
            accepting.set()

        async def serve() -> None:
            await run(settings, stop=stop, ready=ready)

        nursery.start_soon(serve)
        await accepting.wait()
        try:
            yield bound[0], stop
        finally:
            stop.set()


def settings(folder: Path, **more: str) -> Settings:
    return load(None, {**ENVIRONMENT, "VISIONA_STATE_DIR": str(folder), **more})


async def get(url: str, path: str) -> tuple[int, Any]:
    where = urlsplit(url)
    stream = await trio.open_tcp_stream(where.hostname or "", where.port or 0)
    async with stream:
        await stream.send_all(
            f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join([bytes(piece) async for piece in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def test_every_port_answers_once_it_is_ready(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as (bound, _):
        assert (await get(bound.web, "/readyz"))[0] == 200
        assert (await get(bound.internal, "/readyz"))[0] == 200
        assert (await get(bound.web, "/api/devices"))[1]["error"]["code"] == "UNAUTHENTICATED"
        status, refused = await get(bound.relay.replace("ws", "http", 1), "/tunnel/connect")
        assert status in {400, 401, 426}
        assert refused["success"] is False


async def test_s06_told_to_stop_it_ends_by_itself_and_its_ports_are_closed(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as (bound, stop):
        stop.set()
    for url in (bound.web, bound.internal):
        with pytest.raises(OSError):
            await get(url, "/livez")


@pytest.mark.parametrize("leave", ["closes", "resets", "breaks the protocol"])
async def test_s06_who_leaves_in_http_2_before_the_answer_leaves_nothing_behind(
    tmp_path: Path, leave: str
) -> None:
    """The last piece of each answer waits for room that is never made; the server did not stop any more."""
    async with running(settings(tmp_path)) as (bound, stop):
        before = trio.lowlevel.current_statistics().tasks_living
        where = urlsplit(bound.web)
        stream = await trio.open_tcp_stream(where.hostname or "", where.port or 0)
        client = H2Connection()
        client.initiate_connection()
        client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        for number in range(1, 41, 2):
            fields = {":method": "GET", ":scheme": "http", ":authority": where.netloc, ":path": "/livez"}
            client.send_headers(number, list(fields.items()), end_stream=True)
        await stream.send_all(client.data_to_send())
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert trio.lowlevel.current_statistics().tasks_living >= before + 20
        if leave == "resets":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif leave == "breaks the protocol":
            await stream.send_all(b"\0\0\0\x04\0\0\0\0\x01")  # SETTINGS, but of a stream
            while await stream.receive_some():
                pass
        await stream.aclose()
        for _ in range(50):
            await trio.testing.wait_all_tasks_blocked(0.1)
            if (after := trio.lowlevel.current_statistics().tasks_living) <= before:
                break
        assert after <= before
        stop.set()


async def test_s07_a_taken_port_ends_it_with_the_systems_error(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as (bound, _):
        taken = f"127.0.0.1:{urlsplit(bound.web).port}"
        with pytest.RaisesGroup(OSError, allow_unwrapped=True, flatten_subgroups=True):
            async with running(settings(tmp_path / "other", VISIONA_WEB_LISTEN=taken)):
                pytest.fail("it accepted")


async def test_an_agent_on_a_web_connection_that_was_used_before_is_judged_by_the_relay(
    tmp_path: Path,
) -> None:
    async with running(settings(tmp_path)) as (bound, _):
        where = urlsplit(bound.web)
        stream = await trio.open_tcp_stream(where.hostname or "", where.port or 0)
        async with stream:
            await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            first = b""
            while not first.endswith(b'{"status":"ok"}'):
                first += await stream.receive_some()
            await stream.send_all(
                b"GET /tunnel/connect HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            answer = b"".join([bytes(piece) async for piece in stream])
        assert answer.startswith(b"HTTP/1.1 401 ")
