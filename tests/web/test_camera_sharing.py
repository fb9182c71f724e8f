"""Many viewers of one moving picture, on both layers: one stream to the device, and nobody waits for anybody."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing
from visiona.domain.causes import Cause
from visiona.tunnel.byte_stream import TunnelStream

from tests.web.device_rig import (
    Rig,
    WebClient,
    answering,
    open_rig,
    read_request,
)

pytestmark = pytest.mark.parametrize("layer", ["door", "asgi"])

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n"


def picture(number: int, size: int = 100) -> bytes:
    body = b"\xff\xd8 picture %d " % number
    return body.ljust(size - 2, b".") + b"\xff\xd9"


def part(number: int, size: int = 100) -> bytes:
    body = picture(number, size)
    return b"--f\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(body), body)


@dataclass
class Camera:
    """A device whose moving picture moves when a test says so."""

    head: bytes = HEAD
    answers_at_once: bool = True
    streams: list[TunnelStream] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    gone_count: int = 0
    answers: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        if self.answers_at_once:
            self.answers.set()

    async def program(self, stream: TunnelStream) -> None:
        request = await read_request(stream)
        self.asked.append(request.head.target)
        await self.answers.wait()
        await stream.send_all(self.head)
        self.streams.append(stream)
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        self.gone_count += 1

    async def show(self, data: bytes) -> None:
        for stream in self.streams:
            await stream.send_all(data)


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not condition():
            await trio.testing.wait_all_tasks_blocked(0.001)


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked(0.02)


async def viewer(rig: Rig, path: str = "~/api/camera/stream", *headers: str) -> WebClient:
    client = await rig.connect()
    await client.send(rig.request(f"GET {path}", *headers))
    return client


async def sees(client: WebClient, number: int) -> None:
    """Reads up to and with a picture."""
    wanted = b" picture %d " % number
    with trio.fail_after(5):
        while wanted not in client.raw:
            data = await client.stream.receive_some(65536)
            assert data, f"ended after {client.raw[-200:]!r}"
            client.raw += data


async def test_fifty_viewers_are_one_stream_to_the_device(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        viewers = [await viewer(rig) for _ in range(50)]
        await until(lambda: rig.cameras.viewer_count == 50)
        await until(lambda: bool(camera.streams))
        for number in range(3):
            await camera.show(part(number))
            for client in viewers:
                await sees(client, number)
        assert len(camera.asked) == rig.live.tunnel.stream_count == 1


async def test_many_who_come_before_the_first_answer_wait_for_it(layer: str) -> None:
    camera = Camera(answers_at_once=False)
    async with open_rig(layer, camera.program) as rig:
        viewers = [await viewer(rig) for _ in range(10)]
        await until(lambda: rig.cameras.viewer_count == 10)
        camera.answers.set()
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        for client in viewers:
            await sees(client, 1)
        assert len(camera.asked) == 1


async def test_a_path_that_does_not_look_like_a_camera_is_shared_once_it_has_answered(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        first = await viewer(rig, "~/eye")
        await until(lambda: rig.cameras.viewer_count == 1)
        await camera.show(part(1))
        await sees(first, 1)
        second = await viewer(rig, "~/eye")
        await sees(second, 1)
        await camera.show(part(2))
        for client in (first, second):
            await sees(client, 2)
        assert camera.asked == [b"/eye"]


@pytest.mark.parametrize("path", ["~/eye", "~/stream"])
async def test_what_a_viewer_sends_ahead_waits_for_the_end_of_the_picture(layer: str, path: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        client = await viewer(rig, path)
        await until(lambda: rig.cameras.viewer_count == 1 and bool(camera.streams))
        await camera.show(part(1))
        await sees(client, 1)
        await client.send(rig.request("GET ~/next"))
        await settle()
        await camera.show(part(2))
        await sees(client, 2)
        assert len(camera.asked) == 1


async def test_those_who_asked_for_it_at_once_come_together_when_it_answers(layer: str) -> None:
    camera = Camera(answers_at_once=False)
    async with open_rig(layer, camera.program) as rig:
        viewers = [await viewer(rig, "~/eye") for _ in range(3)]
        await until(lambda: len(camera.asked) == 3)
        camera.answers.set()
        await until(lambda: rig.cameras.viewer_count == 3)
        await until(lambda: camera.gone_count == 2)
        assert rig.live.tunnel.stream_count == 1
        for stream in camera.streams:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(part(2))
        for client in viewers:
            await sees(client, 2)
        assert len(rig.registry.calls) == 3


async def test_who_comes_late_sees_the_last_picture_at_once(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        first = await viewer(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(7))
        await sees(first, 7)
        late = await viewer(rig)
        await sees(late, 7)
        await late.exactly(late.raw.index(picture(7)) + 100)
        # Browsers show a part when its end is there.
        assert b"\r\n--f\r\n" in await late.exactly(7)


async def test_the_answer_is_what_the_device_would_have_sent(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        client = await viewer(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        head = (await client.line()).lower()
        assert b"content-type: multipart/x-mixed-replace; boundary=f\r\n" in head
        assert b"content-security-policy: sandbox" in head
        await sees(client, 1)
        assert b"--f\r\ncontent-type: image/jpeg\r\ncontent-length: 100\r\n\r\n" in client.raw.lower()


async def test_a_slow_viewer_loses_pictures_and_keeps_nobody_waiting(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        slow, quick = await viewer(rig), await viewer(rig)
        await until(lambda: rig.cameras.viewer_count == 2 and bool(camera.streams))
        for number in range(40):
            await camera.show(part(number, 1_000_000))
            await sees(quick, number)
            quick.raw = b""
        with trio.fail_after(10):
            seen: list[int] = []
            while 39 not in seen:
                await sees_any(slow, seen)
        assert len(seen) < 40
        assert seen == sorted(seen)


async def sees_any(client: WebClient, seen: list[int]) -> None:
    """Reads some, and notes which pictures came whole."""
    client.raw += await client.stream.receive_some(1_000_000)
    while (end := client.raw.find(b"\xff\xd9")) >= 0:
        seen.append(int(client.raw[:end].partition(b" picture ")[2].split(b" ")[0]))
        client.raw = client.raw[end + 2 :]


async def test_h15_without_viewers_the_stream_ends_after_a_moment(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        client = await viewer(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        await sees(client, 1)
        await client.aclose()
        rig.pass_seconds(1)
        await until(lambda: rig.cameras.viewer_count == 0)
        rig.pass_seconds(3.5)
        await settle()
        assert camera.gone_count == 0
        rig.pass_seconds(2)
        await until(lambda: camera.gone_count == 1)
        assert len(rig.cameras) == rig.live.tunnel.stream_count == 0


async def test_who_comes_back_in_time_takes_the_stream_up_again(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        client = await viewer(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        await sees(client, 1)
        await client.aclose()
        rig.pass_seconds(1)
        await until(lambda: rig.cameras.viewer_count == 0)
        back = await viewer(rig)
        await sees(back, 1)
        rig.pass_seconds(30)
        await camera.show(part(2))
        await sees(back, 2)
        assert len(camera.asked) == 1


async def test_a_credential_that_is_taken_away_ends_its_own_view_only(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        cut, other = await viewer(rig), await viewer(rig)
        await until(lambda: rig.cameras.viewer_count == 2 and bool(camera.streams))
        await camera.show(part(1))
        await sees(cut, 1)
        calls = list(rig.registry.calls._calls)
        assert len(calls) == 2
        calls[0].close("revoked")
        ended = await cut.rest()
        assert not ended.endswith(b"0\r\n\r\n")
        await camera.show(part(2))
        await sees(other, 2)
        assert len(rig.registry.calls) == 1


async def test_all_viewers_end_with_the_tunnel_and_the_next_request_tries_again(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        viewers = [await viewer(rig) for _ in range(5)]
        await until(lambda: rig.cameras.viewer_count == 5 and bool(camera.streams))
        await camera.show(part(1))
        for client in viewers:
            await sees(client, 1)
        rig.registry.cut_device(rig.live.device_id, Cause.REVOKED)
        for client in viewers:
            assert not (await client.rest()).endswith(b"0\r\n\r\n")
        assert len(rig.cameras) == len(rig.registry.calls) == 0
        again = await rig.connect()
        assert (await again.ask(rig.request("GET ~/api/camera/stream"))).status == 503


async def test_what_is_no_camera_goes_to_each_who_asked(layer: str) -> None:
    program = answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
    async with open_rig(layer, program) as rig:
        clients = [await viewer(rig, "~/stream") for _ in range(5)]
        for client in clients:
            assert (await client.answer()).body == b"hello"
            assert (await client.ask(rig.request("GET ~/stream"))).body == b"hello"
        await until(lambda: rig.live.tunnel.stream_count == 0)
        assert len(rig.cameras) == len(rig.registry.calls) == 0


async def test_a_first_piece_of_what_is_no_camera_is_not_kept_back(layer: str) -> None:
    camera = Camera(head=b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    async with open_rig(layer, camera.program) as rig:
        client = await viewer(rig, "~/stream")
        await client.line()
        with trio.fail_after(2):
            assert b"data: 1" in await client.exactly(14)


@pytest.mark.parametrize(
    "header",
    [
        *("Cookie: device=1", "Range: bytes=0-", "X-Api-Key: k", "If-None-Match: a", "Content-Length: 0"),
        *("Accept: image/jpeg", "Sec-Token: k", "If-Modified-Since: x"),
    ],
)
async def test_a_request_that_says_something_of_its_own_is_not_shared(layer: str, header: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        first = await viewer(rig)
        await until(lambda: len(camera.streams) == 1)
        second = await viewer(rig, "~/api/camera/stream", header)
        await until(lambda: len(camera.streams) == 2)
        await camera.show(part(1) + b"--f\r\n")
        await sees(first, 1)
        await sees(second, 1)
        assert rig.cameras.viewer_count == 1


async def test_another_query_is_another_camera(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        for query in ("?a=1", "?a=2"):
            await viewer(rig, f"~/camera{query}")
        await until(lambda: len(camera.streams) == 2)
        assert sorted(camera.asked) == [b"/camera?a=1", b"/camera?a=2"]


async def test_a_picture_that_is_too_long_makes_the_stream_the_first_viewers_own(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        client = await viewer(rig)
        await until(lambda: bool(camera.streams))
        huge = picture(1, 5_000_000)
        reader = trio.Event()

        async def read() -> None:
            while b"\xff\xd9" not in client.raw:
                client.raw += await client.stream.receive_some(1_000_000)
            reader.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await camera.show(b"--f\r\nContent-Type: image/jpeg\r\n\r\n" + huge)
            with trio.fail_after(10):
                await reader.wait()
        body = client.raw.partition(b"\r\n\r\n")[2]
        assert _unchunked(body) == b"--f\r\nContent-Type: image/jpeg\r\n\r\n" + huge
        assert len(rig.cameras) == 0
        assert len(rig.registry.calls) == 1
        # And so it stays: nobody is let down by it twice.
        second = await viewer(rig)
        await until(lambda: len(camera.streams) == 2)
        await camera.streams[1].send_all(part(2))
        await sees(second, 2)
        assert rig.cameras.viewer_count == 0


def _unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        body += rest[: int(size, 16)]
        data = rest[int(size, 16) + 2 :]
    return body


async def test_nothing_is_left_when_all_have_gone(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        clients = [await viewer(rig) for _ in range(3)]
        await until(lambda: rig.cameras.viewer_count == 3)
        for client in clients:
            await client.aclose()
        rig.pass_seconds(1)
        await until(lambda: rig.cameras.viewer_count == 0)
        rig.pass_seconds(6)
        await until(lambda: rig.live.tunnel.stream_count == 0)
        assert len(rig.cameras) == len(rig.registry.calls) == 0
