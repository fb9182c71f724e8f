from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from visiona.domain.devices import Device
from visiona.domain.ids import DeviceId, LoadId, ModelId, TokenId, UserId, WorkspaceId
from visiona.domain.loads import LEASE, Fault, KeptLoad, Lease, Load, LoadState
from visiona.domain.models import Model
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, put

ONE, TWO = Lease("one", LATER + LEASE), Lease("two", LATER + LEASE)
FREE = NOW + LEASE


@pytest.fixture
async def device(stores: Stores, home: Home) -> Device:
    device = home.device()
    await put(stores, device)
    return device


@pytest.fixture
async def model(stores: Stores, home: Home) -> Model:
    model = home.model()
    await put(stores, model)
    return model


async def kept(stores: Stores, load: KeptLoad | Load) -> KeptLoad | None:
    load_id = load.load.id if isinstance(load, KeptLoad) else load.id
    return await stores.read(lambda tx: tx.model_loads.get_or_none(load_id))


async def save(stores: Stores, load: Load, lease: Lease = ONE) -> bool:
    return await stores.write(lambda tx: tx.model_loads.save(load, lease))


def flashed(load: Load) -> Load:
    for state in (LoadState.PUSHING, LoadState.FLASHING, LoadState.ACTIVE):
        load = load.moved(state, LATER)
    return load


async def test_a_load_comes_back_as_it_went_in(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    one = home.load(device, model)
    await put(stores, one)
    assert await kept(stores, one) == one
    assert await stores.read(lambda tx: tx.model_loads.get_or_none(LoadId("none"))) is None
    other = home.load(device, model, "kl520-1")
    other = replace(other, load=replace(other.load, token_id=TokenId("t")))
    await put(stores, other)
    assert await kept(stores, other) == other
    assert await stores.read(lambda tx: tx.model_loads.count_live(device.id)) == 2
    assert await stores.read(lambda tx: tx.model_loads.live_or_none(device.id, "kl520-0")) == one.load
    assert await stores.read(lambda tx: tx.model_loads.live_or_none(device.id, "kl520-2")) is None


async def test_its_holder_writes_how_far_it_is_and_nobody_else(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    one = home.load(device, model)
    await put(stores, one)
    pushing = replace(one.load.moved(LoadState.PUSHING, LATER), sent_bytes=7)
    assert not await save(stores, pushing, TWO)
    assert await kept(stores, one) == one
    assert await save(stores, replace(pushing, is_waiting=True, progress=3))
    assert await kept(stores, one) == KeptLoad(pushing, ONE)
    flashing = replace(pushing, device_model_id="model-7").moved(LoadState.FLASHING, LATER)
    assert await save(stores, flashing)
    failed = flashing.failed(Fault.DEVICE_ERROR, "it broke", LATER + timedelta(seconds=1))
    assert await save(stores, failed)
    assert await kept(stores, one) == KeptLoad(failed, ONE)
    # What is over stays as it is.
    assert not await save(stores, failed)
    assert await stores.read(lambda tx: tx.model_loads.count_live(device.id)) == 0


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({}, "load"),
        ({"accelerator": "kl520-1"}, "load"),
        ({"id": LoadId("other")}, "load"),
        ({"id": LoadId("other"), "accelerator": "x", "device_id": DeviceId("none")}, "reference"),
        ({"id": LoadId("other"), "accelerator": "x", "model_id": ModelId("none")}, "reference"),
        ({"id": LoadId("other"), "accelerator": "x", "workspace_id": WorkspaceId("none")}, "reference"),
        ({"id": LoadId("other"), "accelerator": "x", "user_id": UserId("none")}, "reference"),
    ],
)
async def test_one_that_breaks_a_promise_is_refused(
    stores: Stores, home: Home, device: Device, model: Model, change: dict[str, object], about: str
) -> None:
    one = home.load(device, model)
    await put(stores, one)
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(one, load=replace(one.load, **change)))
    assert caught.value.about == about
    assert await stores.read(lambda tx: tx.model_loads.list_of_device(device.id, 10)) == [one.load]


