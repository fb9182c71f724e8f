"""One picture of a camera, of a device that is there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from visiona.domain.errors import DeviceBroke, DeviceTooSlow, NotFound, VisionaError
from visiona.relay.camera_frames import Picture, PicturePlace
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.snapshots import Snapshots

from tests.web.device_rig import (
    ACTOR,
    NOW,
    WORKSPACE,
    DeviceProgram,
    Rig,
    answering,
    finish,
    open_rig,
    read_request,
)
from tests.web.test_camera_sharing import Camera, part, picture, sees, until, viewer

STREAM = b"/api/camera/stream"


@asynccontextmanager
async def before(program: DeviceProgram, *, fetch_seconds: float = 5) -> AsyncIterator[tuple[Rig, Snapshots]]:
    async with open_rig("door", program) as rig:
        yield rig, Snapshots(rig.registry, rig.cameras, rig.sweeper, fetch_seconds)


async def take(rig: Rig, snapshots: Snapshots, target: bytes = STREAM) -> Picture:
    with trio.fail_after(5):
        return await snapshots.take(ACTOR, rig.live, target, "r")


def still(body: bytes, kind: bytes = b"image/jpeg", status: bytes = b"200 OK") -> DeviceProgram:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (status, kind, len(body))
    return answering(head + body)


def keep(rig: Rig, target: bytes = STREAM) -> Picture:
    kept = Picture(b"image/jpeg", picture(99), NOW)
    rig.cameras.kept.keep(PicturePlace(WORKSPACE, rig.live.device_id, target), kept)
    return kept


async def test_the_newest_picture_of_a_shared_stream_is_taken_without_asking_the_device() -> None:
    camera = Camera()
    async with before(camera.program) as (rig, snapshots):
        client = await viewer(rig)
        await until(lambda: bool(camera.streams))
        for number in (1, 2):
            await camera.show(part(number))
            await sees(client, number)
        assert (await take(rig, snapshots)).body == picture(2)
        assert len(camera.asked) == 1


async def test_a_stream_that_nobody_watches_is_opened_for_one_picture_and_closed() -> None:
    camera = Camera()
    async with before(camera.program) as (rig, snapshots), trio.open_nursery() as nursery:
        found: list[Picture] = []

        async def ask() -> None:
            found.append(await take(rig, snapshots))

        nursery.start_soon(ask)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        await until(lambda: bool(found))
        assert (found[0].body, found[0].content_type) == (picture(1), b"image/jpeg")
        assert len(rig.registry.calls) == 0
        # Who asks again soon asks the same stream.
        assert (await take(rig, snapshots)).body == picture(1)
        assert len(camera.asked) == 1
        rig.pass_seconds(6)
        await until(lambda: camera.gone_count == 1)
        assert rig.live.tunnel.stream_count == 0


async def test_pictures_that_are_torn_are_passed_over() -> None:
    camera = Camera()
    async with before(camera.program) as (rig, snapshots), trio.open_nursery() as nursery:
        found: list[Picture] = []

        async def ask() -> None:
            found.append(await take(rig, snapshots))

        nursery.start_soon(ask)
        await until(lambda: bool(camera.streams))
        torn = part(1).replace(b"\xff\xd9", b"..")
        await camera.show(torn + part(2).replace(b"\xff\xd8", b"..") + torn)
        await camera.show(part(3))
        await until(lambda: bool(found))
        assert found[0].body == picture(3)


async def test_an_address_with_a_single_picture_is_a_camera_too_and_its_picture_is_kept() -> None:
    async with before(still(picture(5))) as (rig, snapshots):
        assert (await take(rig, snapshots, b"/snap.jpg")).body == picture(5)
        kept = snapshots.kept_or_none(WORKSPACE, rig.live.device_id, b"/snap.jpg")
        assert kept is not None
        assert kept.body == picture(5)
        await until(lambda: rig.live.tunnel.stream_count == 0)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        (still(b"<html>", b"text/html"), NotFound),
        (still(b"{}", b"application/json", b"404 Not Found"), NotFound),
        (still(b"<svg/>", b"image/svg+xml"), NotFound),
        (still(b"", b"text/plain", b"500 Broken"), DeviceBroke),
        (still(b"", b"text/plain", b"401 Who"), DeviceBroke),
        (still(b"\xff\xd8 torn"), DeviceBroke),
        (still(b"\xff\xd8" + b"x" * 5_000_000 + b"\xff\xd9"), DeviceBroke),
        (answering(b""), DeviceBroke),
        (
            answering(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n--f\r\n"),
            DeviceBroke,
        ),
        (
            answering(
                b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n--f\r\n"
            ),
            DeviceBroke,
        ),
    ],
)
async def test_what_shows_no_picture_says_why(program: DeviceProgram, error: type[VisionaError]) -> None:
    async with before(program) as (rig, snapshots):
        with pytest.raises(error):
            await take(rig, snapshots)
        rig.pass_seconds(10)
        await until(lambda: rig.live.tunnel.stream_count == 0)
        assert len(rig.registry.calls) == len(rig.cameras) == 0


async def test_a_camera_that_shows_nothing_in_time_is_not_waited_for() -> None:
    camera = Camera()
    async with before(camera.program, fetch_seconds=0.05) as (rig, snapshots):
        with pytest.raises(DeviceTooSlow):
            await take(rig, snapshots)
        kept = keep(rig)
        rig.pass_seconds(10)
        assert await take(rig, snapshots) == kept


async def test_a_stream_that_can_only_be_watched_alone_shows_the_kept_picture() -> None:
    async def endless(stream: TunnelStream) -> None:
        await read_request(stream)
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n--f\r\n\r\n"
        )
        while True:
            await stream.send_all(b"x" * 100_000)

    async with before(endless) as (rig, snapshots):
        with pytest.raises(DeviceBroke):
            await take(rig, snapshots)
        with pytest.raises(DeviceBroke):
            await take(rig, snapshots)
        kept = keep(rig)
        assert await take(rig, snapshots) == kept


async def test_one_that_says_there_is_no_camera_is_believed_over_what_is_kept() -> None:
    async with before(still(b"", b"text/plain", b"404 Not Found")) as (rig, snapshots):
        keep(rig)
        with pytest.raises(NotFound):
            await take(rig, snapshots)


async def test_a_tunnel_that_breaks_meanwhile_shows_the_kept_picture() -> None:
    async def closing(stream: TunnelStream) -> None:
        await read_request(stream)
        await finish(stream)

    async with before(closing) as (rig, snapshots):
        kept = keep(rig)
        assert await take(rig, snapshots) == kept
