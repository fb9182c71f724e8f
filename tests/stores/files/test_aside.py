import errno
import multiprocessing
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from visiona.stores.files.aside import NAME, drop_left, open_aside
from visiona.stores.files.folder import FolderFiles


def names(root: Path) -> list[str]:
    return [path.name for path in (root / NAME).iterdir()]


def test_a_folder_of_ones_own_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with open_aside(tmp_path) as mine, open_aside(tmp_path) as another:
        assert mine != another
        assert stat.S_IMODE(mine.stat().st_mode) == 0o700
        (mine / "file").write_bytes(b"x")
        drop_left(tmp_path)
        assert sorted(names(tmp_path)) == sorted([mine.name, another.name])
    assert names(tmp_path) == []


def leave(root: Path, said: "multiprocessing.connection.Connection") -> None:
    with open_aside(root) as mine:
        (mine / "file").write_bytes(b"x")
        said.send(mine.name)
        said.poll(None)


async def test_what_a_killed_process_left_is_removed_and_not_before(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path, reserve_bytes=0)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=leave, args=(tmp_path, theirs))
    process.start()
    name = ours.recv()

    async def known(_: object) -> set[str]:
        return set()

    a_day_ago = datetime.now(UTC) - timedelta(days=1)
    await files.sweep(known, a_day_ago)
    assert names(tmp_path) == [name]
    process.kill()
    process.join()
    await files.sweep(known, a_day_ago)
    assert names(tmp_path) == []


def test_what_is_another_users_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root was killed before it gave the folder away."""
    (tmp_path / NAME / "of-root").mkdir(parents=True)
    plain = os.open

    def refuse(path: Path, *rest: int, **more: int) -> int:
        if Path(path).name == "of-root":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    drop_left(tmp_path)
    with open_aside(tmp_path):
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == ["of-root"]


def test_nothing_is_made_where_there_was_nothing(tmp_path: Path) -> None:
    drop_left(tmp_path)
    assert list(tmp_path.iterdir()) == []
