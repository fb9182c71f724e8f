"""A viewer who reads nothing for a while: how old is what he sees first, on each layer and over HTTP/2."""

import re
import socket
from collections.abc import Awaitable, Callable

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import trio
from visiona.web import door_handover

from tests.web.device_rig import TOKEN, Rig, WebClient, open_rig
from tests.web.test_camera_sharing import Camera, part, sees, settle, until, viewer

PICTURE_BYTES = 10_000
PICTURES = 400
HELD_PICTURES = 60
"""What is on its way, what the kernel takes ahead, one picture that is being sent, and the newest."""

_SEEN = re.compile(rb" picture (\d+) ")

Read = Callable[[], Awaitable[bytes]]


async def raw_connection(rig: Rig) -> trio.SocketStream:
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    await sock.connect(("127.0.0.1", rig.port))
    stream = trio.SocketStream(sock)
    rig.clients.append(WebClient(stream))
    return stream


async def over_http1(rig: Rig) -> Read:
    stream = await raw_connection(rig)
    await stream.send_all(rig.request("GET ~/api/camera/stream"))

    async def read() -> bytes:
        return bytes(await stream.receive_some(65536))

    return read


async def over_http2(rig: Rig) -> Read:
    """With windows as large as a browser's: they are the client's memory, and no bound for us."""
    stream = await raw_connection(rig)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.local_settings = h2.settings.Settings(
        initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 16 << 20}
    )
    connection.initiate_connection()
    connection.increment_flow_control_window(64 << 20)
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", "door.test")]
    fields += [(":path", f"{rig.base}/api/camera/stream"), ("authorization", f"Bearer {TOKEN}")]
    connection.send_headers(1, fields, end_stream=True)
    await stream.send_all(connection.data_to_send())

    async def read() -> bytes:
        events = connection.receive_data(await stream.receive_some(65536))
        data = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
        await stream.send_all(connection.data_to_send())
        return data

    return read


@pytest.mark.parametrize(
    ("layer", "opened"),
    [("door", over_http1), ("asgi", over_http1), ("door", over_http2)],
    ids=["door", "asgi", "http2"],
)
async def test_h15_of_a_viewer_who_stands_still_little_is_held_and_he_goes_on_with_the_newest(
    layer: str, opened: Callable[[Rig], Awaitable[Read]]
) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        read = await opened(rig)
        quick = await viewer(rig)
        await until(lambda: rig.cameras.viewer_count == 2 and bool(camera.streams))
        for number in range(PICTURES):
            await camera.show(part(number, PICTURE_BYTES))
            await sees(quick, number)
            quick.raw = b""
        await settle()
        received, seen = b"", list[int]()
        with trio.fail_after(20):
            while PICTURES - 1 not in seen:
                received += await read()
                seen = [int(number) for number in _SEEN.findall(received)]
        assert seen == sorted(seen)
        assert len(seen) <= HELD_PICTURES
        assert rig.cameras.counts.lost >= PICTURES - HELD_PICTURES


@pytest.mark.parametrize("opened", [over_http1, over_http2], ids=["asgi", "http2"])
async def test_behind_hypercorn_the_kernel_is_told_what_is_live_as_well(
    opened: Callable[[Rig], Awaitable[Read]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does then is in test_door_output.py."""
    told: list[int] = []
    monkeypatch.setattr(door_handover, "hold_little", lambda sock: told.append(sock.fileno()))
    camera = Camera()
    async with open_rig("asgi", camera.program) as rig:
        assert (await (await rig.connect()).ask(rig.request("GET /api/devices"))).status == 404
        assert told == []
        read = await opened(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        received = b""
        with trio.fail_after(5):
            while b" picture 1 " not in received:
                received += await read()
        assert len(told) == 1
