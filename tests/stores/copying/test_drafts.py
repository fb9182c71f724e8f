import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest
from visiona.stores.copying.drafts import drafted

NAME = "visiona-20261121T031700Z.zip"
LATER = "visiona-20261122T031700Z.zip"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    with drafted(tmp_path / "file") as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        draft.write_bytes(b"content")
        assert names(tmp_path) == [draft.name]
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_that_was_not_finished_goes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"older")
    with pytest.raises(RuntimeError), drafted(tmp_path / "file"):
        raise RuntimeError
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("left", "name", "is_ours"),
    [
        (f".{NAME}.0123abcd.part", LATER, True),
        (f".{NAME}.0123abcd.part", NAME, True),
        (".nightly.zip.0123abcd.part", "nightly.zip", True),
        (".nightly.zip.0123abcd.part", LATER, False),
        (".nightly.zip.0123abcd.part", "other.zip", False),
        (".nightly.zip.part", "nightly.zip", False),
        ("nightly.zip.0123abcd.part", "nightly.zip", False),
    ],
)
def test_what_a_killed_one_left_goes_and_nothing_else(
    tmp_path: Path, left: str, name: str, is_ours: bool
) -> None:
    (tmp_path / left).write_bytes(b"x")
    with drafted(tmp_path / name):
        assert (tmp_path / left).exists() != is_ours


def test_what_somebody_writes_is_left_alone(tmp_path: Path) -> None:
    with drafted(tmp_path / NAME) as first:
        with drafted(tmp_path / LATER) as second:
            assert first.exists()
        assert not second.exists()
    assert names(tmp_path) == [NAME, LATER]


def test_a_draft_that_was_taken_for_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one comes between its making and its locking; what ZIP made then would be everybody's to read."""
    plain, rounds = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        rounds.append(operation)
        if len(rounds) == 1:
            for path in tmp_path.iterdir():
                path.unlink()
        plain(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with drafted(tmp_path / "file") as draft:
        assert len(rounds) == 2
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600


def test_where_locks_are_unknown_nothing_is_taken_for_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with drafted(tmp_path / NAME) as first, drafted(tmp_path / LATER):
        assert first.exists()
    assert names(tmp_path) == [NAME, LATER]


def test_a_person_is_told_of_the_file_not_of_its_draft(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, drafted(tmp_path / "none" / "file"):
        pytest.fail("there is no such folder")
    assert caught.value.filename == str(tmp_path / "none" / "file")
    for error in (OSError(errno.ENOSPC, "full"), OSError(errno.ENOSPC, "full", "elsewhere")):
        with pytest.raises(OSError, match="full") as caught, drafted(tmp_path / "file"):
            raise error
        assert caught.value.filename == (error.filename or str(tmp_path / "file"))
    assert os.listdir(tmp_path) == []
