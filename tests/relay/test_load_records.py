"""What the store is told of loads, and when it cannot be told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from visiona.domain.ids import LoadId
from visiona.domain.loads import LEASE, Fault, Lease, LoadState
from visiona.relay import load_records
from visiona.relay.model_loads import Loads
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Tx

from tests.support.load_bench import FLASH, UPLOAD, Away, Bench, bench, ended, in_state
from tests.support.waiting import until

T = TypeVar("T")


@pytest.fixture(autouse=True)
def renew_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_records, "RENEW_SECONDS", 0.01)


@asynccontextmanager
async def bench_with_away(folder: Path, **more: Any) -> AsyncIterator[tuple[Bench, Away]]:
    async with bench(folder) as one:
        away = Away(one.relay.stores)
        stores: Any = away
        loads = Loads(stores, one.files, one.relay.registry, holder="away", now=one.now, **more)
        one.relay.registry.watchers.append(loads.watch)
        one.loads.close()
        one.loads = loads
        async with trio.open_nursery() as nursery:
            await nursery.start(loads.run)
            yield one, away
            nursery.cancel_scope.cancel()


async def lease_of(one: Bench, load_id: LoadId) -> Lease:
    kept = await one.relay.stores.read(lambda tx: tx.model_loads.get_or_none(load_id))
    assert kept is not None
    return kept.lease


async def test_each_state_is_written_before_it_is_acted_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold = {UPLOAD: trio.Event(), FLASH: trio.Event()}
        load = await one.begin()
        for key, state in ((UPLOAD, LoadState.PUSHING), (FLASH, LoadState.FLASHING)):
            await until(lambda key=key: key in one.unit.asked)
            assert (await one.kept(load.now)).state is state
            one.unit.hold[key].set()
        assert (await one.kept(await ended(load))).state is LoadState.ACTIVE
        assert (await one.kept(load.now)).device_model_id == "model-7"


async def test_s01_a_store_that_goes_away_ends_no_load_and_is_told_later(tmp_path: Path) -> None:
    async with bench_with_away(tmp_path) as (one, away):
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await until(lambda: UPLOAD in one.unit.asked)
        away.is_away = True
        one.unit.hold[UPLOAD].set()
        assert (await ended(load)).state is LoadState.ACTIVE
        assert (await one.kept(load.now)).state is LoadState.PUSHING
        # Who asks here is told what is known here.
        assert one.loads.as_seen_here(await one.kept(load.now)).state is LoadState.ACTIVE
        refused = away.refused
        await until(lambda: away.refused > refused + 3)
        away.is_away = False
        kept = await one.until_kept(load.now, LoadState.ACTIVE)
        assert kept.current_since is not None
        await until(lambda: one.loads.running(load.now.id) is None)
        assert await one.deeds() == [("model_load_ended", "ok"), ("model_load_started", "ok")]


async def test_s01_a_state_in_between_is_told_later_too(tmp_path: Path) -> None:
    async with bench_with_away(tmp_path) as (one, away):
        one.unit.hold = {UPLOAD: trio.Event(), FLASH: trio.Event()}
        load = await one.begin()
        await until(lambda: UPLOAD in one.unit.asked)
        away.is_away = True
        one.unit.hold[UPLOAD].set()
        await until(lambda: FLASH in one.unit.asked)
        assert (await one.kept(load.now)).state is LoadState.PUSHING
        away.is_away = False
        await one.until_kept(load.now, LoadState.FLASHING)


async def test_s01_nothing_begins_that_cannot_be_put_on_record(tmp_path: Path) -> None:
    async with bench_with_away(tmp_path) as (one, away):
        away.is_away = True
        with pytest.raises(StoreUnavailable):
            await one.begin()
        away.is_away = False
        assert not [key for key in one.unit.asked if key[0] != "GET"]


async def test_s01_while_the_store_is_away_a_device_that_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    async with bench_with_away(tmp_path) as (one, away):
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        away.is_away = True
        live = one.relay.registry.online(one.paired.device.id)
        assert live is not None
        live.tunnel.close("tcp_reset")
        await until(lambda: load.now.is_waiting)
        one.unit.hold.clear()
        async with one.connected():
            assert (await ended(load)).state is LoadState.ACTIVE


async def test_a_lease_is_prolonged_while_a_load_is_carried(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        one.now.forward(2 * LEASE)
        with trio.fail_after(5):
            while (await lease_of(one, load.now.id)).until < one.now.moment:  # noqa: ASYNC110 - another task's
                await trio.sleep(0.005)
        async with one.next_server(is_alone=False) as other:
            assert other.running(load.now.id) is None
            one.unit.hold[UPLOAD].set()
            assert (await ended(load)).state is LoadState.ACTIVE


async def test_a_load_that_another_server_has_is_left_alone(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)

        async def steal(tx: Tx) -> None:
            await tx.model_loads.free_all(one.now())
            assert await tx.model_loads.claim(load.now.id, Lease("thief", one.now() + LEASE), one.now())

        await one.relay.stores.write(steal)
        now = await ended(load)
        assert (load.is_left, now.state) == (True, LoadState.PUSHING)
        assert (await lease_of(one, now.id)).holder == "thief"
        assert FLASH not in one.unit.asked


async def test_another_servers_load_is_ended_by_asking_it_to(tmp_path: Path) -> None:
    async with bench(tmp_path) as one, one.next_server(is_alone=False) as other:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        await other.cancel(one.paired.device.id, load.now.id)
        assert (await one.kept(load.now)).fault is Fault.CANCELLED


async def test_asking_does_not_interrupt_what_is_written(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[FLASH] = trio.Event()
        load = await one.begin()
        await until(lambda: FLASH in one.unit.asked)
        assert await one.relay.stores.write(lambda tx: tx.model_loads.ask_stop(load.now.id, one.now()))
        before = (await lease_of(one, load.now.id)).until
        with trio.fail_after(5):
            while (await lease_of(one, load.now.id)).until == before:  # noqa: ASYNC110 - another task's
                await trio.sleep(0.005)
        one.unit.hold[FLASH].set()
        assert (await ended(load)).state is LoadState.ACTIVE


async def test_what_another_server_took_while_the_device_was_away_is_left(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        await in_state(load, LoadState.PUSHING)
        live = one.relay.registry.online(one.paired.device.id)
        assert live is not None
        live.tunnel.close("tcp_reset")
        await until(lambda: load.now.is_waiting)
        # Nobody prolongs it meanwhile.
        one.now.forward(2 * LEASE)
        thief = Lease("thief", one.now() + LEASE)
        assert await one.relay.stores.write(
            lambda tx: tx.model_loads.claim(load.now.id, thief, one.now.moment)
        )
        one.unit.hold.clear()
        uploads = one.unit.asked.count(UPLOAD)
        async with one.connected():
            await ended(load)
            assert load.is_left
            assert one.unit.asked.count(UPLOAD) == uploads
        assert await lease_of(one, load.now.id) == thief
