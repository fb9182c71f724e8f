import logging
from pathlib import Path

import pytest
import trio
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.ops import upkeep
from visiona.services.refusals import Refusals
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.folder import FolderFiles
from visiona.stores.memory.engine import MemoryStores

from tests.support.away import AwayStores
from tests.support.nouns import NOW


async def test_it_purges_every_hour_and_survives_a_store_that_is_down(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    asked: list[float] = []

    async def purge(*_: object) -> dict[str, int]:
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


async def test_it_sweeps_files_every_hour_and_survives_a_store_that_is_down(
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.INFO)
    removed = iter([2, None, 0])

    async def sweep(*_: object) -> int:
        await trio.lowlevel.checkpoint()
        if (count := next(removed)) is None:
            raise StoreUnavailable("down")
        return count

    monkeypatch.setattr("visiona.ops.upkeep.sweep_files", sweep)
    with trio.move_on_after(60 + 2 * 3600 + 1):
        await upkeep.sweep_forever(MemoryStores(), FolderFiles(tmp_path, reserve_bytes=0))
    said = [record.getMessage() for record in caplog.records]
    assert said == ["removed files that no model has", "no files were swept: down"]
    assert next(removed, "asked three times") == "asked three times"


async def test_refusals_are_written_each_second_and_when_the_server_ends(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stores, refusals = AwayStores(), Refusals(lambda: NOW, trio.current_time)

    async def why() -> list[str]:
        entries = await stores._stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 100))
        return sorted(entry.details["why"] for entry in entries)

    async with trio.open_nursery() as nursery:
        await nursery.start(upkeep.write_refusals_forever, stores, refusals)
        refusals.note(Deed.SIGN_IN_REFUSED, "1")
        await trio.sleep(1.5)
        assert await why() == ["1"]
        stores.database_is_away = True
        refusals.note(Deed.SIGN_IN_REFUSED, "2")
        await trio.sleep(1)
        assert await why() == ["1"]
        stores.database_is_away = False
        refusals.note(Deed.SIGN_IN_REFUSED, "3")
        nursery.cancel_scope.cancel()
    assert await why() == ["1", "2", "3"]
    assert [record.getMessage() for record in caplog.records] == [
        "refusals are not in the audit log yet: the store is away"
    ]
