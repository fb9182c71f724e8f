"""Files of a backup into an object store: whole, and gone again where the restore fails."""

import secrets
from contextlib import closing
from pathlib import Path

import pytest
from visiona.stores.copying.backup import Restored, restore
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.file_list import FilesState
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.s3 import S3Files
from visiona.stores.s3_address import parsed
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import dump
from tests.stores.copying.shelf import filled_with_files, lying
from tests.stores.copying.test_backup import KEYS, names_in
from tests.stores.copying.test_model_files import with_files
from tests.stores.copying.watching import Watching
from tests.stores.files.test_s3 import lies
from tests.support.servers.s3 import S3Server

pytestmark = pytest.mark.slow

CONTENTS = [secrets.token_bytes(300_000), b"small", b"small", b""]


@pytest.fixture
def prefix() -> str:
    return secrets.token_hex(4)


@pytest.fixture
async def bucket(s3_server: S3Server, tmp_path: Path, prefix: str) -> S3Files:
    return S3Files(parsed(s3_server.url(prefix)), tmp_path / "spool", reserve_bytes=0)


@pytest.fixture
async def old(tmp_path: Path) -> StoreSettings:
    settings = await filled_with_files(tmp_path / "old", CONTENTS)
    await with_files(settings, tmp_path / "file.zip")
    return settings


async def restored_into(settings: StoreSettings, bucket: S3Files, file: Path, watching: Watching) -> Restored:
    return await restore(settings, file, watching, state_names=KEYS, replaces=True, files=bucket)


async def test_a_backup_of_a_folder_goes_into_a_bucket(
    old: StoreSettings, bucket: S3Files, s3_server: S3Server, prefix: str, tmp_path: Path
) -> None:
    new = StoreSettings(None, tmp_path / "new")
    done = await restored_into(new, bucket, tmp_path / "file.zip", watching := Watching())
    assert (watching.rows, watching.bytes) == (watching.total, watching.total_bytes)
    assert done.files is not None
    assert (done.files.count, done.files.absent) == (len(CONTENTS), ())
    assert lies(s3_server, prefix) == {path for path in lying(old.state_dir) if path.startswith("objects/")}
    assert dump(new.database_file) == dump(old.database_file)
    # What is there already is only looked at.
    done = await restored_into(new, bucket, tmp_path / "file.zip", watching := Watching())
    assert watching.bytes == watching.total_bytes == len(CONTENTS[0]) + len(b"small")


async def test_what_is_in_a_bucket_already_is_found_there(
    old: StoreSettings, bucket: S3Files, tmp_path: Path
) -> None:
    await with_files(old, tmp_path / "without.zip", files=FilesState.IN_OBJECT_STORE)
    new = StoreSettings(None, tmp_path / "new")
    done = await restored_into(new, bucket, tmp_path / "without.zip", Watching())
    assert done.files is not None
    assert len(done.files.absent) == len(CONTENTS)
    await restored_into(new, bucket, tmp_path / "file.zip", Watching())
    done = await restored_into(new, bucket, tmp_path / "without.zip", Watching())
    assert done.files is not None
    assert (done.files.count, done.files.absent) == (len(CONTENTS), ())


async def test_a_restore_that_fails_leaves_the_bucket_as_it_was(
    old: StoreSettings,
    bucket: S3Files,
    s3_server: S3Server,
    prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = StoreSettings(None, tmp_path / "new")

    def fail(_: SqliteEnd) -> None:
        assert len(lies(s3_server, prefix)) == len(CONTENTS)
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteEnd, "commit", fail)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await restored_into(new, bucket, tmp_path / "file.zip", Watching())
    assert lies(s3_server, prefix) == set()
    assert names_in(new.state_dir) == ["visiona.db.lock"]


async def test_a_damaged_one_brings_nothing(
    old: StoreSettings, bucket: S3Files, s3_server: S3Server, prefix: str, tmp_path: Path
) -> None:
    content = bytearray((tmp_path / "file.zip").read_bytes())
    content[content.index(CONTENTS[0][:20]) + 100] ^= 1
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(CopyRefused, match="damaged"):
        await restored_into(StoreSettings(None, tmp_path / "new"), bucket, tmp_path / "bad.zip", Watching())
    assert lies(s3_server, prefix) == set()


async def test_a_bucket_that_is_away_is_said_and_changes_nothing(old: StoreSettings, tmp_path: Path) -> None:
    with closing(S3Server()) as server:
        away = S3Files(parsed(server.url("away")), tmp_path / "spool", reserve_bytes=0)
    new = StoreSettings(None, tmp_path / "new")
    with pytest.raises(StoreUnavailable, match="object store"):
        await restored_into(new, away, tmp_path / "file.zip", Watching())
    assert names_in(new.state_dir) == ["visiona.db.lock"]
