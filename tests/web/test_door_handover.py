"""Connections that Hypercorn serves: what their clients do, and what is left of it."""

import logging
import socket
import struct

import pytest
import trio
import trio.testing
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded, StreamReset
from hyperframe.frame import PriorityFrame
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.door_checked import MAX_AHEAD_BYTES

from tests.web.device_rig import TOKEN, Request, Rig, WebClient, echo, finish, open_rig, read_request
from tests.web.test_door import H2Client
from tests.web.test_proxy_websocket import DeviceSocket, device

LAYERS = ["door", "asgi"]
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)


async def tasks() -> int:
    await trio.testing.wait_all_tasks_blocked(0.05)
    return trio.lowlevel.current_statistics().tasks_living


def reset(client: WebClient) -> None:
    """Leaves without a word."""
    assert isinstance(client.stream, trio.SocketStream)
    client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.stream.socket.close()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("line", ["GET /api/of/the/site", "GET ~/of/the/device"])
async def test_h11_who_leaves_between_two_requests_leaves_nothing_behind(layer: str, line: str) -> None:
    async with open_rig(layer, echo) as rig:
        before = await tasks()
        for _ in range(10):
            client = await rig.connect()
            await client.ask(rig.request(line))
            await trio.testing.wait_all_tasks_blocked()
            await client.aclose()
        assert await tasks() == before


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("ahead", [1, 2 * MAX_AHEAD_BYTES])
async def test_h11_who_resets_with_requests_sent_ahead_leaves_nothing_behind(layer: str, ahead: int) -> None:
    answering, go_on = trio.Event(), trio.Event()

    async def slow(stream: TunnelStream) -> None:
        await read_request(stream)
        answering.set()
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await finish(stream)

    async with open_rig(layer, slow) as rig:
        before = await tasks()
        client = await rig.connect()
        request = rig.request("GET ~/slow")
        await client.send(request + request + request[:-2] + b"X: " + b"a" * ahead)
        await answering.wait()
        await trio.testing.wait_all_tasks_blocked(0.05)
        reset(client)
        await trio.testing.wait_all_tasks_blocked(0.05)
        go_on.set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        rig.pass_seconds(6)
        assert await tasks() == before
        assert (len(rig.registry.calls), rig.live.tunnel.stream_count) == (0, 0)


async def _open_websocket(rig: Rig, ahead: bytes) -> WebClient:
    client = await rig.connect()
    await client.send(rig.request("GET ~/ws", *UPGRADE) + ahead)
    return client


@pytest.mark.parametrize("layer", LAYERS)
async def test_h14_what_is_sent_ahead_of_a_websocket_that_is_refused_is_no_request(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        before = await tasks()
        client = await _open_websocket(rig, b"\x81\x80\0\0\0\0")
        assert (await client.answer()).status == 200
        await client.rest()
        await trio.aclose_forcefully(client.stream)
        rig.pass_seconds(6)
        assert await tasks() == before


async def test_h14_what_is_sent_ahead_of_a_websocket_over_http_2_leaves_no_stream_behind() -> None:
    """Hypercorn answers 400 and tells its app nothing, which then bridged a device's pipe to nobody."""
    asked, go_on = trio.Event(), trio.Event()

    async def slow(end: DeviceSocket) -> None:
        asked.set()
        await go_on.wait()
        await end.accept()
        await end.stream.receive_some()

    async with open_rig("door", device(slow)) as rig:
        client = await rig.connect()
        h2_client = H2Client(client.stream)
        await h2_client.flush()
        h2_client.connection.receive_data(await client.stream.receive_some(65536))
        headers = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "door.test"),
            (":path", f"{rig.base}/ws"),
            ("authorization", f"Bearer {TOKEN}"),
            ("sec-websocket-version", "13"),
        ]
        h2_client.connection.send_headers(1, headers)
        h2_client.connection.send_data(1, b"\x81\x80\0\0\0\0")
        await h2_client.flush()
        await asked.wait()
        await trio.testing.wait_all_tasks_blocked(0.05)
        go_on.set()
        await trio.testing.wait_all_tasks_blocked(0.05)
        rig.pass_seconds(6)
        assert (len(rig.registry.calls), rig.live.tunnel.stream_count) == (0, 0)


