from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.causes import Cause
from visiona.domain.devices import Accelerator, AcceleratorStatus, Device
from visiona.domain.ids import DeviceId, UserId, WorkspaceId
from visiona.domain.pages import Position
from visiona.stores.devices import Sighting
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, put

NONE = DeviceId("none")
KL520 = Accelerator("usb-1", "KL520", "KL520", AcceleratorStatus.CONNECTED, "1.2.3", "1-4", "yolo")


async def found(stores: Stores, device_id: DeviceId) -> Device:
    device = await stores.read(lambda tx: tx.devices.get_or_none(device_id))
    assert device is not None
    return device


async def test_a_device_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    device = replace(
        home.device(serial_number="序號-1"),
        agent_version="1.0",
        instance="i",
        tags=("a", 'quote"', "門"),
        accelerators=(KL520, Accelerator("2", "", "")),
        last_seen_at=LATER,
        last_connected_at=NOW + timedelta(microseconds=1),
        offline_cause=Cause.PROTOCOL_ERROR,
        offline_detail="header",
    )
    await put(stores, device)
    assert await found(stores, device.id) == device
    assert await stores.read(lambda tx: tx.devices.get_or_none(NONE)) is None


async def test_p12_a_serial_number_names_one_device_of_a_workspace(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    mine, foreign = home.device(serial_number="S1"), bob.device(serial_number="S1")
    await put(stores, mine, foreign)
    assert await stores.read(lambda tx: tx.devices.by_serial_or_none(home.workspace.id, "S1")) == mine
    assert await stores.read(lambda tx: tx.devices.by_serial_or_none(bob.workspace.id, "S1")) == foreign
    assert await stores.read(lambda tx: tx.devices.by_serial_or_none(bob.workspace.id, "s1")) is None
    with pytest.raises(StoreConflict) as caught:
        await put(stores, home.device(serial_number="S1"))
    assert caught.value.about == "serial_number"


async def test_p12_the_serial_number_of_a_deleted_device_is_free_again(stores: Stores, home: Home) -> None:
    first, second = home.device(serial_number="S1"), home.device(serial_number="S1")
    await put(stores, first)
    await stores.write(lambda tx: tx.devices.delete(first.id, LATER))
    await put(stores, second)
    assert await stores.read(lambda tx: tx.devices.by_serial_or_none(home.workspace.id, "S1")) == second


async def test_devices_without_a_serial_number_do_not_collide(stores: Stores, home: Home) -> None:
    await put(stores, home.device(), home.device())
    assert await stores.read(lambda tx: tx.devices.count_in([home.workspace.id])) == 2


@pytest.mark.parametrize("change", [{"user_id": UserId("nobody")}, {"workspace_id": WorkspaceId("none")}])
async def test_a_device_belongs_to_somebody_and_somewhere(
    stores: Stores, home: Home, change: dict[str, str]
) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(home.device(), **change))
    assert caught.value.about == "reference"


