"""The routes of loads; how a load gets on is in tests/relay/test_model_loads.py."""

import json
from dataclasses import replace
from typing import Any

import pytest
import trio
from visiona.domain.access import Scope
from visiona.domain.devices import Accelerator
from visiona.domain.ids import DeviceId
from visiona.domain.loads import Fault, LoadState
from visiona.services.device_timeline import record_inventory
from visiona.services.load_model import plan_load
from visiona.web.api.model_loads import MAX_VIEWERS, load_item
from visiona.web.live_feed import spoken

from tests.web.api.test_models import brought, init
from tests.web.world import Person, World

FOUND = (Accelerator("kl520-0", "one", "KL520"), Accelerator("kl720-0", "two", "KL720"))


async def device_of(person: Person, *found: Accelerator, online: bool = True) -> DeviceId:
    world = person.world
    done = await world.paired(person)
    await record_inventory(world.stores, done.device_id, found or FOUND, world.now(), agent_version=None)
    if online:
        await world.connected(done)
    return done.device_id


async def load(person: Person, model_id: str, device_id: str, **more: Any) -> Any:
    wish = {"device_id": device_id, **more}
    return await person.ask("POST", f"/api/models/{model_id}/load-to-device", json=wish)


async def begun(person: Person, device_id: DeviceId) -> Any:
    """A load that nobody carries on."""
    model_id: Any = await brought(person)
    world = person.world
    actor = await person.actor()
    load = await world.loads.begin(
        await plan_load(world.stores, actor, model_id, device_id, None, world.now())
    )
    return world.loads.running(load.id)


def events(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block for block in body.decode().split("\n\n") if block.startswith("event: ")]
    parted = [block.split("\n", 1) for block in blocks]
    return [(kind[7:], json.loads(data[6:])) for kind, data in parted]


async def test_the_events_tell_of_each_state_and_say_why_a_load_failed() -> None:
    world = World()
    ada = await world.person()
    running = await begun(ada, await device_of(ada))
    running.move(LoadState.PUSHING, world.now())
    running.sent(5)
    running.fail(Fault.DEVICE_OFFLINE, "the device did not come back", world.now())
    now = running.now
    answer = await ada.ask("GET", f"/api/devices/{now.device_id}/loads/{now.id}/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    told = events(answer.body)
    assert [kind for kind, _ in told] == ["queued", "pushing", "failed"]
    assert all(said["state"] == kind for kind, said in told)
    assert (told[1][1]["sent_bytes"], told[1][1]["total_bytes"]) == (5, now.size)
    assert told[2][1] == load_item(now)
    assert (told[2][1]["code"], told[2][1]["message"]) == ("DEVICE_OFFLINE", "the device did not come back")
    listed = (await ada.ask("GET", f"/api/devices/{now.device_id}/loads")).data
    assert listed == [told[2][1]]


async def test_who_looks_at_the_device_hears_that_a_load_began() -> None:
    world = World()
    ada = await world.person()
    device_id, model_id = await device_of(ada, FOUND[1]), await brought(ada)
    with world.feed.listen(await ada.actor()) as heard:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load, ada, model_id, device_id)
            with trio.fail_after(5):
                assert await heard.receive() == spoken("changed", {"id": device_id})
            nursery.cancel_scope.cancel()


async def test_m06_what_does_not_fit_is_409_with_what_is_there() -> None:
    world = World()
    ada = await world.person()
    model_id = await brought(ada, target_chips=["KL630"])
    device_id = await device_of(ada)
    for more in ({}, {"accelerator": "kl720-0"}, {"accelerator": "no such"}):
        refused = await load(ada, model_id, device_id, **more)
        assert (refused.status, refused.code) == (409, "CONFLICT")
        details = refused.json["error"]["details"]
        assert details == {
            "accelerators": ["kl520-0 (KL520)", "kl720-0 (KL720)"],
            "target_chips": ["KL630"],
        }


async def test_of_several_that_fit_one_has_to_be_named() -> None:
    world = World()
    ada = await world.person()
    device_id = await device_of(ada, FOUND[1], replace(FOUND[1], local_id="kl720-1"))
    refused = await load(ada, await brought(ada), device_id)
    assert refused.status == 409
    assert "say which" in refused.json["error"]["message"]


async def test_a_model_without_its_file_and_a_device_without_a_tunnel_are_refused() -> None:
    world = World()
    ada = await world.person()
    device_id = await device_of(ada, online=False)
    pending = (await init(ada, version="2")).data["model"]["id"]
    assert (await load(ada, pending, device_id)).code == "CONFLICT"
    offline = await load(ada, await brought(ada), device_id)
    assert (offline.status, offline.code) == (503, "DEVICE_OFFLINE")


async def test_h08_somebody_elses_and_none_are_alike() -> None:
    world = World()
    ada, eve = await world.person(), await world.person("eve@example.com")
    running = await begun(ada, await device_of(ada))
    now = running.now
    hers = await brought(eve)
    assert (await load(eve, hers, now.device_id)).status == 404
    assert (await load(eve, now.model_id, now.device_id)).status == 404
    for method, tail in (("GET", ""), ("GET", f"/{now.id}/events"), ("DELETE", f"/{now.id}")):
        assert (await eve.ask(method, f"/api/devices/{now.device_id}/loads{tail}")).status == 404
    assert (await ada.ask("DELETE", f"/api/devices/{now.device_id}/loads/nothing")).status == 404


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ([Scope.MODELS_READ], 403),
        ([Scope.DEVICES_PROXY], 403),
        ([Scope.DEVICES_READ, Scope.MODELS_WRITE], 403),
        ([Scope.MODELS_READ, Scope.DEVICES_PROXY], 404),
    ],
)
async def test_loading_takes_the_use_of_devices_and_the_sight_of_models(
    scopes: list[Scope], status: int
) -> None:
    world = World()
    ada = await world.person(scopes=scopes)
    nobody = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
    assert (await load(ada, nobody, nobody)).status == status


async def test_a_viewer_whose_session_ends_sees_no_more_and_the_load_goes_on() -> None:
    world = World()
    ada = await world.person()
    running = await begun(ada, await device_of(ada))
    path = f"/api/devices/{running.now.device_id}/loads/{running.now.id}/events"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ada.ask, "GET", path)
        with trio.fail_after(5):
            while not world.loads.viewers[running.now.id]:  # noqa: ASYNC110 - another task's doing
                await trio.sleep(0.001)
        assert world.registry.calls.cut_credential(ada.token_id) == 1
    assert not world.loads.viewers
    assert not running.now.is_over


async def test_few_watch_one_load() -> None:
    world = World()
    ada = await world.person()
    running = await begun(ada, await device_of(ada))
    path = f"/api/devices/{running.now.device_id}/loads/{running.now.id}/events"
    world.loads.viewers[running.now.id] = MAX_VIEWERS
    refused = await ada.ask("GET", path)
    assert (refused.status, refused.code) == (429, "RATE_LIMITED")
