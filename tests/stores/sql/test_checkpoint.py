import logging
import sqlite3
from pathlib import Path

import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import checkpoint
from visiona.stores.sql.checkpoint import keep_checkpointing

from tests.support.nouns import a_user, put
from tests.support.waiting import until

SOON = 0.001


async def test_what_was_committed_moves_into_the_file(tmp_path: Path) -> None:
    settings = StoreSettings(None, tmp_path)
    async with open_stores(settings, exclusive=False) as stores, trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: keep_checkpointing(
                settings.database_file, "normal", stores.change_mark, interval_seconds=SOON
            )
        )
        await put(stores, a_user("moved@example.com"))
        await until(lambda: b"moved@example.com" in settings.database_file.read_bytes())
        nursery.cancel_scope.cancel()


async def test_nothing_new_is_no_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    runs = []
    monkeypatch.setattr(checkpoint, "_checkpoint_or_error", runs.append)
    marks = iter([1, 1, 2, 2, 2])

    async def change_mark() -> int:
        return next(marks)

    async def in_place(function: object, argument: object) -> object:
        return function(argument)

    monkeypatch.setattr(trio.to_thread, "run_sync", in_place)
    with pytest.raises(RuntimeError):
        await keep_checkpointing(tmp_path / "visiona.db", "normal", change_mark)
    assert len(runs) == 2


async def test_s03_a_checkpoint_that_fails_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes = iter([sqlite3.OperationalError("disk"), sqlite3.OperationalError("disk"), None])
    left = [3]

    def fail_twice(_: sqlite3.Connection) -> sqlite3.Error | None:
        left[0] -= 1
        return next(outcomes)

    async def change_mark() -> int:
        return 1

    monkeypatch.setattr(checkpoint, "_checkpoint_or_error", fail_twice)
    with caplog.at_level(logging.WARNING):
        async with trio.open_nursery() as nursery:
            path = tmp_path / "visiona.db"
            nursery.start_soon(lambda: keep_checkpointing(path, "normal", change_mark, interval_seconds=SOON))
            await until(lambda: left[0] == 0)
            nursery.cancel_scope.cancel()
    assert len(caplog.records) == 1


async def test_s03_a_file_that_cannot_even_be_asked_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    async def change_mark() -> int:
        nonlocal asked
        asked += 1
        await trio.lowlevel.checkpoint()
        raise StoreUnavailable("the disk of the database does not work")

    async with trio.open_nursery() as nursery:
        path = tmp_path / "visiona.db"
        nursery.start_soon(lambda: keep_checkpointing(path, "normal", change_mark, interval_seconds=SOON))
        await until(lambda: asked >= 3)
        nursery.cancel_scope.cancel()
    assert len(caplog.records) == 1


def test_an_error_of_the_disk_is_told_not_raised(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "visiona.db")
    connection.close()
    assert isinstance(checkpoint._checkpoint_or_error(connection), sqlite3.ProgrammingError)