PSEUDO = {":method": "GET", ":scheme": "http", ":authority": "door.test", ":path": "/livez"}
SOCKET = {**PSEUDO, ":method": "CONNECT", ":protocol": "websocket", "sec-websocket-version": "13"}


@pytest.mark.parametrize(
    "fields",
    [
        {":method": "CONNECT", ":authority": "elsewhere:443"},
        {**PSEUDO, ":path": "/\xe9"},
        {**PSEUDO, ":method": "G\xc9T"},
        {**SOCKET, "sec-websocket-protocol": "\xe9"},
        {**SOCKET, "sec-websocket-extensions": "x; y=\xe9"},
    ],
    ids=["no path", "path", "method", "protocol", "extension"],
)
async def test_h01_http_2_that_hypercorn_stumbles_over_costs_its_sender_the_connection_and_us_a_line(
    fields: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        config = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        connection = H2Connection(config)
        connection.initiate_connection()
        connection.send_headers(1, [*fields.items(), ("cookie", "visiona_session=secret")], end_stream=True)
        with caplog.at_level(logging.INFO):
            await client.stream.send_all(connection.data_to_send())
            await client.rest()
            await trio.testing.wait_all_tasks_blocked(0.05)
        (record,) = [record for record in caplog.records if record.name == "visiona.web.door_handover"]
        assert (record.levelname, record.exc_info) == ("INFO", None)
        assert record.__dict__["reason"] in {"UnboundLocalError", "UnicodeDecodeError"}
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def priority(stream_id: int, depends_on: int) -> bytes:
    return bytes(PriorityFrame(stream_id, depends_on=depends_on, stream_weight=15).serialize())


MANY = b"".join(priority(1001 + 2 * index, 0) for index in range(1001))
DEEP = b"".join(priority(1001 + 2 * index, 999 + 2 * index) for index in range(1, 150)) + priority(1003, 1251)


@pytest.mark.parametrize("frames", [MANY, DEEP], ids=["many", "deep"])
async def test_h01_priorities_beyond_measure_cost_their_sender_the_connection_and_us_a_line(
    frames: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_rig("door", echo) as rig:
        client = await rig.connect()
        h2_client = H2Client(client.stream)
        with caplog.at_level(logging.INFO):
            await h2_client.flush()
            await client.send(frames)
            await client.rest()
            await trio.testing.wait_all_tasks_blocked(0.05)
        (record,) = [record for record in caplog.records if record.name == "visiona.web.door_handover"]
        assert record.__dict__["reason"] in {"TooManyStreamsError", "PriorityLoop"}
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_what_still_comes_of_a_request_that_is_answered_is_dropped_and_its_connection_lives() -> None:
    """Who sends a long body and is refused goes on sending until it hears of it."""

    async def early(stream: TunnelStream) -> None:
        await Request(stream).read_head()
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await finish(stream)

    async with open_rig("asgi", early) as rig:
        client = await rig.connect()
        h2_client = H2Client(client.stream)
        h2 = h2_client.connection
        number = h2.get_next_available_stream_id()
        fields = [(":method", "POST"), (":scheme", "http"), (":authority", "door.test")]
        fields += [(":path", f"{rig.base}/x"), ("authorization", f"Bearer {TOKEN}")]
        h2.send_headers(number, fields)
        h2.send_data(number, b"x")
        await h2_client.flush()
        ended, stopped = False, False
        with trio.fail_after(5):
            while not ended:
                for event in h2.receive_data(await client.stream.receive_some(65536)):
                    ended = ended or isinstance(event, StreamEnded)
                await h2_client.flush()
            h2.send_data(number, b"y" * 1000)
            await h2_client.flush()
            while not stopped:
                for event in h2.receive_data(await client.stream.receive_some(65536)):
                    stopped = stopped or isinstance(event, StreamReset)
            assert (await h2_client.ask(rig, "/api/devices"))[0] == 404
