from typing import Any

import pytest
import trio
import trio.testing
from visiona.domain.access import Scope
from visiona.domain.notices import NoticeKind
from visiona.web.api.live import HEARTBEAT_SECONDS

from tests.web.world import Person, World


async def read_events(world: World, person: Person, count: int, then: trio.Event | None = None) -> bytes:
    """What `/api/live` says, up to a number of pieces, or to its end; then the client leaves."""
    said: dict[str, Any] = {"text": b""}
    left = trio.Event()

    async def receive() -> dict[str, Any]:
        if "asked" not in said:
            said["asked"] = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            said["status"], said["headers"] = message["status"], dict(message["headers"])
            return
        said["text"] += message["body"]
        if then is not None and b"hello" in said["text"]:
            then.set()
        if said["text"].count(b"\n\n") >= count:
            left.set()

    headers = [(name.lower().encode(), value.encode()) for name, value in person.headers.items()]
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/api/live"}
    scope |= {"raw_path": b"/api/live", "query_string": b"", "root_path": "", "headers": headers, "asgi": {}}
    await world.site({**scope, "extensions": {}}, receive, send)
    assert said["status"] == 200
    assert said["headers"][b"content-type"] == b"text/event-stream; charset=utf-8"
    assert said["headers"][b"cache-control"] == b"no-store"
    text: bytes = said["text"]
    return text


async def test_a_change_arrives_as_an_event(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    listening, said = trio.Event(), b""

    async def listen() -> None:
        nonlocal said
        said = await read_events(world, ada, 2, listening)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await listening.wait()
        live = await world.connected(done)
    assert b"event: device\n" in said
    assert str(live.device_id).encode() in said
    await trio.testing.wait_all_tasks_blocked()
    assert len(world.feed) == 0
    assert len(world.registry.calls) == 0


async def test_silence_is_broken_by_a_heartbeat(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    ada = await world.person()
    began = trio.current_time()
    said = await read_events(world, ada, 3)
    assert said.endswith(b": still here\n\n")
    assert trio.current_time() - began >= 2 * HEARTBEAT_SECONDS


async def test_the_answer_ends_when_the_session_does(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    ada = await world.person()
    listening = trio.Event()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_events, world, ada, 100, listening)
        await listening.wait()
        world.revoking.at_once(NoticeKind.TOKEN_REVOKED, ada.token_id)
    assert len(world.feed) == 0


async def test_one_needs_the_scope_and_a_credential() -> None:
    world = World()
    pairer = await world.person("p@example.com", [Scope.PAIRING])
    assert (await pairer.ask("GET", "/api/live")).status == 403
    assert (await world.ask("GET", "/api/live")).status == 401


async def test_one_console_too_many_is_429(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiona.web.live_feed.MAX_LISTENERS_PER_USER", 0)
    world = World()
    ada = await world.person()
    answer = await ada.ask("GET", "/api/live")
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
