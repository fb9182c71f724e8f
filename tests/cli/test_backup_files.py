"""Files of models in `visiona backup`, `restore` and `migrate to-postgres`, as somebody sees them who types that."""

import shutil
from pathlib import Path

import pytest
import trio

from tests.cli.conftest import Run
from tests.stores.copying.shelf import filled_with_files, lying
from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.servers.s3 import S3Server

CONTENTS = [b"weights" * 1000, b"small"]


@pytest.fixture
def kept(state_dir: Path) -> Path:
    """A state directory with models and their files."""
    trio.run(filled_with_files, state_dir, CONTENTS)
    return state_dir


def test_models_come_back_with_their_files(visiona: Run, kept: Path, tmp_path: Path) -> None:
    ran = visiona("backup", str(tmp_path / "file.zip"), "--json")
    assert (ran.code, ran.err) == (0, "")
    size = sum(map(len, CONTENTS))
    files = {"state": "included", "files": 2, "contents": 2, "bytes": size, "missing": 0}
    assert ran.json["model_files"] == files
    before = lying(kept)
    kept.rename(tmp_path / "before")
    assert "2 (6.8 KiB)" in visiona("restore", "--check", str(tmp_path / "file.zip")).out
    restored = visiona("restore", str(tmp_path / "file.zip"))
    assert (restored.code, "model files  2 (6.8 KiB)" in restored.out) == (0, True)
    assert "warning" not in restored.err
    assert lying(kept) == before
    assert before


def test_they_can_be_left_out_and_that_is_said_twice(visiona: Run, kept: Path, tmp_path: Path) -> None:
    ran = visiona("backup", str(tmp_path / "file.zip"), "--without-files")
    assert ran.code == 0
    assert f"model files are left out; they are in {kept}/files" in ran.err
    assert "left out" in ran.out
    kept.rename(tmp_path / "before")
    restored = visiona("restore", str(tmp_path / "file.zip"))
    assert restored.code == 0
    assert f"warning: there is no file in {kept}/files of 2 models: yolo (" in restored.err
    assert "the backup was made without them" in restored.err


def test_a_file_that_is_missing_is_no_success(visiona: Run, kept: Path, tmp_path: Path) -> None:
    """Whoever deletes older backups when a newer one is there would lose the last one that has it."""
    shutil.rmtree(kept / "files" / "blobs")
    next((kept / "files" / "objects").iterdir()).unlink()
    ran = visiona("backup", str(tmp_path / "file.zip"))
    assert ran.code == 1
    assert "of 1 model: yolo (" in ran.err
    assert "[FILES_MISSING]" in ran.err
    assert "1 missing" in ran.out
    assert visiona("restore", "--check", str(tmp_path / "file.zip")).code == 0
    kept.rename(tmp_path / "before")
    restored = visiona("restore", str(tmp_path / "file.zip"))
    assert (restored.code, "were missing when the backup was made" in restored.err) == (0, True)


@pytest.mark.slow
def test_from_a_folder_into_a_bucket_and_the_other_way(
    visiona: Run, kept: Path, tmp_path: Path, s3_server: S3Server
) -> None:
    assert visiona("backup", str(tmp_path / "folder.zip")).code == 0
    kept.rename(tmp_path / "before")
    bucket = ("--set", f"storage.url={s3_server.url('restored')}")
    restored = visiona("restore", str(tmp_path / "folder.zip"), *bucket)
    assert (restored.code, "warning" in restored.err) == (0, False)
    assert sorted(
        path.read_bytes() for path in (s3_server.data / "restored" / "objects").iterdir()
    ) == sorted(CONTENTS)
    ran = visiona("backup", str(tmp_path / "bucket.zip"), *bucket)
    assert (ran.code, "model files are in the object store" in ran.err) == (0, True)
    shutil.rmtree(kept)
    again = visiona("restore", str(tmp_path / "bucket.zip"), *bucket)
    assert (again.code, "warning" in again.err) == (0, False)
    shutil.rmtree(kept)
    elsewhere = visiona("restore", str(tmp_path / "bucket.zip"))
    assert elsewhere.code == 0
    assert f"no file in {kept}/files of 2 models" in elsewhere.err
    assert "copy its objects/ there" in elsewhere.err
    # Which is what its administrator does then.
    shutil.copytree(s3_server.data / "restored" / "objects", kept / "files" / "objects")
    assert visiona("backup", str(tmp_path / "copied.zip"), "--json").json["model_files"]["files"] == 2


def test_they_stay_where_they_are_when_the_rows_move(
    visiona: Run, kept: Path, postgres_server: PostgresServer | NamedPostgres
) -> None:
    before = lying(kept)
    ran = visiona("migrate", "to-postgres", postgres_server.create_database())
    assert (ran.code, ran.err) == (0, "")
    assert f"2 (6.8 KiB), stay in {kept}/files" in ran.out
    assert lying(kept) == before
    shutil.rmtree(kept / "files")
    ran = visiona("migrate", "to-postgres", postgres_server.create_database(), "--json")
    assert ran.json["model_files"] == {"files": 0, "absent": 2}
    assert "nor was there before the move" in ran.err
