"""pair → run → requests through the tunnel, with every kind of agent that there is; each must look the same."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.agents import Unit, go_unit, reference_agent
from tests.e2e.backend import PICTURE, RANGED, Backend
from tests.e2e.client import Caller, until
from tests.e2e.server import Server
from tests.interop import gobuild

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

GO = pytest.mark.interop
KINDS = [
    "reference",
    "reference-web",
    *(
        pytest.param(f"go-{generation}-{mode}", marks=GO)
        for generation in gobuild.GENERATIONS
        for mode in ("pipe", "forward")
    ),
    pytest.param("go-old-pipe-web", marks=GO),
]


@contextmanager
def unit_of(
    kind: str, server: Server, owner: Caller, backend: Backend, factory: pytest.TempPathFactory
) -> Iterator[Unit]:
    by_web = kind.endswith("-web")
    relay = server.web.replace("http", "ws", 1) if by_web else server.relay
    if kind.startswith("reference"):
        with reference_agent(server, owner, factory.mktemp("agent"), backend.url, "--dial", relay) as (
            unit,
            _,
        ):
            yield unit
    else:
        _, generation, mode, *_ = kind.split("-")
        flags = {"mode": mode, "target": backend.address, "relay": relay}
        with go_unit(server, owner, generation, **flags) as (unit, _):
            yield unit


@pytest.fixture(scope="module", params=KINDS)
def unit(
    request: pytest.FixtureRequest,
    server: Server,
    ada: Caller,
    backend: Backend,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Unit]:
    if request.param.startswith("go"):
        gobuild.binary("agent")
    with unit_of(request.param, server, ada, backend, tmp_path_factory) as unit:
        yield unit


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_any_method_and_its_body_cross_both_ways(unit: Unit, method: str) -> None:
    body = os.urandom(300_000) if method != "GET" else None
    answer = unit.owner.ask(method, unit.path(f"/echo?a=1&b=%2F{method}"), body)
    assert answer.status == 200
    assert answer.body == (body or b"")
    assert answer.headers["X-Method"] == method
    assert answer.headers["X-Target"] == f"/echo?a=1&b=%2F{method}"
    assert answer.headers["X-Body-Sha256"] == hashlib.sha256(body or b"").hexdigest()


def test_h09_the_unit_sees_neither_our_token_nor_our_cookies(unit: Unit) -> None:
    headers = {"Cookie": "visiona_session=abc; theirs=1", "Origin": "http://evil.example"}
    seen = unit.owner.ask("GET", unit.path("/anything"), headers=headers).json
    names = {name.lower(): value for name, value in seen["headers"]}
    assert "authorization" not in names
    assert "visiona_session" not in names.get("cookie", "")
    assert "evil" not in names.get("origin", "")
    assert names["x-request-id"]


def test_h16_events_arrive_while_the_answer_goes_on(unit: Unit, backend: Backend) -> None:
    with unit.owner.stream("GET", unit.path("/sse")) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        lines = [response.readline() for _ in range(9)]
    assert lines[::3] == [b"id: 1\n", b"id: 2\n", b"id: 3\n"]


def test_h15_the_last_viewer_that_leaves_stops_the_camera(
    unit: Unit, backend: Backend, measured: Callable[[str, float], None]
) -> None:
    backend.left.clear()
    with unit.owner.stream("GET", unit.path("/mjpeg")) as response:
        assert response.readline() == b"--frame\r\n"
        for _ in range(3):
            response.readline()
        assert response.read(len(PICTURE)) == PICTURE
    # It goes on for `relay.camera_linger_seconds`, for whoever reloads the page.
    measured("until the camera knew", until(lambda: "/mjpeg" in backend.left, "the camera has stopped", 10))


def test_h15_a_reader_that_leaves_stops_what_it_read(
    unit: Unit, backend: Backend, measured: Callable[[str, float], None]
) -> None:
    backend.left.clear()
    with unit.owner.stream("GET", unit.path("/sse")) as response:
        assert response.readline() == b"id: 1\n"
    measured("until the events ended", until(lambda: "/sse" in backend.left, "the events have stopped", 5))


def test_h17_a_range_is_what_was_asked_for(unit: Unit) -> None:
    whole = unit.owner.ask("GET", unit.path("/range"))
    assert (whole.status, whole.body) == (200, RANGED)
    part = unit.owner.ask("GET", unit.path("/range"), headers={"Range": "bytes=1000-1999"})
    assert (part.status, part.body) == (206, RANGED[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(RANGED)}"
    assert (part.headers["ETag"], part.headers["Content-Length"]) == ('"r1"', "1000")
    head = unit.owner.ask("HEAD", unit.path("/range"))
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(RANGED)))


def test_h14_a_websocket_with_its_messages_subprotocol_and_close_code(unit: Unit) -> None:
    with unit.owner.websocket(unit.path("/ws"), subprotocols=["v1.units", "v0"], max_size=None) as socket:
        assert socket.subprotocol == "v1.units"
        for message in ("hello", b"\x00\xff" * 100_000, "", "ü" * 1000):
            socket.send(message)
            assert socket.recv(5) == message
        socket.send("close 4321")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(5)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "as told")


def test_many_at_once_each_get_their_own(unit: Unit) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        body = b"%d," % number * 5000
        if unit.owner.ask("POST", unit.path(f"/echo?n={number}"), body).body != body:
            wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_h11_a_reader_that_stops_holds_up_nobody_else(
    unit: Unit, backend: Backend, measured: Callable[[str, float], None]
) -> None:
    backend.flooded_bytes = 0
    with unit.owner.stream("GET", unit.path("/flood")) as response:
        assert response.read(10) == PICTURE[:10]
        standing_still(backend)
        began = time.monotonic()
        for number in range(20):
            assert unit.owner.ask("POST", unit.path("/echo"), b"%d" % number).body == b"%d" % number
        measured("20 requests beside a reader that stopped", time.monotonic() - began)
        assert backend.flooded_bytes < 32 << 20, "somebody keeps it all in memory"


def standing_still(backend: Backend) -> None:
    """Waits until every buffer on the way is full: the unit can send no more."""
    seen, pause = -1, threading.Event()
    while backend.flooded_bytes != seen:
        seen = backend.flooded_bytes
        pause.wait(0.15)


def test_the_front_ends_own_paths_reach_the_device_that_is_named(unit: Unit) -> None:
    for path in ("/api/camera/list", "/api/media/x?y=1", "/api/firmware/"):
        answer = unit.owner.ask("GET", path, headers={"X-Visiona-Device": unit.device_id})
        assert (answer.status, answer.json["target"]) == (200, path)
    with unit.owner.websocket(f"/ws/detections?device_id={unit.device_id}") as socket:
        socket.send("here")
        assert socket.recv(5) == "here"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_h18_an_answer_that_breaks_off_does_not_look_whole_and_is_not_asked_for_twice(
    unit: Unit, backend: Backend, method: str
) -> None:
    backend.broken_off.clear()
    with pytest.raises((HTTPException, OSError)):
        unit.owner.ask(method, unit.path("/broken"))
    assert unit.owner.ask("GET", unit.path("/after")).status == 200
    assert backend.broken_off == [method]


def test_the_device_is_shown_as_it_is(unit: Unit) -> None:
    item = unit.item
    assert (item["tunnel_online"], item["remote_status"]) == (True, "online")
    assert "offline_cause" not in item
    assert unit.device_id in [one["id"] for one in unit.owner.ask("GET", "/api/devices").data]
    assert unit.owner.ask("GET", "/api/pairing/status").data["connected"] is True
    assert unit.events[0]["kind"] == "connected"
