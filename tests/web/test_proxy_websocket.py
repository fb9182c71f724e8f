"""WebSockets through both layers; the client is the websockets library, the device's server is wsproto."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import trio
import trio.testing
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.door import leaving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.trio.client import ClientConnection, connect
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from tests.web.device_rig import ACTOR, NOW, TOKEN, Rig, open_rig

pytestmark = pytest.mark.parametrize("layer", ["door", "asgi"])

Behaviour = Callable[["DeviceSocket"], Awaitable[None]]


class DeviceSocket:
    """The device's end of a WebSocket."""

    def __init__(self, stream: TunnelStream) -> None:
        self.stream = stream
        self.frames = WSConnection(ConnectionType.SERVER)
        self.request: Request

    async def open(self) -> None:
        event = await self.event()
        assert isinstance(event, Request)
        self.request = event

    async def accept(self, subprotocol: str | None = None) -> None:
        await self.say(AcceptConnection(subprotocol=subprotocol))

    async def say(self, event: Event) -> None:
        await self.stream.send_all(self.frames.send(event))

    async def event(self) -> Event:
        while True:
            for event in self.frames.events():
                return event
            data = await self.stream.receive_some(65536)
            self.frames.receive_data(data or None)


def device(behaviour: Behaviour) -> Callable[[TunnelStream], Awaitable[None]]:
    async def program(stream: TunnelStream) -> None:
        end = DeviceSocket(stream)
        await end.open()
        with contextlib.suppress(trio.BrokenResourceError):
            await behaviour(end)
        await stream.send_eof()
        await stream.aclose()

    return program


async def echoing(end: DeviceSocket) -> None:
    await end.accept()
    while True:
        match await end.event():
            case TextMessage() | BytesMessage() as message:
                await end.say(message)
            case Ping() as ping:
                await end.say(ping.response())
            case CloseConnection() as close:
                await end.say(close.response())
                return


@contextlib.asynccontextmanager
async def dialled(rig: Rig, path: str = "~/socket", **options: object) -> AsyncIterator[ClientConnection]:
    uri = f"ws://127.0.0.1:{rig.port}{path.replace('~', rig.base)}"
    options.setdefault("additional_headers", {"Authorization": f"Bearer {TOKEN}"})
    async with connect(uri, ping_interval=None, close_timeout=1, **options) as connection:
        yield connection


async def test_text_and_binary_messages_come_back_as_they_went(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        for message in ["hello", b"\x00\x01", "é" * 1000, bytes(300_000)]:
            await client.send(message)
            assert await client.recv() == message


async def test_a_subprotocol_is_the_devices_choice(layer: str) -> None:
    async def choosing(end: DeviceSocket) -> None:
        assert end.request.subprotocols == ["one", "two"]
        await end.accept("two")
        await end.event()

    async with (
        open_rig(layer, device(choosing)) as rig,
        dialled(rig, subprotocols=["one", "two"], compression=None) as client,
    ):
        assert client.subprotocol == "two"


async def test_the_devices_close_code_and_reason_reach_the_client(layer: str) -> None:
    async def closing(end: DeviceSocket) -> None:
        await end.accept()
        await end.say(CloseConnection(code=4321, reason="enough"))
        await end.event()

    async with open_rig(layer, device(closing)) as rig, dialled(rig, compression=None) as client:
        with pytest.raises(ConnectionClosed) as caught:
            await client.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4321, "enough")


async def test_the_clients_close_reaches_the_device(layer: str) -> None:
    seen: list[Event] = []
    over = trio.Event()

    async def watching(end: DeviceSocket) -> None:
        await end.accept()
        close = await end.event()
        seen.append(close)
        over.set()
        assert isinstance(close, CloseConnection)
        await end.say(close.response())

    async with open_rig(layer, device(watching)) as rig:
        async with dialled(rig, compression=None) as client:
            await client.aclose(code=4001)
        with trio.fail_after(2):
            await over.wait()
    assert isinstance(seen[0], CloseConnection)
    # Hypercorn does not say which code the client gave.
    assert seen[0].code == (4001 if layer == "door" else 1001)


