"""The checks must be able to fail: each meets a unit that does not do what it should."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from visiona.agent.addresses import Address
from visiona.cli.demo_checks import (
    CHECK_SECONDS,
    FRAMES,
    Check,
    Visit,
    flash,
    refuse_strangers,
    run_check,
    see_camera,
    see_device,
    see_events,
    see_snapshot,
)
from visiona.cli.demo_client import Client, Unexpected

JPEG = b"\xff\xd8%d\xff\xd9"


class Said:
    """An answer that was made up."""

    def __init__(
        self, status: int, headers: dict[str, str], pieces: list[bytes], gap_seconds: float, events: list[Any]
    ) -> None:
        self.status = status
        self.headers = headers
        self._pieces, self._gap_seconds, self._events = pieces, gap_seconds, events

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            await trio.sleep(self._gap_seconds)
            yield piece

    async def events(self) -> AsyncGenerator[tuple[str, Any], None]:
        for event in self._events:
            await trio.sleep(self._gap_seconds)
            yield event

    async def body(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return b"".join(self._pieces)


class FakeClient:
    """Says the same to everything."""

    site = Address(False, "127.0.0.1", 1)
    token = "vAp_x"

    def __init__(
        self,
        *,
        status: int = 200,
        content_type: str = "",
        pieces: list[bytes] | None = None,
        gap_seconds: float = 0.0,
        events: list[Any] | None = None,
        data: Any = None,
    ) -> None:
        self._said = Said(status, {"content-type": content_type}, pieces or [], gap_seconds, events or [])
        self._data = data

    @asynccontextmanager
    async def request(self, method: str, path: str, payload: object = None) -> AsyncIterator[Said]:
        await trio.lowlevel.checkpoint()
        yield self._said

    async def call(self, method: str, path: str, payload: object = None, *, expect: int = 200) -> Any:
        await trio.lowlevel.checkpoint()
        if isinstance(self._data, Exception):
            raise self._data
        return self._data


async def saw(check: Check, client: FakeClient) -> tuple[bool, str]:
    finding = await run_check("it", check, Visit(client, "d1"))
    return finding.ok, finding.saw


def camera(frames: list[bytes]) -> FakeClient:
    pieces = [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + frame + b"\r\n" for frame in frames]
    return FakeClient(
        content_type="multipart/x-mixed-replace; boundary=frame", pieces=pieces, gap_seconds=0.1
    )


async def test_a_camera_that_moves_passes(autojump_clock: trio.testing.MockClock) -> None:
    ok, said = await saw(see_camera, camera([JPEG % number for number in range(FRAMES + 2)]))
    assert ok, said
    assert "all distinct" in said


async def test_a_camera_that_shows_one_picture_again_and_again_fails(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ok, said = await saw(see_camera, camera([JPEG % 1] * (FRAMES + 2)))
    assert (ok, "1 of" in said) == (False, True)


async def test_a_camera_that_sends_no_pictures_fails(autojump_clock: trio.testing.MockClock) -> None:
    assert not (await saw(see_camera, camera([b"no picture"] * (FRAMES + 2))))[0]
    assert not (await saw(see_camera, FakeClient(status=502)))[0]


async def test_events_that_were_buffered_fail(autojump_clock: trio.testing.MockClock) -> None:
    events = [("hello", 1), ("heartbeat", 2), ("heartbeat", 3)]
    assert (await saw(see_events, FakeClient(events=events, gap_seconds=1)))[0]
    ok, said = await saw(see_events, FakeClient(events=events, gap_seconds=0))
    assert (ok, "buffers" in said) == (False, True)


async def test_progress_that_comes_at_the_end_fails(autojump_clock: trio.testing.MockClock) -> None:
    last = ("done", {"status": "connected", "model": "m"})
    events = [*(("progress", {"progress": number}) for number in range(0, 101, 10)), last]
    assert (await saw(flash, FakeClient(events=events, gap_seconds=0.15)))[0]
    assert not (await saw(flash, FakeClient(events=events, gap_seconds=0)))[0]
    assert not (await saw(flash, FakeClient(events=events[5:3:-1], gap_seconds=0.15)))[0]


@pytest.mark.parametrize("client", [FakeClient(status=503), FakeClient(pieces=[b"<html>"])])
async def test_a_snapshot_that_is_none_fails(client: FakeClient) -> None:
    assert not (await saw(see_snapshot, client))[0]


async def test_a_device_that_never_comes_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    began = trio.current_time()
    ok, said = await saw(
        see_device, FakeClient(data={"name": "n", "tunnel_online": False, "accelerators": []})
    )
    assert (ok, "not done" in said) == (False, True)
    assert trio.current_time() - began == pytest.approx(CHECK_SECONDS)


async def test_a_server_that_lets_strangers_in_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def let_in(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()
        raise Unexpected("answered 200")

    monkeypatch.setattr(Client, "call", let_in)
    assert not (await saw(refuse_strangers, FakeClient()))[0]


async def test_an_answer_of_another_shape_is_a_finding_not_a_crash() -> None:
    ok, said = await saw(see_device, FakeClient(data={}))
    assert (ok, said) == (False, "KeyError: 'accelerators'")
