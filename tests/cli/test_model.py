import hashlib
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CONTENT = b"weights" * 100_000
ADA = ("--user", "ada@example.com")


@pytest.fixture
def file(visiona: Run, tmp_path: Path) -> Path:
    visiona("user", "add", "ada@example.com", "--password-stdin", stdin="correct horse")
    visiona("user", "add", "bob@example.com", "--password-stdin", stdin="correct horse")
    path = tmp_path / "yolo.nef"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_brought_listed_and_removed(visiona: Run, file: Path, state_dir: Path) -> None:
    pushed = visiona("model", "push", str(file), "--chip", "kl720", "--chip", "KL520", *ADA, "--json")
    model = pushed.json
    assert (model["name"], model["version"], model["status"]) == ("yolo", "1", "ready")
    assert (model["target_chips"], model["sha256"]) == (
        ["KL720", "KL520"],
        hashlib.sha256(CONTENT).hexdigest(),
    )
    assert [path.read_bytes() for path in (state_dir / "files" / "objects").iterdir()] == [CONTENT]
    again = visiona("model", "push", str(file), "--chip", "KL720", *ADA)
    assert again.out == f"{model['id']}  yolo 1, 700,000 bytes\n"
    assert model["id"] in visiona("model", "list", *ADA).out
    assert visiona("model", "list", "--user", "bob@example.com").out == "no models yet\n"
    assert visiona("model", "rm", model["id"], "--user", "bob@example.com").code == 4
    assert visiona("model", "rm", model["id"], *ADA).out == f"removed {model['id']}\n"
    assert visiona("model", "list", *ADA, "--json").json == []
    assert list((state_dir / "files" / "objects").iterdir()) == []


def test_m05_another_file_needs_another_version(visiona: Run, file: Path) -> None:
    visiona("model", "push", str(file), "--chip", "KL720", *ADA)
    file.write_bytes(b"other")
    refused = visiona("model", "push", str(file), "--chip", "KL720", *ADA)
    assert (refused.code, "[CONFLICT]" in refused.err) == (1, True)
    assert visiona("model", "push", str(file), "--chip", "KL720", "--version", "2", *ADA).code == 0


def test_m03_what_broke_off_goes_on(visiona: Run, file: Path, state_dir: Path) -> None:
    (state_dir / "files" / "incoming").mkdir(parents=True)
    assert (
        visiona("--set", "storage.max_file_bytes=1", "model", "push", str(file), "--chip", "K", *ADA).code
        == 1
    )
    pushed = visiona("model", "push", str(file), "--chip", "KL720", *ADA, "--json")
    assert pushed.json["status"] == "ready"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("push", "{file}", "--chip", "KL720"), 2, "--user EMAIL on the server's machine"),
        (("push", "{file}", "--chip", "KL720", *ADA, "--server", "http://x"), 2, "--user EMAIL"),
        (("list", "--server", "http://127.0.0.1:9"), 2, "belong together"),
        (("push", "{file}", "--chip", "K L", *ADA), 2, "target_chips"),
        (("push", "{file}.none", "--chip", "KL720", *ADA), 1, "No such file"),
        (("push", "{empty}", "--chip", "KL720", *ADA), 1, "is empty"),
        (("list", "--user", "eve@example.com"), 4, "[NOT_FOUND]"),
        (("list", "--server", "http://127.0.0.1:9", "--token-file", "{file}.none"), 1, "No such file"),
        (("list", "--server", "http://127.0.0.1:9", "--token-file", "{token}"), 1, "cannot be reached"),
        (("list", "--server", "ftp://127.0.0.1", "--token-file", "{token}"), 2, "http:// or https://"),
    ],
)
def test_a_mistake_is_one_sentence(
    visiona: Run, file: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "token").write_text("vAp_" + "0" * 64)
    paths = {"file": file, "empty": tmp_path / "empty", "token": tmp_path / "token"}
    refused = visiona("model", *(argument.format(**paths) for argument in arguments))
    assert (refused.code, says in refused.err) == (code, True), refused.err
    assert len(refused.err.splitlines()) == 1


def test_another_user_than_the_servers_leaves_no_file_that_it_cannot_read(
    visiona: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    refused = visiona("model", "push", str(file), "--chip", "KL720", *ADA)
    assert (refused.code, "[OTHER_OWNER]" in refused.err) == (1, True)


def test_a_person_who_is_disabled_brings_nothing(visiona: Run, file: Path) -> None:
    visiona("user", "disable", "ada@example.com")
    assert visiona("model", "list", *ADA).code == 4
