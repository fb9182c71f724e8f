import errno
import os
import stat
from pathlib import Path

import pytest
from visiona.stores.copying.errors import CommitUncertain, CopyRefused
from visiona.stores.copying.state_files import STAGE, is_staged, read_state_files, settling, staging


def test_those_that_are_there_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"1"}
    assert read_state_files(tmp_path / "nowhere", ["a"]) == {}


def test_new_ones_take_their_places_when_all_went_well(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with staging(tmp_path, {"a": b"new", "b": b"more"}) as mark:
        assert 0 < mark < 2**31
        assert (tmp_path / "a").read_bytes() == b"old"
        assert is_staged(tmp_path)
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"new", "b": b"more"}
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_old_ones_stay_when_it_did_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(RuntimeError), staging(tmp_path, {"a": b"new", "b": b"more"}):
        raise RuntimeError
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_disk_that_takes_the_first_and_not_the_second_keeps_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    plain = os.fsync
    full = [False, True]

    def fsync(descriptor: int) -> None:
        if full.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"), staging(tmp_path, {"a": b"new", "b": b"more"}):
        pytest.fail("not all lie ready")
    assert full == []
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("was_committed", [True, False])
def test_what_nobody_knows_the_database_tells_later(tmp_path: Path, was_committed: bool) -> None:
    (tmp_path / "a").write_bytes(b"old")
    marks = []
    with pytest.raises(CommitUncertain), staging(tmp_path, {"a": b"new", "b": b"more"}) as mark:
        marks.append(mark if was_committed else 0)
        raise CommitUncertain("who knows")
    assert read_state_files(tmp_path, ["a", "b"]) == {"a": b"old"}
    with settling(tmp_path) as stage:
        assert stage is not None
        stage.settle(marks[0])
    after = {"a": b"new", "b": b"more"} if was_committed else {"a": b"old"}
    assert read_state_files(tmp_path, ["a", "b"]) == after
    assert not is_staged(tmp_path)


@pytest.mark.parametrize("mark", [b"", b"7x", None])
def test_what_did_not_lie_ready_goes(tmp_path: Path, mark: bytes | None) -> None:
    (tmp_path / STAGE).mkdir()
    (tmp_path / STAGE / "a").write_bytes(b"new")
    if mark is not None:
        (tmp_path / STAGE / "mark").write_bytes(mark)
    with settling(tmp_path) as stage:
        assert stage is not None
        stage.settle(7)
    assert list(tmp_path.iterdir()) == []


def test_whoever_may_not_look_is_not_the_one_to_settle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert not is_staged(tmp_path)


def test_a_mark_that_root_had_not_given_away_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / STAGE).mkdir()
    (tmp_path / STAGE / "mark").touch()
    plain = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "mark":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with settling(tmp_path) as stage:
        assert stage is not None
        stage.settle(7)
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_is_alive_is_left_alone(tmp_path: Path) -> None:
    with settling(tmp_path) as stage:
        assert stage is None
    with staging(tmp_path, {"a": b"new"}):
        with settling(tmp_path) as stage:
            assert stage is None
        with pytest.raises(CopyRefused, match="another restore"), staging(tmp_path, {"a": b"newer"}):
            pytest.fail("two at once")
    assert (tmp_path / "a").read_bytes() == b"new"
