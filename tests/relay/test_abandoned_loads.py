"""Loads that nobody carries: who takes them, and what becomes of those that nobody can."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from visiona.domain.audit import EVERY_ENTRY
from visiona.domain.causes import Cause
from visiona.domain.errors import Conflict, NotFound
from visiona.domain.ids import LoadId
from visiona.domain.loads import LEASE, TAKE_UP_WITHIN, Fault, Lease, Load, LoadState
from visiona.relay import abandoned_loads
from visiona.services.audit import list_audit
from visiona.services.devices import unpair
from visiona.services.model_files import delete_model

from tests.support.load_bench import FLASH, UPLOAD, Away, Bench, bench
from tests.support.nouns import NOW
from tests.support.waiting import until

DEAD = Lease("dead", NOW)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abandoned_loads, "LOOK_SECONDS", 0.01)


async def left(one: Bench, state: LoadState = LoadState.PUSHING, lease: Lease = DEAD) -> Load:
    """A load whose server is gone."""
    load = (await one.plan()).load
    for each in (LoadState.PUSHING, LoadState.FLASHING):
        load = load.moved(each, NOW) if load.state is not state else load
    return await one.left_behind(load, lease)


def go_away(one: Bench) -> None:
    live = one.relay.registry.online(one.paired.device.id)
    assert live is not None
    live.tunnel.close(Cause.TCP_RESET.value)


async def test_it_is_taken_by_one_of_several(tmp_path: Path) -> None:
    async with bench(tmp_path) as one, one.next_server(holder="two"), one.next_server(holder="three"):
        for _ in range(5):
            await one.until_kept(await left(one), LoadState.ACTIVE)
        assert one.unit.asked.count(UPLOAD) == one.unit.asked.count(FLASH) == 5
        page = await list_audit(one.relay.stores, None, EVERY_ENTRY, limit=50)
        ends = [entry for entry in page.items if entry.deed == "model_load_ended"]
        # In the log it is still the deed of who began it.
        assert [(entry.user_id, entry.email, entry.through.value) for entry in ends] == [
            (one.home.user.id, one.home.user.email, "server")
        ] * 5


async def test_one_that_is_held_is_nobody_elses_until_the_lease_is_over(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        load = await left(one, lease=Lease("alive", one.now() + timedelta(hours=1)))
        async with one.next_server(is_alone=False) as other:
            for _ in range(20):
                await trio.testing.wait_all_tasks_blocked(0.005)
            assert (await one.kept(load)).state is LoadState.PUSHING
            assert other.running(load.id) is None
            one.now.forward(timedelta(hours=1))
            await one.until_kept(load, LoadState.ACTIVE)


async def test_a_server_that_is_alone_need_not_wait(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        load = await left(one, lease=Lease("killed just now", one.now() + LEASE))
        async with one.next_server(is_alone=True):
            await one.until_kept(load, LoadState.ACTIVE)


async def test_it_waits_for_its_device(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        go_away(one)
        await until(lambda: one.relay.registry.online(one.paired.device.id) is None)
        load = await left(one)
        assert one.loads.as_seen_here(load).is_waiting
        async with one.connected():
            await one.until_kept(load, LoadState.ACTIVE)


@pytest.mark.parametrize(
    ("state", "fault"),
    [(LoadState.PUSHING, Fault.DEVICE_OFFLINE), (LoadState.FLASHING, Fault.OUTCOME_UNKNOWN)],
)
async def test_a_device_that_does_not_come_is_an_end_that_says_what_is_known(
    state: LoadState, fault: Fault, tmp_path: Path
) -> None:
    async with bench(tmp_path, return_seconds=0.05) as one:
        go_away(one)
        await until(lambda: one.relay.registry.online(one.paired.device.id) is None)
        now = await one.until_kept(await left(one, state), LoadState.FAILED)
        assert now.fault is fault
        assert (await one.deeds())[0] == ("model_load_ended", "failed")


async def test_what_was_asked_for_long_ago_is_not_done_now(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        long_ago = NOW - TAKE_UP_WITHIN - timedelta(seconds=1)
        now = await one.until_kept(await left(one, lease=Lease("dead", long_ago)), LoadState.FAILED)
        assert now.fault is Fault.SERVER_STOPPING
        assert not [key for key in one.unit.asked if key[0] != "GET"]


async def test_m05_of_a_model_that_was_deleted_nothing_is_taken_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.loads.close()
        load = await left(one)
        await delete_model(one.relay.stores, one.files, one.home.actor, one.model.id, NOW)
        async with one.next_server():
            assert (await one.until_kept(load, LoadState.FAILED)).fault is Fault.FILE_GONE


async def test_of_who_lost_access_nothing_is_taken_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.loads.close()
        load = await left(one)
        await unpair(one.relay.stores, one.home.actor, one.paired.device.id, NOW)
        async with one.next_server():
            now = await one.until_kept(load, LoadState.FAILED)
        assert now.fault is Fault.REVOKED
        assert "unpaired" in str(now.sentence)


@pytest.mark.parametrize("state", [LoadState.QUEUED, LoadState.PUSHING, LoadState.FLASHING])
async def test_one_that_nobody_carries_is_cancelled_at_once(state: LoadState, tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.loads.close()
        load = await left(one, state)
        await one.loads.cancel(one.paired.device.id, load.id)
        now = await one.kept(load)
        assert (now.state, now.fault) == (LoadState.FAILED, Fault.CANCELLED)
        for load_id, refusal in ((load.id, Conflict), (LoadId("none"), NotFound)):
            with pytest.raises(refusal):
                await one.loads.cancel(one.paired.device.id, load_id)


async def test_what_another_server_has_written_is_not_interrupted(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.loads.close()
        load = await left(one, LoadState.FLASHING, Lease("alive", NOW + timedelta(hours=1)))
        with pytest.raises(Conflict):
            await one.loads.cancel(one.paired.device.id, load.id)
        assert (await one.kept(load)) == replace(load)


async def test_s01_a_store_that_is_away_is_told_of_once_and_looked_into_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path) as one:
        one.loads.close()
        load = await left(one)
        away: Any = Away(one.relay.stores)
        away.is_away = True
        async with one.next_server(stores=away):
            await until(lambda: away.refused > 3)
            assert len([line for line in caplog.messages if "not looked for" in line]) == 1
            away.is_away = False
            await one.until_kept(load, LoadState.ACTIVE)
