import json
import re
import zipfile
from pathlib import Path

import pytest
import trio

from tests.cli.conftest import Run
from tests.stores.copying.sample import filled


@pytest.fixture
def kept(state_dir: Path) -> Path:
    """A state directory with something of everything."""
    trio.run(filled, state_dir)
    return state_dir


def test_everything_is_in_one_file(visiona: Run, kept: Path, tmp_path: Path) -> None:
    ran = visiona("backup", str(tmp_path / "file.zip"), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["file"] == str(tmp_path / "file.zip")
    assert ran.json["engine"] == "sqlite"
    assert ran.json["state_files"] == ["idp-keys.json", "session.key"]
    assert ran.json["rows"] == sum(ran.json["tables"].values())
    assert ran.json["bytes"] == (tmp_path / "file.zip").stat().st_size
    with zipfile.ZipFile(tmp_path / "file.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        users = archive.read("tables/users.ndjson").splitlines()
    assert manifest["format"] == "visiona backup"
    assert len(users) == ran.json["tables"]["users"] == 2


def test_in_a_folder_it_names_itself(visiona: Run, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    ran = visiona("backup", str(tmp_path / "backups"))
    assert ran.code == 0
    (file,) = (tmp_path / "backups").iterdir()
    assert re.fullmatch(r"visiona-\d{8}T\d{6}Z\.zip", file.name)
    assert str(file) in ran.out
    assert "2" in ran.out


def test_a_file_that_is_there_is_kept(visiona: Run, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "file.zip").touch()
    refused = visiona("backup", str(tmp_path / "file.zip"))
    assert (refused.code, "[EXISTS]" in refused.err, refused.err.count("\n")) == (1, True, 1)
    assert visiona("backup", str(tmp_path / "file.zip"), "--overwrite").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--set", "redis.url=redis://127.0.0.1:1"), "sessions are in Redis"),
        (("--set", f"session.key={'k' * 40}"), "session.key is in the configuration"),
    ],
)
def test_it_says_what_is_not_in_it(
    visiona: Run, kept: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    ran = visiona("backup", str(tmp_path / "file.zip"), *options)
    assert ran.code == 0
    assert said in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("nowhere/file.zip",), 1, "SYSTEM"),
        (("file.zip", "--set", "database.url=memory:"), 1, "NO_DATABASE"),
        (("file.zip", "--set", "database.url=sqlite:////nowhere/visiona.db"), 1, "NOTHING_THERE"),
        ((), 2, ""),
    ],
)
def test_mistakes_are_sentences(
    visiona: Run,
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    word: str,
) -> None:
    monkeypatch.chdir(kept.parent)
    refused = visiona("backup", *arguments)
    assert (refused.code, refused.out) == (code, "")
    assert word in refused.err
    assert not (kept.parent / "file.zip").exists()
