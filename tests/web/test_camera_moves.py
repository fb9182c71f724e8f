"""What a device has shown, once it is gone or somewhere else: nobody sees it any more, and its memory is free."""

import pytest
import trio
from visiona.domain.errors import DeviceBroke, NotSignedIn
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.notices import DeviceMove, NoticeKind
from visiona.relay.camera_frames import Picture, PicturePlace
from visiona.tunnel.byte_stream import TunnelStream
from visiona.web.revoking import Revoking
from visiona.web.snapshots import Snapshots

from tests.web.api.test_cameras import keep, path_of
from tests.web.device_rig import (
    ACTOR,
    NOW,
    OTHER_WORKSPACE,
    STRANGER,
    STRANGER_TOKEN,
    WORKSPACE,
    Rig,
    open_rig,
    read_request,
)
from tests.web.test_camera_sharing import Camera, part, picture, sees, settle, until, viewer
from tests.web.test_snapshots import before, still, take
from tests.web.world import World

TARGET = b"/api/camera/stream"


class NobodyKnown:
    """Callers that remember nothing."""

    def forget(self, notice: object) -> None:
        pass


def revoking(rig: Rig) -> Revoking:
    return Revoking(NobodyKnown(), rig.registry, rig.cameras, lambda: NOW)


def move(rig: Rig, *keep: UserId) -> None:
    told = DeviceMove(rig.live.device_id, OTHER_WORKSPACE, STRANGER.user_id, frozenset(keep))
    revoking(rig).at_once(NoticeKind.DEVICE_MOVED, told.subject)


def place(rig: Rig, workspace: WorkspaceId) -> PicturePlace:
    return PicturePlace(workspace, rig.live.device_id, TARGET)


@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_h08_who_watches_a_device_after_a_move_sees_nothing_of_before(layer: str) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        former = await viewer(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        await sees(former, 1)
        move(rig, STRANGER.user_id)
        assert len(rig.cameras.kept) == rig.cameras.kept.size_bytes == 0
        assert not (await former.rest()).endswith(b"0\r\n\r\n")
        now = await rig.connect()
        await now.send(rig.request("GET ~/api/camera/stream", token=STRANGER_TOKEN))
        await until(lambda: len(camera.asked) == 2)
        await camera.streams[-1].send_all(part(2))
        await sees(now, 2)
        assert picture(1) not in now.raw
        assert rig.cameras.kept.last_or_none(place(rig, WORKSPACE)) is None
        kept = rig.cameras.kept.last_or_none(place(rig, OTHER_WORKSPACE))
        assert kept is not None
        assert kept.body == picture(2)
        # Told again by the follower of notices, it takes nothing from those who came since.
        move(rig, STRANGER.user_id)
        await camera.streams[-1].send_all(part(3))
        await sees(now, 3)


async def test_who_may_watch_in_both_workspaces_goes_on_and_nobody_sees_what_was_before() -> None:
    camera = Camera()
    async with open_rig("door", camera.program) as rig:
        both = await viewer(rig)
        await until(lambda: bool(camera.streams))
        await camera.show(part(1))
        await sees(both, 1)
        move(rig, ACTOR.user_id, STRANGER.user_id)
        late = await rig.connect()
        await late.send(rig.request("GET ~/api/camera/stream", token=STRANGER_TOKEN))
        await until(lambda: rig.cameras.viewer_count == 2)
        await settle()
        await camera.show(part(2))
        for client in (both, late):
            await sees(client, 2)
        assert picture(1) not in late.raw
        assert rig.cameras.kept.last_or_none(place(rig, WORKSPACE)) is None
        taken = await Snapshots(rig.registry, rig.cameras, rig.sweeper).take(STRANGER, rig.live, TARGET, "r")
        assert taken.body == picture(2)


async def test_h08_a_device_that_comes_back_to_a_workspace_shows_nothing_of_elsewhere() -> None:
    """What was watched while it was away is on no record of theirs, however the pictures came."""
    camera = Camera()
    async with open_rig("door", camera.program) as rig:
        await viewer(rig)
        await until(lambda: bool(camera.streams))
        move(rig, STRANGER.user_id)
        now = await rig.connect()
        await now.send(rig.request("GET ~/api/camera/stream", token=STRANGER_TOKEN))
        await until(lambda: len(camera.asked) == 2)
        await camera.streams[-1].send_all(part(2))
        await sees(now, 2)
        assert rig.cameras.kept.last_or_none(place(rig, WORKSPACE)) is None


async def test_who_lost_the_right_while_the_camera_was_asked_gets_no_kept_picture() -> None:
    async def silent(stream: TunnelStream) -> None:
        await read_request(stream)
        await trio.sleep_forever()

    async with before(silent) as (rig, snapshots), trio.open_nursery() as nursery:
        rig.cameras.kept.keep(place(rig, WORKSPACE), Picture(b"image/jpeg", picture(9), NOW))
        ended: list[str] = []

        async def ask() -> None:
            with pytest.raises(NotSignedIn):
                await take(rig, snapshots)
            ended.append("refused")

        nursery.start_soon(ask)
        await until(lambda: len(rig.registry.calls) == 1)
        rig.registry.calls.cut_credential(ACTOR.credential_id)
        await until(lambda: bool(ended))


@pytest.mark.parametrize("status", [b"401 Who", b"403 No"])
async def test_a_camera_that_asks_who_is_looking_is_believed_over_what_is_kept(status: bytes) -> None:
    async with before(still(b"", b"text/plain", status)) as (rig, snapshots):
        rig.cameras.kept.keep(place(rig, WORKSPACE), Picture(b"image/jpeg", picture(9), NOW))
        with pytest.raises(DeviceBroke):
            await take(rig, snapshots)
        assert len(rig.cameras.kept) == 0


async def test_the_pictures_of_an_unpaired_device_are_gone_at_once_and_for_good() -> None:
    world = World()
    ada = await world.person()
    done, other = await world.paired(ada, serial_number="S1"), await world.paired(ada, serial_number="S2")
    for device_id in (done.device_id, other.device_id):
        await keep(world, ada, device_id)
    assert (await ada.ask("DELETE", f"/api/devices/{done.device_id}")).status == 200
    assert len(world.cameras.kept) == 1
    again = await world.paired(ada, serial_number="S1")
    for device_id, status in ((done.device_id, 404), (again.device_id, 503), (other.device_id, 200)):
        assert (await ada.ask("GET", path_of(device_id))).status == status


async def test_the_pictures_of_a_moved_device_are_gone_at_once_and_for_good() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    home = (await ada.actor()).personal_workspace
    made = await ada.ask("POST", "/api/workspaces", json={"name": "Plant"})
    await keep(world, ada, done.device_id)
    transfer = f"/api/devices/{done.device_id}/transfer"
    for workspace in (made.data["id"], home):
        assert (await ada.ask("POST", transfer, json={"workspace_id": workspace})).status == 200
        assert len(world.cameras.kept) == 0
        assert (await ada.ask("GET", path_of(done.device_id))).status == 503
