"""`visiona backup - | …` and `… | visiona restore -`."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from visiona.cli.copying_pipes import backup_to_read

from tests.cli.test_serve import environment
from tests.stores.copying.sample import dump
from tests.stores.copying.shelf import filled_with_files, lying

CONTENTS = [b"weights" * 300_000, b"small"]


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "visiona", *arguments]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    trio.run(filled_with_files, tmp_path / "state", CONTENTS)
    return (tmp_path / "state").rename(tmp_path / "old")


def run(
    tmp_path: Path, *arguments: str, stdin: bytes = b"", state: str = "state"
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        program(*arguments),
        env={**environment(tmp_path), "VISIONA_STATE_DIR": str(tmp_path / state), "TMPDIR": str(tmp_path)},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_from_one_machine_to_the_next_without_a_file(tmp_path: Path, old: Path) -> None:
    written = run(tmp_path, "backup", "-", state="old")
    assert written.returncode == 0
    assert b"2 (2.0 MiB); `visiona restore --check` reads what arrived" in written.stderr
    checked = run(tmp_path, "restore", "--check", "-", stdin=written.stdout)
    assert (checked.returncode, b"good" in checked.stdout) == (0, True)
    restored = run(tmp_path, "restore", "-", stdin=written.stdout)
    assert restored.returncode == 0
    assert dump(tmp_path / "state" / "visiona.db") == dump(old / "visiona.db")
    assert lying(tmp_path / "state") == lying(old)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "state"]
    # Nobody can be asked: what would be typed is the backup.
    again = run(tmp_path, "restore", "-", "--replace", stdin=written.stdout)
    assert (again.returncode, b"add --yes" in again.stderr) == (2, True)


def test_what_broke_off_is_refused(tmp_path: Path, old: Path) -> None:
    written = run(tmp_path, "backup", "-", state="old").stdout
    for content, code in (
        (b"", b"BACKUP_FOREIGN"),
        (written[:-100], b"BACKUP_DAMAGED"),
        (b"hello", b"BACKUP_FOREIGN"),
    ):
        refused = run(tmp_path, "restore", "-", stdin=content)
        assert (refused.returncode, refused.stderr.count(b"\n")) == (1, 1)
        assert code in refused.stderr
        assert not (tmp_path / "state" / "visiona.db").exists()


def test_a_reader_who_goes_away_is_a_failure(tmp_path: Path, old: Path) -> None:
    """Cron must not believe that there is a backup."""
    environ = {**environment(tmp_path), "VISIONA_STATE_DIR": str(old)}
    with subprocess.Popen(
        program("backup", "-"), env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(30), said.count(b"\n")) == (1, 1)
    assert b"[BROKEN_PIPE]" in said


def test_a_terminal_gets_no_backup(tmp_path: Path, old: Path) -> None:
    ours, theirs = pty.openpty()
    environ = {**environment(tmp_path), "VISIONA_STATE_DIR": str(old)}
    refused = subprocess.run(
        program("backup", "-"), env=environ, stdout=theirs, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(theirs)
    os.close(ours)
    assert (refused.returncode, b"no text for a terminal" in refused.stderr) == (2, True)


def test_what_came_by_a_pipe_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"content")))
    with backup_to_read(Path("-")) as file:
        assert not isinstance(file, Path)
        file.seek(0)
        assert file.read() == b"content"
        assert list(tmp_path.iterdir()) == []
    with backup_to_read(tmp_path / "file") as file:
        assert file == tmp_path / "file"
