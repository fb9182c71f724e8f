from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from visiona.domain.access import Role
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING
from visiona.domain.devices import Accelerator, Device
from visiona.domain.errors import Conflict, NotFound, TooMany
from visiona.domain.ids import LoadId, TokenId
from visiona.domain.loads import (
    LEASE,
    MAX_KEPT_PER_DEVICE,
    MAX_LIVE_PER_DEVICE,
    TAKE_UP_WITHIN,
    Fault,
    KeptLoad,
    Lease,
    Load,
    LoadState,
)
from visiona.domain.models import Model
from visiona.domain.workspaces import Membership
from visiona.services import kept_loads
from visiona.services.devices import unpair
from visiona.services.kept_loads import (
    begin_load,
    end_free_load,
    get_load,
    loads_of_device,
    save_load,
    take_load,
    too_old,
    why_not_theirs,
)
from visiona.services.load_model import Plan
from visiona.services.members import remove_member
from visiona.services.tokens import create_access_token, revoke_access_token
from visiona.services.users import disable_user
from visiona.stores.interfaces import Stores

from tests.domain.test_loads import LOAD
from tests.support.nouns import LATER, NOW, Home, a_home, a_workspace, put

FREE = NOW + LEASE


@pytest.fixture
async def device(stores: Stores, home: Home) -> Device:
    found = tuple(Accelerator(name, name, "KL520") for name in ("a", "b"))
    device = replace(home.device(), accelerators=found)
    await put(stores, device)
    return device


@pytest.fixture
async def model(stores: Stores, home: Home) -> Model:
    model = home.model()
    await put(stores, model)
    return model


def plan(home: Home, device: Device, model: Model, accelerator: str = "a") -> Plan:
    return Plan(home.load(device, model, accelerator).load, model)


async def begun(stores: Stores, home: Home, device: Device, model: Model, accelerator: str = "a") -> Load:
    return (await begin_load(stores, plan(home, device, model, accelerator), "one", NOW)).load


async def flashed(stores: Stores, load: Load, fault: Fault | None = None) -> Load:
    load = load.moved(LoadState.PUSHING, LATER).moved(LoadState.FLASHING, LATER)
    load = load.moved(LoadState.ACTIVE, LATER) if fault is None else load.failed(fault, "", LATER)
    assert await save_load(stores, load, "one", LATER)
    return load


async def deeds(stores: Stores) -> Counter[str]:
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 1000))
    return Counter(f"{one.deed} {one.details.get('code', 'OK')}" for one in entries if "load" in one.deed)