async def test_a_device_that_refuses_the_upgrade_is_heard(layer: str) -> None:
    async def refusing(end: DeviceSocket) -> None:
        await end.say(RejectConnection(status_code=418, headers=[(b"Content-Length", b"3")], has_body=True))
        await end.say(RejectData(data=b"no!", body_finished=True))

    async with open_rig(layer, device(refusing)) as rig:
        with pytest.raises(InvalidStatus) as caught:
            async with dialled(rig, compression=None):
                pass
        assert caught.value.response.status_code == 418


async def test_h14_a_wrong_origin_without_a_bearer_token_is_403(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig:
        with pytest.raises(InvalidStatus) as caught:
            async with dialled(
                rig, origin="https://evil.example", additional_headers={"Cookie": "visiona_session=x"}
            ):
                pass
        assert caught.value.response.status_code == 403


async def test_h14_a_bearer_token_is_good_from_any_origin(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, origin="https://any.example") as client:
        await client.send("x")
        assert await client.recv() == "x"


async def closed_with(client: ClientConnection) -> int:
    with trio.fail_after(2), pytest.raises(ConnectionClosed) as caught:
        while True:
            await client.recv()
    return caught.value.rcvd.code if caught.value.rcvd is not None else 1006


async def test_h14_a_session_that_ends_closes_the_socket_with_4401(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        await client.send("x")
        assert await client.recv() == "x"
        rig.registry.calls.cut_user("0190d9a0-0000-7000-8000-000000000001")
        assert await closed_with(client) == 4401


async def test_h14_a_token_that_expires_closes_the_socket_with_4401(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = NOW + timedelta(hours=1)
    monkeypatch.setattr("tests.web.device_rig.ACTOR", replace(ACTOR, expires_at=soon))
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        assert rig.registry.calls.expire(soon - timedelta(seconds=1)) == 0
        await client.send("x")
        assert await client.recv() == "x"
        assert rig.registry.calls.expire(soon) == 1
        assert await closed_with(client) == 4401


async def test_h14_a_tunnel_that_dies_closes_the_socket_with_1011(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        await client.send("x")
        assert await client.recv() == "x"
        rig.live.tunnel.close("keepalive_timeout")
        assert await closed_with(client) == 1011


async def test_h14_a_device_that_ends_without_a_close_is_1011(layer: str) -> None:
    async def leaving_at_once(end: DeviceSocket) -> None:
        await end.accept()

    async with open_rig(layer, device(leaving_at_once)) as rig, dialled(rig, compression=None) as client:
        assert await closed_with(client) == 1011


async def test_a_server_that_stops_closes_sockets_with_1001(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        await client.send("x")
        assert await client.recv() == "x"
        rig.stop.set()
        assert await closed_with(client) == 1001
        assert leaving().details == {"cause": "server_drain"}


async def test_h14_a_client_that_vanishes_ends_the_devices_side(layer: str) -> None:
    over = trio.Event()

    async def waiting(end: DeviceSocket) -> None:
        await end.accept()
        try:
            while not isinstance(await end.event(), CloseConnection):
                pass
        finally:
            over.set()

    async with open_rig(layer, device(waiting)) as rig:
        async with dialled(rig, compression=None) as client:
            await client.send("x")
            await trio.testing.wait_all_tasks_blocked(0.02)
            await trio.aclose_forcefully(client.stream)
        with trio.fail_after(1):
            while not over.is_set():
                await trio.sleep(0.02)
                rig.pass_seconds(0.5)


async def test_pings_of_the_client_are_answered(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        with trio.fail_after(2):
            await (await client.ping(b"still there?")).wait()


async def test_a_socket_that_is_idle_for_minutes_stays(layer: str) -> None:
    async with open_rig(layer, device(echoing)) as rig, dialled(rig, compression=None) as client:
        await client.send("x")
        assert await client.recv() == "x"
        rig.pass_seconds(600)
        await client.send("y")
        assert await client.recv() == "y"
