from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.causes import Cause
from visiona.domain.devices import DeviceEvent, EventKind
from visiona.domain.ids import DeviceId
from visiona.domain.pages import Position
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, an_event, put


async def test_an_event_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    device = home.device()
    event = replace(an_event(device, kind=EventKind.DISCONNECTED), cause=Cause.WRITE_TIMEOUT, detail="why")
    await put(stores, device, event)
    assert await stores.read(lambda tx: tx.device_events.list_of_device(device.id, 10)) == [event]


async def test_a_timeline_runs_backwards_and_continues_where_it_ended(stores: Stores, home: Home) -> None:
    device, other = home.device(), home.device()
    events = [an_event(device, at=NOW + timedelta(seconds=n // 2)) for n in range(5)]
    await put(stores, device, other, *events, an_event(other))
    walked: list[DeviceEvent] = []
    while True:
        before = Position(walked[-1].at, walked[-1].id) if walked else None
        page = await stores.read(lambda tx, b=before: tx.device_events.list_of_device(device.id, 2, b))
        walked += page
        if not page:
            break
    assert walked == events[::-1]


async def test_an_event_is_of_a_device_that_exists(stores: Stores, home: Home) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(an_event(home.device()), device_id=DeviceId("none")))
    assert caught.value.about == "reference"


@pytest.mark.parametrize(("keep", "left"), [(0, 0), (2, 2), (5, 5), (9, 5)])
async def test_t41_a_timeline_is_trimmed_to_its_newest(
    stores: Stores, home: Home, keep: int, left: int
) -> None:
    device, too, other = home.device(), home.device(), home.device()
    events = [an_event(device, at=NOW + timedelta(seconds=n)) for n in range(5)]
    of_too = [an_event(too) for _ in range(3)]
    await put(stores, device, too, other, *events, *of_too, an_event(other))
    await stores.write(lambda tx: tx.device_events.trim([device.id, too.id], keep))
    kept = await stores.read(lambda tx: tx.device_events.list_of_device(device.id, 10))
    assert kept == events[::-1][:left]
    assert await stores.read(lambda tx: tx.device_events.list_of_device(too.id, 10)) == of_too[::-1][:keep]
    assert len(await stores.read(lambda tx: tx.device_events.list_of_device(other.id, 10))) == 1


async def test_several_events_are_put_down_at_once(stores: Stores, home: Home) -> None:
    device = home.device()
    events = [an_event(device), an_event(device)]
    await put(stores, device)
    await stores.write(lambda tx: tx.device_events.append())
    await stores.write(lambda tx: tx.device_events.append(*events))
    assert await stores.read(lambda tx: tx.device_events.list_of_device(device.id, 10)) == events[::-1]
    with pytest.raises(StoreConflict):
        await put(stores, an_event(device), replace(an_event(home.device()), device_id=DeviceId("none")))
    assert len(await stores.read(lambda tx: tx.device_events.list_of_device(device.id, 10))) == 2


async def test_old_events_are_forgotten_in_batches(stores: Stores, home: Home) -> None:
    device = home.device()
    young = an_event(device, at=LATER)
    await put(stores, device, *[an_event(device) for _ in range(3)], young)
    assert await stores.write(lambda tx: tx.device_events.purge(LATER, 2)) == 2
    assert await stores.write(lambda tx: tx.device_events.purge(LATER, 2)) == 1
    assert await stores.read(lambda tx: tx.device_events.list_of_device(device.id, 10)) == [young]
