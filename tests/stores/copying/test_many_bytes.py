"""Model files of some hundred megabytes, each way: whole, and without holding them in memory."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.stores.copying.shelf import filled_with_files
from tests.stores.copying.test_many_rows import MOST_MEBIBYTES, grown

SIZE = 300 * 1024 * 1024

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A model of that size; on the disk it takes nothing, for it is all zeros."""
    state_dir = tmp_path / "old"
    trio.run(filled_with_files, state_dir, [b"x"])
    (path,) = (state_dir / "files" / "objects").iterdir()
    with path.open("r+b") as file:
        file.truncate(0)
        file.truncate(SIZE)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    (blob,) = (path for path in (state_dir / "files" / "blobs").rglob("*") if path.is_file())
    blob.unlink()
    with closing(sqlite3.connect(state_dir / "visiona.db")) as connection, connection:
        connection.execute(
            "UPDATE models SET file_size = ?, sha256 = ? WHERE faa_object_key = ?", (SIZE, digest, path.name)
        )
    return state_dir


def test_backup_and_restore_of_a_large_file(old: Path, tmp_path: Path) -> None:
    assert grown("backup", old, tmp_path / "file.zip") < MOST_MEBIBYTES
    assert (tmp_path / "file.zip").stat().st_size > SIZE
    assert grown("restore", tmp_path / "new", tmp_path / "file.zip") < MOST_MEBIBYTES
    (there,) = (tmp_path / "new" / "files" / "objects").iterdir()
    assert there.stat().st_size == SIZE
    (blob,) = (path for path in (tmp_path / "new" / "files" / "blobs").rglob("*") if path.is_file())
    assert there.samefile(blob)
