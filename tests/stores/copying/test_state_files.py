import errno
import os
import stat
from pathlib import Path

import pytest
from visiona.stores.copying.state_files import putting, read_state_files


def test_those_that_are_there_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"1"}
    assert read_state_files(tmp_path / "nowhere", ["a"]) == {}


def test_new_ones_stay_when_all_went_well(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with putting(tmp_path, {"a": b"new", "b": b"more"}):
        assert (tmp_path / "a").read_bytes() == b"new"
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"new", "b": b"more"}
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_old_ones_come_back_when_it_did_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(RuntimeError), putting(tmp_path, {"a": b"new", "b": b"more"}):
        raise RuntimeError
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"old"}


def test_a_disk_that_takes_the_first_and_not_the_second_keeps_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    plain = os.fsync
    full = [False, True, False]

    def fsync(descriptor: int) -> None:
        if full.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"), putting(tmp_path, {"a": b"new", "b": b"more"}):
        pytest.fail("not all are in place")
    assert full == []
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
