import logging
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.lowlevel
from quart import Blueprint
from visiona.domain.errors import DeviceOffline
from visiona.stores.errors import StoreUnavailable
from visiona.web.guards import PUBLIC
from visiona.web.settings import WebSettings
from visiona.web.site import SEND_SECONDS

from tests.web.asking import scope_of
from tests.web.world import World


def world_with(handler: Callable[[], Awaitable[str]], monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("visiona.web.guards.PUBLIC", PUBLIC | {("GET", "/test")})
    world = World()
    routes = Blueprint("test", __name__)
    routes.get("/test")(handler)
    world.site.register_blueprint(routes)
    return world


async def test_h22_nothing_of_the_api_is_cached_sniffed_or_framed() -> None:
    world = World()
    ada = await world.person()
    for answer in (
        await ada.ask("GET", "/api/devices"),
        await world.ask("GET", "/api/devices"),
        await world.ask("GET", "/me/x.css"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("sent", ["abc", "0f8fad5b-d9cb-469f-a165-70867728950e", "req_1:2.3", "x" * 64])
async def test_a_well_formed_request_id_comes_back(sent: str) -> None:
    world = World()
    answer = await world.ask("GET", "/livez", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "a b", "x" * 65, "a\tb", "-x", "vAp_" + "0" * 20, "a;b", "é"])
async def test_another_request_id_is_replaced(sent: str) -> None:
    world = World()
    answer = await world.ask("GET", "/livez", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] not in {"", sent}
    assert len(answer.headers["X-Request-Id"]) == 24


async def test_a_bug_is_500_with_an_incident_and_one_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> str:
        raise ZeroDivisionError("the password is hush")

    world = world_with(broken, monkeypatch)
    answer = await world.ask("GET", "/test")
    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    assert b"hush" not in answer.body
    assert b"ZeroDivision" not in answer.body
    records = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(records) == 1
    assert records[0].exc_info is not None
    assert records[0].incident_id == answer.json["error"]["details"]["incident_id"]


async def test_a_bug_beside_a_refusal_does_not_hide_behind_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> str:
        raise ExceptionGroup("both", [DeviceOffline("gone"), ZeroDivisionError("bug")])

    world = world_with(broken, monkeypatch)
    assert (await world.ask("GET", "/test")).status == 500
    assert "ZeroDivisionError" in caplog.text


async def test_a_refusal_in_a_group_of_one_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def offline() -> str:
        raise ExceptionGroup("one", [DeviceOffline("gone", details={"since": None, "cause": "replaced"})])

    world = world_with(offline, monkeypatch)
    answer = await world.ask("GET", "/test")
    assert (answer.status, answer.code) == (503, "DEVICE_OFFLINE")
    assert answer.json["error"]["details"] == {"since": None, "cause": "replaced"}


async def test_t11_a_store_that_is_down_is_503_with_a_time_and_no_driver_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def down() -> str:
        raise StoreUnavailable("connect to db.internal:5432 refused", retry_after_seconds=3)

    world = world_with(down, monkeypatch)
    answer = await world.ask("GET", "/test")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "STORE_UNAVAILABLE", "3")
    assert b"db.internal" not in answer.body


async def test_an_access_line_says_who_asked_what_and_holds_no_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "visiona.access")
    world = World()
    ada = await world.person()
    token = (await ada.ask("POST", "/api/pairing/token")).data["token"]
    await ada.ask("DELETE", f"/api/pairing/tokens/{token}?token={token}")
    lines = [record.__dict__ for record in caplog.records if record.name == "visiona.access"]
    assert len(lines) == 2
    assert (lines[1]["method"], lines[1]["status"], lines[1]["user_id"]) == ("DELETE", 204, ada.user_id)
    assert lines[1]["path"] == f"/api/pairing/tokens/{token[:8]}…"
    assert not any(token in str(line) or ada.token in str(line) for line in lines)


