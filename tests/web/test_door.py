"""The port as a whole: accepting, being full, handing over, stopping."""

import socket

import h2.config
import h2.connection
import h2.events
import pytest
import trio
import trio.testing
from visiona.relay.accepting import accept_forever
from visiona.relay.deadlines import Sweeper
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.door import Door
from visiona.web.door_settings import DoorContext, DoorSettings

from tests.web.device_rig import TOKEN, Rig, answering, echo, finish, open_rig, read_request


def context_of(**settings: float) -> DoorContext:
    return DoorContext(
        access=None,
        sweeper=Sweeper(),
        spawn=None,
        hand_over=None,
        connect_agent=None,
        settings=DoorSettings(**settings),
    )


async def test_a_full_door_says_503_and_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        door = Door(context_of(max_connections=0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                accept_forever, [listener], lambda sock, _: door.welcome(sock, "192.0.2.1", nursery)
            )
            client = await trio.open_tcp_stream(*listener.getsockname())
            async with client:
                assert (await client.receive_some()).startswith(b"HTTP/1.1 503 ")
            nursery.cancel_scope.cancel()


async def test_a_crowd_is_let_in_at_once() -> None:
    async with open_rig("door", echo) as rig:
        clients = [await rig.connect() for _ in range(200)]
        for client in clients:
            await client.send(rig.request("GET ~/"))
        for client in clients:
            assert (await client.answer()).status == 200


async def test_a_bug_in_one_connection_ends_that_connection_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_rig("door", echo) as rig:
        healthy, other = await rig.connect(), await rig.connect()
        assert (await healthy.ask(rig.request("GET ~/"))).status == 200
        monkeypatch.setattr("visiona.web.door_connection.device_target", None)
        await other.send(rig.request("GET ~/"))
        assert await other.rest() == b""
        monkeypatch.undo()
        assert (await healthy.ask(rig.request("GET ~/"))).status == 200
    assert "TypeError" in caplog.text


async def test_a_stop_lets_the_answer_under_way_finish_and_then_closes() -> None:
    go_on = trio.Event()

    async def slow(stream: TunnelStream) -> None:
        await read_request(stream)
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await finish(stream)

    async with open_rig("door", slow) as rig:
        busy, idle = await rig.connect(), await rig.connect()
        await busy.send(rig.request("GET ~/"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        rig.stop.set()
        assert await idle.rest() == b""
        late = await rig.connect()
        refusal = await late.ask(rig.request("GET ~/"))
        assert (refusal.status, refusal.headers["retry-after"]) == (503, "5")
        assert await late.rest() == b""
        go_on.set()
        assert (await busy.answer()).body == b"ok"
        assert await busy.rest() == b""


async def test_s06_a_stop_cuts_what_has_no_end() -> None:
    async def camera(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n--x\r\n"
        )
        await trio.sleep_forever()

    async with open_rig("door", camera) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/"))
        await client.line()
        rig.stop.set()
        with trio.fail_after(1):
            assert not (await client.rest()).endswith(b"0\r\n\r\n")


class H2Client:
    """HTTP/2 with prior knowledge, spoken by h2."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.connection.initiate_connection()

    async def flush(self) -> None:
        if data := self.connection.data_to_send():
            await self.stream.send_all(data)

    async def ask(self, rig: Rig, path: str, body: bytes = b"") -> tuple[int, bytes, list[h2.events.Event]]:
        """Status, body and how it ended."""
        number = self.connection.get_next_available_stream_id()
        headers = [
            (":method", "POST" if body else "GET"),
            (":scheme", "http"),
            (":authority", "door.test"),
            (":path", path.replace("~", rig.base)),
            ("authorization", f"Bearer {TOKEN}"),
        ]
        self.connection.send_headers(number, headers, end_stream=not body)
        if body:
            self.connection.send_data(number, body, end_stream=True)
        await self.flush()
        status, answer = 0, b""
        while True:
            for event in self.connection.receive_data(await self.stream.receive_some(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    answer += event.data
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    await self.flush()
                    return status, answer, [event]
            await self.flush()


@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_http_2_reaches_the_device_by_the_same_port(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = H2Client((await rig.connect()).stream)
        assert (await client.ask(rig, "~/a"))[:2] == (200, b"")
        assert (await client.ask(rig, "~/b", b"body"))[:2] == (200, b"body")
        assert (await client.ask(rig, "/api/devices"))[:2] == (404, b"site /api/devices")


async def test_t33_a_short_answer_resets_its_stream_of_http_2_and_no_other() -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]

    async def device(stream: TunnelStream) -> None:
        await answering(answers.pop(0))(stream)

    async with open_rig("asgi", device) as rig:
        client = H2Client((await rig.connect()).stream)
        with trio.fail_after(2):
            _, body, ends = await client.ask(rig, "~/short")
            assert isinstance(ends[0], h2.events.StreamReset)
            assert (await client.ask(rig, "~/whole"))[:2] == (200, b"ok")
        assert len(body) < 10


@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_when_everybody_has_left_nothing_is_left(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        for _ in range(20):
            client = await rig.connect()
            assert (await client.ask(rig.request("GET ~/"))).status == 200
            await client.send(rig.request("POST ~/", "Content-Length: 10", body=b"half"))
            await client.aclose()
        await trio.testing.wait_all_tasks_blocked(0.05)
        rig.pass_seconds(6)
        assert (rig.sweeper.watched_count, len(rig.registry.calls), rig.live.tunnel.stream_count) == (0, 0, 0)
