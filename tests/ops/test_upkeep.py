import logging

import pytest
import trio
from visiona.ops import upkeep
from visiona.stores.errors import StoreUnavailable
from visiona.stores.memory.engine import MemoryStores


async def test_it_purges_every_hour_and_survives_a_store_that_is_down(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    asked: list[float] = []

    async def purge(stores: object, at: object) -> dict[str, int]:
        await trio.lowlevel.checkpoint()
        asked.append(trio.current_time())
        if len(asked) == 2:
            raise StoreUnavailable("down")
        return {"notices": 3, "device_events": 0}

    monkeypatch.setattr("visiona.ops.upkeep.purge_expired", purge)
    begin = trio.current_time()
    with trio.move_on_after(60 + 2 * 3600 + 1):
        await upkeep.purge_forever(MemoryStores())
    assert [round(at - begin) for at in asked] == [60, 3660, 7260]
    said = [record.getMessage() for record in caplog.records]
    assert said == ["purged what had expired", "nothing was purged: down", "purged what had expired"]
