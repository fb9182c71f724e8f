"""Writing a model onto an accelerator, by devices that tell of it and by those that only do it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from visiona.domain.errors import DeviceBroke
from visiona.relay import model_flash
from visiona.relay.model_flash import MAX_LINE_BYTES, Busy, flash
from visiona.relay.registry import LiveTunnel
from visiona.tunnel.byte_stream import TunnelStream

from tests.web.device_rig import finish, open_rig, read_request

SHA256 = "a" * 64


class Unit:
    """One accelerator; `states` are what it is, one after the other, the last one for ever."""

    def __init__(self, *states: str, events: bytes | None = None, connect_status: int = 200) -> None:
        self.states = list(states)
        self.events = events
        self.connect_status = connect_status
        self.asked: list[str] = []

    async def __call__(self, stream: TunnelStream) -> None:
        request = await read_request(stream)
        path = request.head.target.decode()
        self.asked.append(path)
        if path.endswith("/flash") and self.events is not None:
            await stream.send_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
            )
            for at in range(0, len(self.events), 7):
                await stream.send_all(self.events[at : at + 7])
        elif path == "/api/devices":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            await self._say(stream, 200, [{"id": "a/b", "type": "KL720", "status": state}])
        else:
            await self._say(stream, self.connect_status, {"error": {"message": "cannot"}})
        await finish(stream)

    async def _say(self, stream: TunnelStream, status: int, said: Any) -> None:
        body = json.dumps(said).encode()
        await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


@asynccontextmanager
async def live_of(unit: Callable[[TunnelStream], Awaitable[None]]) -> AsyncIterator[LiveTunnel]:
    async with open_rig("door", unit) as rig:
        yield rig.live


async def flashed(unit: Unit) -> list[int]:
    told: list[int] = []
    async with live_of(unit) as live:
        with trio.fail_after(10):
            await flash(live, "a/b", "model-7", SHA256, told.append)
    return told


async def refused(unit: Unit, error: type[Exception], words: str | None = None) -> None:
    async with live_of(unit) as live:
        with trio.fail_after(10), pytest.raises(error, match=words):
            await flash(live, "a/b", "model-7", SHA256, lambda _: None)


async def test_progress_is_told_in_percent_and_nonsense_is_passed_over() -> None:
    lines = (
        'event: progress\ndata: {"progress": 0}\n\n'
        "data: nonsense\n\n: a comment\n\n"
        'data: {"progress": true}\n\ndata: {"progress": 101}\n\ndata: {"data": {"percent": 50.5}}\r\n\r\n'
        'event: done\ndata: {"progress": 100}\n\n'
    )
    assert await flashed(Unit("connected", events=lines.encode())) == [0, 50, 100]


@pytest.mark.parametrize(
    "events",
    [
        b'event: error\ndata: {"message": "broken"}\n\n',
        b'data: {"status": "error"}\n\n',
        b"data: " + b"x" * (MAX_LINE_BYTES + 100),
    ],
)
async def test_an_error_among_the_events_is_one(events: bytes) -> None:
    await refused(Unit("connected", events=events), DeviceBroke)


async def test_a_device_that_answers_at_once_is_asked_until_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_flash, "ASK_AGAIN_SECONDS", 0)
    unit = Unit("connected", "flashing", "flashing", "connected")
    assert await flashed(unit) == []
    # Whatever an agent calls an accelerator, it is one segment of a path.
    assert unit.asked == ["/api/devices", "/api/devices/a%2Fb/flash", *["/api/devices"] * 3]


@pytest.mark.parametrize("state", ["inferencing", "flashing"])
async def test_an_accelerator_that_does_something_else_is_left_alone(state: str) -> None:
    unit = Unit(state)
    await refused(unit, Busy)
    assert unit.asked == ["/api/devices"]


async def test_one_that_says_error_afterwards_or_cannot_be_connected_has_failed() -> None:
    await refused(Unit("connected", "error"), DeviceBroke, "writing failed")
    await refused(Unit("detected", connect_status=500), DeviceBroke, "cannot connect")
