"""Snapshots through the API: what is kept, how old it is, and who may see it."""

from visiona.domain.access import Scope
from visiona.domain.causes import Cause
from visiona.domain.ids import DeviceId
from visiona.relay.camera_frames import Picture, PicturePlace

from tests.web.world import Person, World

PICTURE = b"\xff\xd8 picture \xff\xd9"


def path_of(device_id: DeviceId, camera: str = "api/camera/stream") -> str:
    return f"/api/devices/{device_id}/cameras/{camera}/snapshot"


async def keep(
    world: World, owner: Person, device_id: DeviceId, target: bytes = b"/api/camera/stream"
) -> None:
    workspace = (await owner.actor()).personal_workspace
    assert workspace is not None
    world.cameras.kept.keep(
        PicturePlace(workspace, device_id, target), Picture(b"image/jpeg", PICTURE, world.now())
    )


async def test_the_kept_picture_is_shown_while_the_device_is_away_with_its_age() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    await keep(world, ada, done.device_id)
    world.now.forward(seconds=90.5)
    answer = await ada.ask("GET", path_of(done.device_id))
    assert (answer.status, answer.body) == (200, PICTURE)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Age"] == "90"
    assert answer.headers["X-Visiona-Frame-Age"] == "90.500"
    assert answer.headers["Last-Modified"] == "Fri, 02 Jan 2026 03:04:05 GMT"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_without_a_kept_picture_an_absent_device_says_since_when_it_is_away() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    live = await world.connected(done)
    world.registry.depart(live, Cause.KEEPALIVE_TIMEOUT)
    answer = await ada.ask("GET", path_of(done.device_id))
    assert (answer.status, answer.json["error"]["code"]) == (503, "DEVICE_OFFLINE")
    assert answer.json["error"]["details"]["cause"] == "keepalive_timeout"


async def test_h08_a_stranger_sees_no_picture_and_cannot_tell_a_device_from_none() -> None:
    world = World()
    ada, eve = await world.person(), await world.person("eve@example.com")
    done = await world.paired(ada)
    await keep(world, ada, done.device_id)
    answers = [
        await eve.ask("GET", path_of(DeviceId(device)))
        for device in (done.device_id, "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f", "x", "X" * 40)
    ]
    assert {(answer.status, answer.json["error"]["message"]) for answer in answers} == {
        (404, "there is no such device")
    }
    await world.connected(done)
    assert (await eve.ask("GET", path_of(done.device_id))).status == 404


async def test_a_device_that_was_unpaired_shows_nothing_any_more() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    await keep(world, ada, done.device_id)
    await ada.ask("DELETE", f"/api/devices/{done.device_id}")
    assert (await ada.ask("GET", path_of(done.device_id))).status == 404


async def test_a_token_without_the_right_to_use_devices_sees_nothing() -> None:
    world = World()
    ada = await world.person(scopes=[Scope.DEVICES_READ])
    answer = await ada.ask("GET", path_of(DeviceId("01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f")))
    assert (answer.status, answer.json["error"]["code"]) == (403, "FORBIDDEN")


async def test_h07_the_camera_is_asked_for_as_it_was_written() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    await keep(world, ada, done.device_id, b"/cam%20one/mjpeg?size=2")
    assert (await ada.ask("GET", path_of(done.device_id, "cam%20one/mjpeg") + "?size=2")).body == PICTURE
    assert (await ada.ask("GET", path_of(done.device_id, "cam%20one/mjpeg"))).status == 503
    for crooked in ("..%2fadmin", "a/../b", "a//b"):
        answer = await ada.ask("GET", path_of(done.device_id, crooked))
        assert answer.status in {400, 404}, crooked


async def test_who_moves_a_device_takes_no_pictures_along() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    done = await world.paired(ada)
    # What was seen in another workspace is not shown in this one.
    await keep(world, bob, done.device_id)
    assert (await ada.ask("GET", path_of(done.device_id))).status == 503