async def test_the_same_is_joined_and_another_model_is_refused(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    first = await begin_load(stores, plan(home, device, model), "one", NOW)
    again = await begin_load(stores, plan(home, device, model), "two", NOW)
    assert (first.is_new, again.is_new, again.load) == (True, False, first.load)
    other = replace(home.model(), version="2")
    await put(stores, other)
    with pytest.raises(Conflict) as refused:
        await begin_load(stores, plan(home, device, other), "one", NOW)
    assert refused.value.details == {"load_id": first.load.id, "state": "queued"}
    assert await deeds(stores) == {"model_load_started OK": 1}


async def test_few_wait_for_a_device(stores: Stores, home: Home, device: Device, model: Model) -> None:
    for number in range(MAX_LIVE_PER_DEVICE):
        await begun(stores, home, device, model, str(number))
    with pytest.raises(TooMany):
        await begun(stores, home, device, model, "one more")


async def test_a_device_that_was_unpaired_just_now_is_none(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    wanted = plan(home, device, model)
    await unpair(stores, home.actor, device.id, NOW)
    with pytest.raises(NotFound):
        await begin_load(stores, wanted, "one", NOW)


async def test_of_a_device_so_many_are_kept(
    stores: Stores, home: Home, device: Device, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_KEPT_PER_DEVICE > MAX_LIVE_PER_DEVICE
    monkeypatch.setattr(kept_loads, "MAX_KEPT_PER_DEVICE", 3)
    for _ in range(6):
        load = await begun(stores, home, device, model)
        await save_load(stores, load.failed(Fault.CANCELLED, "", NOW), "one", NOW)
    await begun(stores, home, device, model)
    assert len(await stores.read(lambda tx: tx.model_loads.list_of_device(device.id, 10))) == 4


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        (None, "new"),
        # It had not begun.
        (Fault.DEVICE_BUSY, "old"),
        (Fault.DEVICE_ERROR, None),
        (Fault.OUTCOME_UNKNOWN, None),
        (Fault.REVOKED, None),
    ],
)
async def test_what_is_on_an_accelerator_is_told_as_far_as_it_is_known(
    stores: Stores, home: Home, device: Device, model: Model, fault: Fault | None, holds: str | None
) -> None:
    old = await flashed(stores, await begun(stores, home, device, model))
    new = await flashed(stores, await begun(stores, home, device, model), fault)
    listed = await loads_of_device(stores, home.actor, device.id)
    current = [load.id for load in listed if load.current_since is not None]
    assert current == {"new": [new.id], "old": [old.id], None: []}[holds]
    assert new.id in {load.id for load in listed}
    assert (await deeds(stores))[f"model_load_ended {fault or 'OK'}"] == (2 if fault is None else 1)


async def test_what_fails_before_it_is_flashed_leaves_what_was_there(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    old = await flashed(stores, await begun(stores, home, device, model))
    new = (await begun(stores, home, device, model)).moved(LoadState.PUSHING, LATER)
    await save_load(stores, new.failed(Fault.DEVICE_OFFLINE, "", LATER), "one", LATER)
    listed = await loads_of_device(stores, home.actor, device.id)
    assert [(load.id, load.current_since is not None) for load in listed] == [
        (new.id, False),
        (old.id, True),
    ]


async def test_while_it_is_written_nothing_is_there(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    await flashed(stores, await begun(stores, home, device, model))
    await flashed(stores, await begun(stores, home, device, model, "b"))
    new = (await begun(stores, home, device, model)).moved(LoadState.PUSHING, LATER)
    for load, current in ((new, ["a", "b"]), (new.moved(LoadState.FLASHING, LATER), ["b"])):
        await save_load(stores, load, "one", FREE)
        listed = await loads_of_device(stores, home.actor, device.id)
        assert sorted(one.accelerator for one in listed if one.current_since is not None) == current


async def test_a_load_that_is_anothers_by_now_is_not_written(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    old = await flashed(stores, await begun(stores, home, device, model))
    load = await begun(stores, home, device, model)
    assert await take_load(stores, load.id, "two", NOW) is None
    taken = await take_load(stores, load.id, "two", FREE)
    assert taken is not None
    assert (taken.load, taken.model, taken.email) == (load, model, home.user.email)
    done = load.moved(LoadState.PUSHING, LATER).moved(LoadState.FLASHING, LATER)
    assert not await save_load(stores, done.moved(LoadState.ACTIVE, LATER), "one", LATER)
    # Not a word of it is kept, nor that what was there before is gone.
    kept = await get_load(stores, device.id, old.id)
    assert kept.load.current_since is not None
    assert (await deeds(stores))["model_load_ended OK"] == 1


async def test_nobodys_load_is_ended_by_one(stores: Stores, home: Home, device: Device, model: Model) -> None:
    load = await begun(stores, home, device, model)
    kept = await get_load(stores, device.id, load.id)
    assert not await end_free_load(stores, kept, "two", Fault.CANCELLED, "it was", NOW)
    assert await end_free_load(stores, kept, "two", Fault.CANCELLED, "it was", FREE)
    assert not await end_free_load(stores, kept, "three", Fault.CANCELLED, "it was", FREE + LEASE)
    assert (await get_load(stores, device.id, load.id)).load.fault is Fault.CANCELLED
    assert (await deeds(stores))["model_load_cancelled CANCELLED"] == 1


async def test_a_load_is_of_its_device_alone(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    load = await begun(stores, home, device, model)
    other = home.device()
    await put(stores, other)
    for device_id, load_id in ((other.id, load.id), (device.id, LoadId("none"))):
        with pytest.raises(NotFound):
            await get_load(stores, device_id, load_id)
    eve = await a_home(stores, "eve@example.com")
    with pytest.raises(NotFound):
        await loads_of_device(stores, eve.actor, device.id)


async def test_who_began_it_is_asked_after(stores: Stores, home: Home, device: Device, model: Model) -> None:
    """A member of a workspace that is not their own, with a token."""
    bob = await a_home(stores, "bob@example.com")
    made = await create_access_token(stores, bob.user.id, "t", bob.actor.scopes, NOW)
    lab = a_workspace()
    await put(
        stores,
        lab,
        Membership(lab.id, home.user.id, Role.OWNER, NOW),
        Membership(lab.id, bob.user.id, Role.MEMBER, NOW),
    )
    shared = replace(bob.device(), workspace_id=lab.id)
    theirs = replace(bob.model(), workspace_id=lab.id)
    await put(stores, shared, theirs)
    load = replace(bob.load(shared, theirs).load, token_id=made.token.id)
    assert await why_not_theirs(stores, load) is None
    # One that was forgotten since is not one that was revoked.
    assert await why_not_theirs(stores, replace(load, token_id=TokenId("gone"))) is None
    assert "model's workspace" in str(await why_not_theirs(stores, replace(load, model_id=model.id)))
    await revoke_access_token(stores, made.token.id, NOW)
    assert "token" in str(await why_not_theirs(stores, load))
    load = replace(load, token_id=None)
    await remove_member(
        stores, replace(home.actor, workspaces={lab.id: Role.OWNER}), lab.id, bob.user.id, NOW
    )
    assert "device's workspace" in str(await why_not_theirs(stores, load))
    await disable_user(stores, bob.user.id, NOW)
    assert "disabled" in str(await why_not_theirs(stores, load))
    mine = home.load(device, model).load
    assert await why_not_theirs(stores, mine) is None
    await unpair(stores, home.actor, device.id, NOW)
    assert "unpaired" in str(await why_not_theirs(stores, mine))


def test_nobody_is_surprised_by_what_was_asked_for_long_ago() -> None:
    kept = KeptLoad(LOAD, Lease("one", NOW))
    assert too_old(kept, NOW + TAKE_UP_WITHIN) is None
    assert "1 hour" in str(too_old(kept, NOW + TAKE_UP_WITHIN + timedelta(seconds=1)))


RACERS = 20


async def test_m05_of_many_that_begin_at_once_one_is_new_and_the_others_join_or_are_refused(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    other = replace(home.model(), version="2")
    await put(stores, other)
    heard: list[str] = []

    async def begin(wanted: Plan) -> None:
        try:
            begun = await begin_load(stores, wanted, "one", NOW)
            heard.append("new" if begun.is_new else f"joined {begun.load.model_id}")
        except Conflict as refused:
            heard.append(f"refused for {refused.details['load_id']}")

    async with trio.open_nursery() as nursery:
        for number in range(RACERS):
            nursery.start_soon(begin, plan(home, device, (model, other)[number % 2]))
    live = await stores.read(lambda tx: tx.model_loads.live_or_none(device.id, "a"))
    assert live is not None
    assert Counter(heard) == {
        "new": 1,
        f"joined {live.model_id}": RACERS // 2 - 1,
        f"refused for {live.id}": RACERS // 2,
    }


async def test_no_more_wait_for_a_device_than_may_however_many_ask_at_once(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    refused: list[str] = []

    async def begin(accelerator: str) -> None:
        try:
            await begin_load(stores, plan(home, device, model, accelerator), "one", NOW)
        except TooMany:
            refused.append(accelerator)

    async with trio.open_nursery() as nursery:
        for number in range(RACERS):
            nursery.start_soon(begin, str(number))
    assert len(refused) == RACERS - MAX_LIVE_PER_DEVICE
    assert await stores.read(lambda tx: tx.model_loads.count_live(device.id)) == MAX_LIVE_PER_DEVICE


async def test_a_load_that_begins_while_its_device_is_unpaired_is_before_or_not_at_all(
    stores: Stores, home: Home, device: Device, model: Model
) -> None:
    heard: list[str] = []

    async def begin() -> None:
        try:
            await begin_load(stores, plan(home, device, model), "one", NOW)
            heard.append("begun")
        except NotFound:
            heard.append("refused")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
        nursery.start_soon(unpair, stores, home.actor, device.id, NOW)
    live = await stores.read(lambda tx: tx.model_loads.live_or_none(device.id, "a"))
    assert heard == ["begun" if live is not None else "refused"]