async def test_one_load_is_on_an_accelerator_until_another_is(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    async def current() -> list[LoadId]:
        found = await stores.read(lambda tx: tx.model_loads.current_of_device(device.id, 10))
        return [load.id for load in found]

    one, other = home.load(device, model), home.load(device, model, "kl520-1")
    await put(stores, one, other)
    assert await save(stores, flashed(other.load))
    assert await save(stores, flashed(one.load))
    assert await current() == [one.load.id, other.load.id]
    again = home.load(device, model, created_at=LATER)
    await put(stores, again)
    with pytest.raises(StoreConflict) as caught:
        await save(stores, flashed(again.load))
    assert caught.value.about == "load"
    assert await current() == [one.load.id, other.load.id]
    await stores.write(lambda tx: tx.model_loads.clear_current(device.id, "kl520-0"))
    assert await save(stores, flashed(again.load))
    assert await current() == [again.load.id, other.load.id]
    assert await stores.read(lambda tx: tx.model_loads.current_of_device(device.id, 1)) == [
        flashed(again.load)
    ]


async def test_they_are_listed_the_newest_first_and_one_devices_alone(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    elsewhere = home.device()
    await put(stores, elsewhere)
    old, young = home.load(device, model, "a"), home.load(device, model, "b", created_at=LATER)
    await put(stores, young, old, home.load(elsewhere, model))
    assert await stores.read(lambda tx: tx.model_loads.list_of_device(device.id, 10)) == [
        young.load,
        old.load,
    ]
    assert await stores.read(lambda tx: tx.model_loads.list_of_device(device.id, 1)) == [young.load]


async def test_what_nobody_has_prolonged_is_taken_by_one(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    one, other = home.load(device, model, "a"), home.load(device, model, "b", created_at=LATER)
    over = home.load(device, model, "c")
    await put(stores, other, one, over)
    await save(stores, over.load.failed(Fault.CANCELLED, "", NOW), over.lease)
    before = FREE - timedelta(microseconds=1)
    assert await stores.read(lambda tx: tx.model_loads.free(before, 10)) == []
    assert not await stores.write(lambda tx: tx.model_loads.claim(one.load.id, TWO, before))
    assert await stores.read(lambda tx: tx.model_loads.free(FREE, 10)) == [one]
    late = FREE + timedelta(seconds=1)
    assert await stores.read(lambda tx: tx.model_loads.free(late, 10)) == [one, other]
    assert await stores.read(lambda tx: tx.model_loads.free(late, 1)) == [one]
    assert not await stores.write(lambda tx: tx.model_loads.claim(over.load.id, TWO, late))
    won: list[str] = []

    async def take(name: str) -> None:
        lease = Lease(name, late + LEASE)
        if await stores.write(lambda tx: tx.model_loads.claim(one.load.id, lease, late)):
            won.append(name)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(take, f"server {number}")
    assert len(won) == 1
    assert await kept(stores, one) == replace(one, lease=Lease(won[0], late + LEASE))
    again = Lease(won[0], late + 2 * LEASE)
    assert await stores.write(lambda tx: tx.model_loads.claim(one.load.id, again, late))
    # Whoever had it before has it no more.
    assert not await save(stores, one.load, one.lease)


async def test_only_what_is_ones_own_is_prolonged(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    mine, his = home.load(device, model, "a"), home.load(device, model, "b", holder="two")
    left = home.load(device, model, "c")
    await put(stores, mine, his, left)
    ids = [mine.load.id, his.load.id]
    await stores.write(lambda tx: tx.model_loads.renew("one", ids, ONE.until))
    assert await stores.read(lambda tx: tx.model_loads.held("one", 10)) == [replace(mine, lease=ONE), left]
    assert await stores.read(lambda tx: tx.model_loads.held("one", 1)) == [replace(mine, lease=ONE)]
    assert await stores.read(lambda tx: tx.model_loads.held("two", 10)) == [his]


async def test_a_server_that_is_alone_takes_all(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    one, other = home.load(device, model, "a"), home.load(device, model, "b", holder="two")
    await put(stores, one, other)
    assert await stores.write(lambda tx: tx.model_loads.free_all(NOW)) == 2
    assert await stores.write(lambda tx: tx.model_loads.free_all(LATER)) == 0
    assert len(await stores.read(lambda tx: tx.model_loads.free(NOW, 10))) == 2


async def test_a_holder_is_asked_to_end_one(stores: Stores, home: Home, device: Device, model: Model) -> None:
    one = home.load(device, model)
    await put(stores, one)
    assert not await stores.write(lambda tx: tx.model_loads.ask_stop(LoadId("none"), LATER))
    assert await stores.write(lambda tx: tx.model_loads.ask_stop(one.load.id, LATER))
    assert await stores.read(lambda tx: tx.model_loads.held("one", 10)) == [replace(one, stop_asked_at=LATER)]
    await save(stores, one.load.failed(Fault.CANCELLED, "", LATER))
    assert not await stores.write(lambda tx: tx.model_loads.ask_stop(one.load.id, LATER))


async def test_old_ones_are_forgotten_but_not_what_is_on_an_accelerator(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    loads = [
        home.load(device, model, name, created_at=NOW + timedelta(seconds=number))
        for number, name in enumerate(("current", "a", "b", "c", "live"))
    ]
    await put(stores, *loads)
    current, *failed, live = (one.load for one in loads)
    assert await save(stores, flashed(current))
    for load in failed:
        assert await save(stores, load.failed(Fault.CANCELLED, "", LATER))

    async def left() -> list[str]:
        found = await stores.read(lambda tx: tx.model_loads.list_of_device(device.id, 10))
        return [load.accelerator for load in found]

    assert await stores.write(lambda tx: tx.model_loads.trim(device.id, 2)) == 1
    assert await left() == ["live", "c", "b", "current"]
    assert await stores.write(lambda tx: tx.model_loads.purge(LATER, 10)) == 0
    after = LATER + timedelta(microseconds=1)
    assert await stores.write(lambda tx: tx.model_loads.purge(after, 1)) == 1
    assert await stores.write(lambda tx: tx.model_loads.purge(after, 10)) == 1
    assert await left() == ["live", "current"]
    assert live.accelerator == "live"
