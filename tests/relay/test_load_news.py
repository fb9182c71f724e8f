"""A load is followed wherever it is carried."""

from pathlib import Path

import pytest
import trio
from visiona.domain.loads import Fault, Lease, Load, LoadState
from visiona.relay import abandoned_loads, load_news
from visiona.relay.load_news import follow

from tests.support.load_bench import FLASH, UPLOAD, Bench, bench, in_state
from tests.support.nouns import NOW
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_news, "ASK_SECONDS", 0.005)
    monkeypatch.setattr(abandoned_loads, "LOOK_SECONDS", 0.01)


class Viewer:
    """Follows a load in a task."""

    def __init__(self, one: Bench, load: Load, quiet_seconds: float = 60) -> None:
        self.cut = trio.Event()
        self.heard: list[Load | None] = []
        self.has_ended = False
        one.nursery.start_soon(self._follow, one, one.loads, load, quiet_seconds)

    async def _follow(self, one: Bench, loads: object, load: Load, quiet_seconds: float) -> None:
        async for each in follow(one.relay.stores, loads, load, quiet_seconds, self.cut):
            self.heard.append(each)
        self.has_ended = True

    @property
    def states(self) -> list[str]:
        return list(dict.fromkeys(each.state.value for each in self.heard if each is not None))


async def test_of_one_that_is_over_the_end_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        load = await one.to_the_end()
        viewer = Viewer(one, load)
        await until(lambda: viewer.has_ended)
        assert viewer.states == ["active"]


async def test_another_servers_is_followed_by_its_states_and_is_joined_when_it_comes_here(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as one:
        load = (await one.plan()).load.moved(LoadState.PUSHING, NOW)
        await one.left_behind(load, Lease("another", one.now.moment.max.replace(tzinfo=NOW.tzinfo)))
        viewer = Viewer(one, load, quiet_seconds=0.02)
        await until(lambda: None in viewer.heard)
        assert viewer.states == ["pushing"]
        one.unit.hold[UPLOAD] = trio.Event()
        await one.relay.stores.write(lambda tx: tx.model_loads.free_all(one.now()))
        await until(lambda: UPLOAD in one.unit.asked)
        one.unit.hold[UPLOAD].set()
        await until(lambda: viewer.has_ended)
        assert viewer.states == ["pushing", "flashing", "active"]
        assert viewer.heard[-1] is not None
        assert FLASH in one.unit.asked


async def test_who_is_cut_hears_no_more(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        load = (await one.plan()).load
        await one.left_behind(load, Lease("another", one.now.moment.max.replace(tzinfo=NOW.tzinfo)))
        viewer = Viewer(one, load)
        await until(lambda: viewer.heard)
        viewer.cut.set()
        await until(lambda: viewer.has_ended)


async def test_a_server_that_stops_ends_its_answers_and_not_the_load(tmp_path: Path) -> None:
    async with bench(tmp_path) as one:
        one.unit.hold[UPLOAD] = trio.Event()
        load = await one.begin()
        viewer = Viewer(one, load.now)
        await in_state(load, LoadState.PUSHING)
        one.loads.close()
        await until(lambda: viewer.has_ended)
        assert viewer.heard[-1] is not None
        assert viewer.heard[-1].fault is not Fault.SERVER_STOPPING
        assert "failed" not in viewer.states
