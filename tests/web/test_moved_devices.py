"""A device that moves to another workspace while it is watched, on both layers: ended is who is not there."""

from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from visiona.domain.access import Role
from visiona.domain.ids import TokenId, UserId
from visiona.domain.notices import DeviceMove
from websockets.exceptions import ConnectionClosed

from tests.web import device_rig
from tests.web.device_rig import (
    ACTOR,
    NOW,
    OTHER_WORKSPACE,
    STRANGER_TOKEN,
    TOKEN,
    WORKSPACE,
    WebClient,
    open_rig,
)
from tests.web.test_camera_sharing import Camera, part, sees, until
from tests.web.test_proxy_websocket import device, dialled, echoing

pytestmark = pytest.mark.parametrize("layer", ["door", "asgi"])

IN_BOTH = replace(ACTOR, workspaces={WORKSPACE: Role.OWNER, OTHER_WORKSPACE: Role.MEMBER})
IN_THE_FIRST = replace(ACTOR, user_id=UserId("member"), credential_id=TokenId("theirs"))


@pytest.fixture(autouse=True)
def two_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_rig, "ACTOR", IN_BOTH)
    monkeypatch.setattr(device_rig, "STRANGER", IN_THE_FIRST)


def moved(rig: device_rig.Rig) -> int:
    move = DeviceMove(rig.live.device_id, OTHER_WORKSPACE, IN_BOTH.user_id, frozenset({IN_BOTH.user_id}))
    return rig.registry.move_device(move, NOW + timedelta(seconds=1)).sockets


@pytest.mark.parametrize("path", ["~/api/camera/stream", "~/other/camera"])
async def test_t45_who_keeps_the_device_goes_on_watching_and_who_loses_it_does_not(
    layer: str, path: str
) -> None:
    camera = Camera()
    async with open_rig(layer, camera.program) as rig:
        clients: list[WebClient] = []
        for token in (TOKEN, STRANGER_TOKEN):
            clients.append(await rig.connect())
            await clients[-1].send(rig.request(f"GET {path}", token=token))
        await until(lambda: len(rig.registry.calls) == 2 and bool(camera.streams))
        await camera.show(part(1))
        for client in clients:
            await sees(client, 1)
        assert moved(rig) == 1
        keeps, loses = clients
        with trio.fail_after(5):
            assert not (await loses.rest()).endswith(b"0\r\n\r\n")
        await camera.show(part(2))
        await sees(keeps, 2)
        again = await rig.connect()
        assert (await again.ask(rig.request("GET ~/x", token=STRANGER_TOKEN))).status == 404


async def test_t45_likewise_their_websockets(layer: str) -> None:
    theirs = {"Authorization": f"Bearer {STRANGER_TOKEN}"}
    async with (
        open_rig(layer, device(echoing)) as rig,
        dialled(rig) as keeps,
        dialled(rig, additional_headers=theirs) as loses,
    ):
        for one in (keeps, loses):
            await one.send("here")
            assert await one.recv() == "here"
        assert moved(rig) == 1
        with trio.fail_after(5), pytest.raises(ConnectionClosed):
            await loses.recv()
        await keeps.send("still here")
        assert await keeps.recv() == "still here"
