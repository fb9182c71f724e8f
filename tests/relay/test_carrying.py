"""What devices do to loads: go away in each state, fill up, lie, and tell late what came of it."""

from pathlib import Path
from typing import Any

import pytest
import trio
from visiona.domain.causes import Cause
from visiona.domain.loads import Fault, Lease, Load, LoadState
from visiona.relay import abandoned_loads, model_flash

from tests.support.load_bench import CONTENT, FLASH, SHA256, UPLOAD, Bench, bench, ended, in_state
from tests.support.nouns import NOW
from tests.support.scripted_unit import KL720, ScriptedUnit
from tests.support.waiting import until

PLACE = f"/api/models/uploads/{SHA256}"
FINISH = ("POST", f"{PLACE}/finish")
DEVICES = ("GET", "/api/devices")


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abandoned_loads, "LOOK_SECONDS", 0.01)


def lose_tunnel(one: Bench) -> None:
    live = one.relay.registry.online(one.paired.device.id)
    assert live is not None
    live.tunnel.close(Cause.TCP_RESET.value)


class Forgetful(ScriptedUnit):
    """Says once that what it has is another file, and takes all of it then."""

    def _own(self, method: str, path: str) -> tuple[int, Any]:
        if (method, path) == FINISH and self.asked.count(FINISH) == 1:
            return 422, {"error": {"message": "its digest is another"}}
        return super()._own(method, path)


async def test_m10_a_device_that_says_it_has_what_it_has_not_gets_all_of_it_once_more(tmp_path: Path) -> None:
    there = {("GET", PLACE): (200, {"data": {"received": [[0, len(CONTENT)]]}})}
    unit = Forgetful(uploads={"maxStreams": 1}, answers=there)
    async with bench(tmp_path, unit) as one:
        assert (await one.to_the_end()).state is LoadState.ACTIVE
        assert unit.bodies[PLACE] == CONTENT[-len(unit.bodies[PLACE]) :]
        assert unit.asked.count(FINISH) == 2
        # Not a byte went the first time.
        assert unit.asked.index(("PUT", PLACE)) > unit.asked.index(FINISH)


async def test_m10_a_device_that_lies_again_and_again_is_not_asked_for_ever(tmp_path: Path) -> None:
    unit = ScriptedUnit(uploads={"maxStreams": 1}, answers={FINISH: (422, {})})
    unit.answers["GET", PLACE] = (200, {"data": {"received": [[0, 100_000]]}})
    async with bench(tmp_path, unit) as one:
        load = await one.to_the_end()
        assert (load.state, load.fault) == (LoadState.FAILED, Fault.DIGEST_MISMATCH)
        assert unit.asked.count(FINISH) == 2
        assert FLASH not in unit.asked


@pytest.mark.parametrize("where", [UPLOAD, ("PUT", PLACE), FINISH])
async def test_m04_a_device_whose_disk_is_full_says_so(where: tuple[str, str], tmp_path: Path) -> None:
    full = {where: (507, {"error": {"message": "no space left on device"}})}
    unit = ScriptedUnit(uploads=None if where == UPLOAD else {"maxStreams": 2}, answers=full)
    async with bench(tmp_path, unit) as one:
        load = await one.to_the_end()
        assert (load.state, load.fault) == (LoadState.FAILED, Fault.DEVICE_FULL)
        assert load.sentence == "the device has no room for the model: 'no space left on device'"
        # There is room now.
        unit.answers.clear()
        assert (await one.to_the_end()).state is LoadState.ACTIVE


