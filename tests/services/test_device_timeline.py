from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.causes import Cause
from visiona.domain.devices import (
    MAX_ACCELERATORS,
    Accelerator,
    AcceleratorStatus,
    Device,
    DeviceEvent,
    EventKind,
)
from visiona.domain.ids import DeviceId
from visiona.services import device_timeline
from visiona.services.device_timeline import (
    Alarmed,
    Connected,
    Disconnected,
    record,
    record_connected,
    record_disconnected,
    record_inventory,
)
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, Home, put


@pytest.fixture
async def device(stores: Stores, home: Home) -> Device:
    made = home.device()
    await put(stores, made)
    return made


async def found(stores: Stores, device: Device) -> Device:
    now = await stores.read(lambda tx: tx.devices.get_or_none(device.id))
    assert now is not None
    return now


async def timeline(stores: Stores, device: Device) -> list[DeviceEvent]:
    return (await stores.read(lambda tx: tx.device_events.list_of_device(device.id, 100)))[::-1]


async def test_a_tunnel_that_comes_up_and_ends_is_on_record(stores: Stores, device: Device) -> None:
    await record_connected(stores, device.id, NOW, agent_version="edge/1.0\n", instance="i")
    up = await found(stores, device)
    assert (up.agent_version, up.instance, up.last_connected_at) == ("edge/1.0", "i", NOW)
    await record_disconnected(stores, device.id, LATER, Cause.PROTOCOL_ERROR, "header")
    down = await found(stores, device)
    assert (down.offline_cause, down.offline_detail, down.last_seen_at) == (
        Cause.PROTOCOL_ERROR,
        "header",
        LATER,
    )
    connected, disconnected = await timeline(stores, device)
    assert (connected.kind, connected.at, connected.detail) == (EventKind.CONNECTED, NOW, "edge/1.0")
    assert (disconnected.kind, disconnected.cause, disconnected.detail) == (
        EventKind.DISCONNECTED,
        Cause.PROTOCOL_ERROR,
        "header",
    )


async def test_t42_a_replaced_tunnel_does_not_make_its_device_look_offline(
    stores: Stores, device: Device
) -> None:
    await record_connected(stores, device.id, NOW)
    await record_disconnected(stores, device.id, LATER, Cause.REPLACED)
    assert (await found(stores, device)).offline_cause is None
    assert [event.cause for event in await timeline(stores, device)] == [None, Cause.REPLACED]


async def test_t41_many_reports_are_one_write_in_their_order(
    stores: Stores, home: Home, device: Device
) -> None:
    other = home.device()
    await put(stores, other)
    watched = FailingStores(stores)
    await record(
        watched,
        [
            Connected(device.id, NOW),
            Disconnected(device.id, NOW + timedelta(seconds=1), Cause.TCP_RESET),
            Connected(other.id, NOW),
            Alarmed(device.id, NOW + timedelta(seconds=2), "two agents\nfight over one token"),
        ],
    )
    assert watched.writes == 1
    kinds = [(event.kind, event.detail) for event in await timeline(stores, device)]
    assert kinds == [
        (EventKind.CONNECTED, None),
        (EventKind.DISCONNECTED, None),
        (EventKind.ALARM, "two agents fight over one token"),
    ]
    assert len(await timeline(stores, other)) == 1


async def test_no_report_is_no_write(stores: Stores) -> None:
    watched = FailingStores(stores, fail_writes=True)
    await record(watched, [])
    assert watched.writes == 0


async def test_t41_a_flapping_device_does_not_fill_the_disk(
    stores: Stores, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_timeline, "MAX_EVENTS_PER_DEVICE", 4)
    for second in range(10):
        await record_connected(stores, device.id, NOW + timedelta(seconds=second))
    kept = await timeline(stores, device)
    assert [event.at for event in kept] == [NOW + timedelta(seconds=second) for second in range(6, 10)]


async def test_t42_a_report_about_a_device_that_is_gone_changes_nothing(
    stores: Stores, device: Device
) -> None:
    await stores.write(lambda tx: tx.devices.delete(device.id, NOW))
    gone = await found(stores, device)
    await record_disconnected(stores, device.id, LATER, Cause.DEVICE_DELETED)
    assert await found(stores, device) == gone
    assert [event.cause for event in await timeline(stores, device)] == [Cause.DEVICE_DELETED]
    await record(stores, [Connected(DeviceId("never was"), NOW)])


async def test_a_store_that_fails_keeps_none_of_the_reports(stores: Stores, device: Device) -> None:
    reports = [Connected(device.id, NOW), Disconnected(device.id, LATER, Cause.TCP_RESET)]
    # Few questions, and as many for a batch as for one report: each takes its time on a database elsewhere.
    for fail_at in range(4):
        with pytest.raises(StoreUnavailable):
            await record(FailingStores(stores, fail_at=fail_at), reports)
        assert await timeline(stores, device) == []
        assert await found(stores, device) == device
    watched = FailingStores(stores, fail_at=4)
    await record(watched, reports * 10)
    assert watched.asked == 4


async def test_the_inventory_is_replaced_by_what_the_agent_says_now(stores: Stores, device: Device) -> None:
    first = Accelerator("usb-1", "KL520\x1b[31m", "KL520", AcceleratorStatus.CONNECTED, "1\n2", "", None)
    assert await record_inventory(stores, device.id, [first], NOW, agent_version="2.0")
    known = await found(stores, device)
    assert known.accelerators == (replace(first, name="KL520 [31m", firmware_version="1 2", port=None),)
    assert (known.agent_version, known.status) == ("2.0", AcceleratorStatus.CONNECTED)
    assert await record_inventory(stores, device.id, [], LATER)
    assert (await found(stores, device)).accelerators == ()
    assert (await found(stores, device)).agent_version == "2.0"


async def test_an_agent_that_claims_too_many_accelerators_is_cut_short(
    stores: Stores, device: Device
) -> None:
    claimed = [Accelerator(str(number), "x" * 4096, "x") for number in range(1000)]
    await record_inventory(stores, device.id, claimed, NOW)
    kept = (await found(stores, device)).accelerators
    assert len(kept) == MAX_ACCELERATORS
    assert max(len(each.name) for each in kept) <= 120


async def test_the_inventory_of_a_device_that_is_gone_is_nobodys(stores: Stores) -> None:
    assert not await record_inventory(stores, DeviceId("gone"), [], NOW)
