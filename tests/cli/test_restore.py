import io
from pathlib import Path

import pytest
import trio
from visiona.stores.sql.sqlite_file import sole_server

from tests.cli.conftest import Run
from tests.stores.copying.sample import dump, filled


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def file(visiona: Run, state_dir: Path, tmp_path: Path) -> Path:
    """A backup of the state directory, which is empty again."""
    trio.run(filled, state_dir)
    assert visiona("backup", str(tmp_path / "file.zip")).code == 0
    state_dir.rename(tmp_path / "before")
    return tmp_path / "file.zip"


def test_everything_is_back(visiona: Run, file: Path, state_dir: Path) -> None:
    ran = visiona("restore", str(file), "--json")
    assert ran.code == 0
    assert ran.json["state"] == "restored"
    assert ran.json["tables"]["users"] == 2
    assert "good again" in ran.err
    assert dump(state_dir / "visiona.db") == dump(file.parent / "before" / "visiona.db")
    assert (state_dir / "session.key").read_bytes() == b"sealing\n"
    assert [user["email"] for user in visiona("user", "list", "--json").json] == [
        "ada@example.com",
        "bob@example.com",
    ]


def test_looking_changes_nothing(visiona: Run, file: Path, state_dir: Path) -> None:
    ran = visiona("restore", "--check", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert "good" in ran.out
    assert not state_dir.exists()
    file.write_bytes(file.read_bytes()[:-100])
    refused = visiona("restore", "--check", str(file))
    assert (refused.code, "[BACKUP_DAMAGED]" in refused.err, refused.err.count("\n")) == (1, True, 1)


def test_a_backup_that_everybody_can_read_is_spoken_of(visiona: Run, file: Path) -> None:
    assert "can be read by everybody" not in visiona("restore", "--check", str(file)).err
    file.chmod(0o644)
    for arguments in (("--check",), ()):
        ran = visiona("restore", str(file), *arguments)
        assert (ran.code, f"chmod go= {file}" in ran.err) == (0, True)


def test_what_is_there_is_lost_only_after_asking(
    visiona: Run, file: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert visiona("restore", str(file)).code == 0
    assert visiona("user", "disable", "ada@example.com").code == 0
    refused = visiona("restore", str(file))
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "--replace [NOT_EMPTY]" in refused.err
    # Nobody to ask.
    refused = visiona("restore", str(file), "--replace")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    monkeypatch.setattr("io.StringIO", Terminal)
    assert visiona("restore", str(file), "--replace", stdin="yes\n").code == 1
    assert visiona("user", "list", "--json").json[0]["disabled_at"] is not None
    asked = visiona("restore", str(file), "--replace", stdin="replace\n")
    assert (asked.code, "will be lost" in asked.out) == (0, True)
    assert visiona("user", "list", "--json").json[0]["disabled_at"] is None
    assert visiona("restore", str(file), "--replace", "--yes").code == 0


def test_a_running_server_keeps_its_database(visiona: Run, file: Path, state_dir: Path) -> None:
    state_dir.mkdir()
    with sole_server(state_dir / "visiona.db"):
        refused = visiona("restore", str(file), "--replace", "--yes")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "stop it first [IN_USE]" in refused.err


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [("none.zip", 1, "SYSTEM"), ("other", 1, "BACKUP_FOREIGN"), (".", 1, "SYSTEM")],
)
def test_mistakes_are_sentences(
    visiona: Run, state_dir: Path, tmp_path: Path, name: str, code: int, word: str
) -> None:
    (tmp_path / "other").write_bytes(b"hello")
    for more in ((), ("--check",)):
        refused = visiona("restore", str(tmp_path / name), *more)
        assert (refused.code, refused.out, refused.err.count("\n")) == (code, "", 1)
        assert f"[{word}]" in refused.err
    assert not (state_dir / "visiona.db").exists()
    assert visiona("restore", str(tmp_path / "other"), "--set", "database.url=memory:").code == 1