@pytest.mark.parametrize("state", [LoadState.QUEUED, LoadState.PUSHING, LoadState.FLASHING])
async def test_t40_a_device_that_goes_away_is_waited_for_in_every_state(
    state: LoadState, tmp_path: Path
) -> None:
    held = {LoadState.QUEUED: DEVICES, LoadState.PUSHING: UPLOAD, LoadState.FLASHING: FLASH}[state]
    async with bench(tmp_path) as one:
        one.unit.hold[held] = trio.Event()
        load = await one.begin()
        await in_state(load, state)
        asked = one.unit.asked.count(held)
        await until(lambda: one.unit.asked.count(held) > asked or state is not LoadState.QUEUED)
        lose_tunnel(one)
        await until(lambda: load.now.is_waiting)
        assert load.now.state is state
        one.unit.hold.clear()
        async with one.connected():
            assert (await ended(load)).state is LoadState.ACTIVE


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        (LoadState.QUEUED, Fault.DEVICE_OFFLINE),
        (LoadState.PUSHING, Fault.DEVICE_OFFLINE),
        (LoadState.FLASHING, Fault.OUTCOME_UNKNOWN),
    ],
)
async def test_a_device_that_stays_away_is_an_end_that_says_what_is_known(
    state: LoadState, fault: Fault, tmp_path: Path
) -> None:
    held = {LoadState.QUEUED: DEVICES, LoadState.PUSHING: UPLOAD, LoadState.FLASHING: FLASH}[state]
    async with bench(tmp_path, return_seconds=0.1) as one:
        one.unit.hold[held] = trio.Event()
        load = await one.begin()
        await in_state(load, state)
        lose_tunnel(one)
        now = await ended(load)
        assert (now.state, now.fault) == (LoadState.FAILED, fault)
        assert (await one.kept(now)).fault is fault


@pytest.mark.parametrize("state", [LoadState.QUEUED, LoadState.PUSHING, LoadState.FLASHING])
async def test_a_load_is_cancelled_while_its_device_is_away(state: LoadState, tmp_path: Path) -> None:
    held = {LoadState.QUEUED: DEVICES, LoadState.PUSHING: UPLOAD, LoadState.FLASHING: FLASH}[state]
    async with bench(tmp_path) as one:
        one.unit.hold[held] = trio.Event()
        load = await one.begin()
        await in_state(load, state)
        lose_tunnel(one)
        await until(lambda: load.now.is_waiting)
        await one.loads.cancel(one.paired.device.id, load.now.id)
        kept = await one.kept(load.now)
        assert (kept.state, kept.fault) == (LoadState.FAILED, Fault.CANCELLED)
        assert kept.has_overwritten is (state is LoadState.FLASHING)


async def begun_by_another(one: Bench) -> Load:
    """What a server leaves behind that is killed while the accelerator is written."""
    load = (await one.plan()).load.moved(LoadState.PUSHING, NOW)
    return await one.left_behind(load.moved(LoadState.FLASHING, NOW), Lease("dead", NOW))


async def test_what_was_written_meanwhile_is_not_written_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.accelerators = [KL720 | {"modelSha256": SHA256}]
        load = await one.until_kept(await begun_by_another(one), LoadState.ACTIVE)
        assert load.current_since is not None
        assert not {FLASH, UPLOAD} & set(one.unit.asked)


async def test_what_is_still_written_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_flash, "ASK_AGAIN_SECONDS", 0.01)
    async with bench(tmp_path) as one:
        one.unit.accelerators = [KL720 | {"status": "flashing"}]
        load = await begun_by_another(one)
        asked = one.unit.asked.count(DEVICES)
        await until(lambda: one.unit.asked.count(DEVICES) > asked + 3, 10)
        assert (await one.kept(load)).state is LoadState.FLASHING
        one.unit.accelerators = [KL720 | {"modelSha256": SHA256}]
        await one.until_kept(load, LoadState.ACTIVE)
        assert FLASH not in one.unit.asked


async def test_a_device_that_does_not_say_what_was_written_is_written_once_more(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        await one.until_kept(await begun_by_another(one), LoadState.ACTIVE)
        assert one.unit.asked.count(FLASH) == 1
        assert UPLOAD not in one.unit.asked


async def test_an_accelerator_that_infers_by_now_is_an_outcome_that_is_not_known(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.accelerators = [KL720 | {"status": "inferencing"}]
        load = await one.until_kept(await begun_by_another(one), LoadState.FAILED)
        assert load.fault is Fault.OUTCOME_UNKNOWN
        assert FLASH not in one.unit.asked