async def test_the_address_is_the_peers_unless_a_proxy_is_trusted(caplog: pytest.LogCaptureFixture) -> None:
    from ipaddress import ip_network

    caplog.set_level(logging.INFO, "visiona.access")
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    for trusted, expected in (((), "198.51.100.1"), ((ip_network("198.51.100.0/24"),), "203.0.113.9")):
        world = World(settings=WebSettings(trusted_proxies=trusted))
        await world.ask("GET", "/livez", headers=forwarded, scope_base={"client": ("198.51.100.1", 4000)})
        assert caplog.records[-1].address == expected


async def test_a_request_whose_client_left_is_cancelled_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = trio.Event()

    async def waits() -> str:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()
        return ""

    world = world_with(waits, monkeypatch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.ask, "GET", "/test")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ended.is_set()


async def early_status(world: World, length: int, sent: bytes) -> int:
    """The status of an answer to a body that never ends."""
    headers = {"Content-Type": "application/json", "Content-Length": str(length)}
    connection = world.client.request("/api/pairing/exchange", method="POST", headers=headers)
    async with connection:
        await connection.send(sent)
        with trio.fail_after(30):
            response = await connection.as_response()
    return int(response.status_code)


async def test_h11_a_body_that_never_ends_is_answered_408(autojump_clock: trio.testing.MockClock) -> None:
    assert await early_status(World(), 100, b'{"pairing_token":') == 408


async def test_h12_a_body_announced_as_too_large_is_413_before_it_comes() -> None:
    assert await early_status(World(), 2**40, b"{") == 413


@pytest.mark.parametrize("path", ["//livez", "///livez", "//api/devices", "//", "//pairing"])
async def test_h07_more_slashes_in_front_are_another_path(path: str) -> None:
    world = World()
    ada = await world.person()
    spelt = {"path": path, "raw_path": path.encode()}
    assert (await ada.ask("GET", "/livez", scope_base=spelt)).code == "NOT_FOUND"
    person = {"Accept": "text/html"}
    assert (await ada.ask("GET", "/livez", scope_base=spelt, headers=person)).status == 404


async def test_a_bug_in_finishing_an_answer_is_500_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**line: object) -> None:
        raise ZeroDivisionError("bug")

    world = World()
    monkeypatch.setattr("visiona.web.site.log_access", broken)
    answer = await world.ask("GET", "/livez")
    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    assert "ZeroDivisionError" in caplog.text


async def test_a_websocket_to_nowhere_is_refused() -> None:
    world = World()
    sent: list[dict[str, object]] = []
    events = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, object]:
        await trio.lowlevel.checkpoint()
        if (event := next(events, None)) is None:
            await trio.sleep_forever()
        return dict(event or {})

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/api/devices",
        "raw_path": b"/api/devices",
        "query_string": b"",
        "headers": [(b"x-request-id", b"mine")],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    await world.site(scope, receive, send)
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == 400
    assert b'"request_id":"mine"' in sent[1]["body"]


async def test_the_last_send_is_not_cancelled_by_the_end_that_it_causes() -> None:
    """Hypercorn reports the end of the request from within the send of the answer's last piece."""
    world = World()
    answered = trio.Event()
    finished: list[str] = []
    asked = False

    async def receive() -> dict[str, object]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()
            await trio.testing.wait_all_tasks_blocked()
            finished.append("the server's own work after the answer")

    await world.site(scope_of("/livez"), receive, send)
    assert finished == ["the server's own work after the answer"]


async def test_h11_an_answer_that_the_client_never_makes_room_for_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In HTTP/2 a client may open no window, and its connection is well all the same."""
    world = World()

    async def receive() -> dict[str, object]:
        await trio.sleep_forever()
        return {}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            await trio.sleep_forever()

    with trio.fail_after(SEND_SECONDS + 1):
        await world.site(scope_of("/livez", "2"), receive, send)