async def test_a_list_joins_workspaces_the_newest_first_and_continues_where_it_ended(
    stores: Stores, home: Home
) -> None:
    bob = await a_home(stores, "bob@example.com")
    stranger = await a_home(stores, "eve@example.com")
    devices = [
        (home if n % 2 else bob).device(created_at=NOW + timedelta(seconds=n // 3), name=str(n))
        for n in range(10)
    ]
    deleted = home.device(created_at=LATER)
    await put(stores, *devices, deleted, stranger.device())
    await stores.write(lambda tx: tx.devices.delete(deleted.id, LATER))
    both = [home.workspace.id, bob.workspace.id]
    walked: list[Device] = []
    while True:
        before = Position(walked[-1].created_at, walked[-1].id) if walked else None
        page = await stores.read(lambda tx, b=before: tx.devices.list_in(both, 4, b))
        walked += page
        if not page:
            break
    assert walked == sorted(devices, key=lambda device: (device.created_at, device.id), reverse=True)
    assert await stores.read(lambda tx: tx.devices.list_in([], 4)) == []
    assert await stores.read(lambda tx: tx.devices.count_in(both)) == 10
    assert len(await stores.read(lambda tx: tx.devices.list_all(100))) == 11
    last = Position(walked[0].created_at, walked[0].id)
    assert walked[0] not in await stores.read(lambda tx: tx.devices.list_all(100, last))


async def test_a_label_is_changed(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    assert await stores.write(lambda tx: tx.devices.set_label(device.id, "Door", ["x", "y"], LATER))
    assert await found(stores, device.id) == replace(device, name="Door", tags=("x", "y"), updated_at=LATER)


async def test_pairing_again_keeps_what_is_not_said(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    device = replace(home.device(), agent_version="1", instance="i")
    await put(stores, device)
    assert await stores.write(
        lambda tx: tx.devices.set_paired(device.id, bob.user.id, LATER, "pi", None, None)
    )
    changed = replace(device, user_id=bob.user.id, updated_at=LATER, device_type="pi")
    assert await found(stores, device.id) == changed
    await stores.write(lambda tx: tx.devices.set_paired(device.id, bob.user.id, LATER, None, "2", "j"))
    assert await found(stores, device.id) == replace(changed, agent_version="2", instance="j")


async def note(stores: Stores, *sightings: Sighting) -> None:
    await stores.write(lambda tx: tx.devices.note_sightings(sightings))


async def test_a_tunnel_that_comes_up_and_ends_is_noted(stores: Stores, home: Home) -> None:
    device, other = home.device(), home.device()
    await put(stores, device, other)
    await note(stores, Sighting(device.id, NOW, agent_version="1.0", instance="i"))
    up = replace(device, last_seen_at=NOW, last_connected_at=NOW, agent_version="1.0", instance="i")
    assert await found(stores, device.id) == up
    await note(stores, Sighting(device.id, LATER, Cause.PROTOCOL_ERROR, "header"))
    down = replace(up, last_seen_at=LATER, offline_cause=Cause.PROTOCOL_ERROR, offline_detail="header")
    assert await found(stores, device.id) == down
    await note(stores, Sighting(device.id, LATER))
    assert await found(stores, device.id) == replace(up, last_seen_at=LATER, last_connected_at=LATER)
    assert await found(stores, other.id) == other


async def test_of_several_sightings_the_last_one_counts(stores: Stores, home: Home) -> None:
    one, two = home.device(), home.device()
    await put(stores, one, two)
    ended = Sighting(one.id, NOW, Cause.TCP_RESET), Sighting(two.id, NOW, Cause.TCP_RESET)
    came = Sighting(one.id, NOW, agent_version="1"), Sighting(two.id, NOW, agent_version="2")
    await note(stores, came[0], ended[0], ended[1], came[1])
    assert [(await found(stores, each.id)).offline_cause for each in (one, two)] == [Cause.TCP_RESET, None]
    assert [(await found(stores, each.id)).agent_version for each in (one, two)] == ["1", "2"]
    await note(stores)


async def test_s04_a_clock_that_was_set_back_hides_nothing(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    back = NOW - timedelta(hours=1)
    await note(stores, Sighting(device.id, NOW))
    await note(stores, Sighting(device.id, back, Cause.TCP_RESET))
    assert (await found(stores, device.id)).offline_cause is Cause.TCP_RESET


async def test_what_is_held_is_given_as_it_is(stores: Stores, home: Home) -> None:
    live, deleted = home.device(), home.device()
    await put(stores, live, deleted)
    await stores.write(lambda tx: tx.devices.delete(deleted.id, NOW))
    assert await stores.write(lambda tx: tx.devices.lock_or_none(live.id)) == live
    held = await stores.write(lambda tx: tx.devices.lock_or_none(deleted.id))
    assert held is not None
    assert held.deleted_at == NOW
    assert await stores.write(lambda tx: tx.devices.lock_or_none(NONE)) is None
    many = [live.id, deleted.id, NONE, live.id]
    assert await stores.write(lambda tx: tx.devices.lock_known(many)) == {live.id, deleted.id}
    assert await stores.write(lambda tx: tx.devices.lock_known([])) == set()


async def test_what_the_agent_has_is_replaced_whole(stores: Stores, home: Home) -> None:
    device = replace(home.device(), accelerators=(Accelerator("old", "", ""),), agent_version="1")
    await put(stores, device)
    assert await stores.write(lambda tx: tx.devices.set_accelerators(device.id, LATER, [KL520], None))
    known = replace(device, accelerators=(KL520,), updated_at=LATER)
    assert await found(stores, device.id) == known
    await stores.write(lambda tx: tx.devices.set_accelerators(device.id, LATER, [], "2"))
    assert await found(stores, device.id) == replace(known, accelerators=(), agent_version="2")


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_what_is_gone_cannot_be_changed(stores: Stores, home: Home, is_deleted: bool) -> None:
    device_id = NONE
    if is_deleted:
        device = home.device()
        await put(stores, device)
        device_id = device.id
        assert await stores.write(lambda tx: tx.devices.delete(device_id, NOW))
        assert await found(stores, device_id) == replace(device, deleted_at=NOW, updated_at=NOW)
    user = home.user.id
    assert not await stores.write(lambda tx: tx.devices.delete(device_id, LATER))
    assert not await stores.write(lambda tx: tx.devices.set_label(device_id, "x", [], LATER))
    assert not await stores.write(lambda tx: tx.devices.set_paired(device_id, user, LATER, None, None, None))
    before = await stores.read(lambda tx: tx.devices.get_or_none(device_id))
    await note(stores, Sighting(device_id, LATER), Sighting(device_id, LATER, Cause.REVOKED))
    assert await stores.read(lambda tx: tx.devices.get_or_none(device_id)) == before
    assert not await stores.write(lambda tx: tx.devices.set_accelerators(device_id, LATER, [], None))
    assert await stores.read(lambda tx: tx.devices.list_all(10)) == []
    assert await stores.read(lambda tx: tx.devices.count_in([home.workspace.id])) == 0


async def test_a_device_moves_with_all_that_is_known_of_it(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    device = replace(home.device(serial_number="S1"), tags=("a",), last_seen_at=NOW)
    await put(stores, device)
    to = device.id, bob.workspace.id, bob.user.id, LATER
    assert await stores.write(lambda tx: tx.devices.move(*to))
    moved = replace(device, workspace_id=bob.workspace.id, user_id=bob.user.id, updated_at=LATER)
    assert await found(stores, device.id) == moved
    assert await stores.read(lambda tx: tx.devices.list_in([home.workspace.id], 10)) == []
    assert await stores.read(lambda tx: tx.devices.list_in([bob.workspace.id], 10)) == [moved]
    assert await stores.write(lambda tx: tx.devices.move(*to))
    await stores.write(lambda tx: tx.devices.delete(device.id, LATER))
    assert not await stores.write(lambda tx: tx.devices.move(*to))


async def test_a_device_does_not_move_where_its_serial_number_is(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    device, same = home.device(serial_number="S1"), bob.device(serial_number="S1")
    await put(stores, device, same)
    to = device.id, bob.workspace.id, bob.user.id, LATER
    with pytest.raises(StoreConflict) as caught:
        await stores.write(lambda tx: tx.devices.move(*to))
    assert caught.value.about == "serial_number"
    await stores.write(lambda tx: tx.devices.delete(same.id, NOW))
    assert await stores.write(lambda tx: tx.devices.move(*to))


async def test_a_device_moves_to_what_exists(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    for to in ((WorkspaceId("none"), home.user.id), (home.workspace.id, UserId("none"))):
        with pytest.raises(StoreConflict) as caught:
            await stores.write(lambda tx, to=to: tx.devices.move(device.id, *to, LATER))
        assert caught.value.about == "reference"
