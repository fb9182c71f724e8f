"""Backups with the files of models: whole, of one moment, and back in their places before the rows that name them."""

import json
import os
import secrets
import shutil
import stat
import zipfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from visiona.stores.copying.backup import Restored, back_up, check, restore
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CommitUncertain, CopyRefused
from visiona.stores.copying.file_list import FilesState, without_files
from visiona.stores.copying.manifest import Manifest
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.content import ContentFolder
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import dump
from tests.stores.copying.shelf import filled_with_files, folder_in, lying, places
from tests.stores.copying.test_backup import KEYS, cancelled, names_in
from tests.stores.copying.watching import Watching

CONTENTS = [secrets.token_bytes(3_000_000), b"", b"small", secrets.token_bytes(100_000)]


async def with_files(
    settings: StoreSettings,
    file: Path,
    progress: Progress | None = None,
    files: ContentFolder | FilesState | None = None,
) -> Manifest:
    return await back_up(
        settings,
        file,
        progress or Watching(),
        state_names=KEYS,
        program="0.0",
        created_at=datetime.now(UTC),
        files=files or folder_in(settings.state_dir),
    )


async def restored_with_files(
    settings: StoreSettings,
    file: Path,
    progress: Progress | None = None,
    *,
    replaces: bool = False,
    reserve_bytes: int = 0,
) -> Restored:
    return await restore(
        settings,
        file,
        progress or Watching(),
        state_names=KEYS,
        replaces=replaces,
        files=folder_in(settings.state_dir, reserve_bytes),
    )


async def test_files_come_back_with_their_rows(tmp_path: Path) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    written = await with_files(old, tmp_path / "file.zip", watching := Watching())
    assert written.files is not None
    assert (written.files.state, written.files.missing_count) == (FilesState.INCLUDED, 0)
    assert written.files.contents == written.files.listed.rows == len(CONTENTS)
    assert written.files.bytes == sum(map(len, CONTENTS))
    assert (watching.rows, watching.bytes) == (watching.total, watching.total_bytes)
    assert watching.bytes == 2 * written.files.bytes
    done = await restored_with_files(new, tmp_path / "file.zip", watching := Watching())
    assert done.manifest == written
    assert done.files is not None
    assert (done.files.count, done.files.absent) == (len(CONTENTS), ())
    assert (watching.rows, watching.bytes) == (watching.total, watching.total_bytes)
    assert dump(new.database_file) == dump(old.database_file)
    assert lying(new.state_dir) == lying(old.state_dir)
    for path in (new.state_dir / "files").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert await check(tmp_path / "file.zip", watching := Watching()) == written
    assert (watching.rows, watching.bytes) == (watching.total, watching.total_bytes)


async def test_what_two_models_have_in_common_is_kept_once(tmp_path: Path) -> None:
    contents = [CONTENTS[0], CONTENTS[0], b"other"]
    old, new = await filled_with_files(tmp_path / "old", contents), StoreSettings(None, tmp_path / "new")
    written = await with_files(old, tmp_path / "file.zip")
    assert written.files is not None
    assert (written.files.contents, written.files.listed.rows) == (2, 3)
    assert (tmp_path / "file.zip").stat().st_size < 1.1 * len(CONTENTS[0])
    await restored_with_files(new, tmp_path / "file.zip")
    assert places(new.state_dir, [CONTENTS[0]]) == 2
    assert lying(new.state_dir) == lying(old.state_dir)
    assert folder_in(new.state_dir).blob(sha256(CONTENTS[0]).hexdigest()).stat().st_nlink == 3


async def test_a_backup_without_files_says_so_and_is_restored(tmp_path: Path) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    for state in (FilesState.LEFT_OUT, FilesState.IN_OBJECT_STORE):
        written = await with_files(old, tmp_path / f"{state.value}.zip", files=state)
        assert written.files == without_files(state)
        done = await restored_with_files(new, tmp_path / f"{state.value}.zip", replaces=True)
        assert done.manifest == written
        assert done.files is not None
        assert (done.files.count, len(done.files.absent)) == (0, len(CONTENTS))
    # Those that are here already are nobody's to complain of.
    shutil.copytree(old.state_dir / "files", new.state_dir / "files")
    done = await restored_with_files(new, tmp_path / "left_out.zip", replaces=True)
    assert done.files is not None
    assert (done.files.count, done.files.absent) == (len(CONTENTS), ())


async def test_the_first_format_is_restored_and_known_to_have_no_files(tmp_path: Path) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "2.zip", files=FilesState.LEFT_OUT)
    with zipfile.ZipFile(tmp_path / "2.zip") as later, zipfile.ZipFile(tmp_path / "1.zip", "w") as first:
        for name in later.namelist():
            content = later.read(name)
            if name == "manifest.json":
                document = json.loads(content)
                assert document.pop("files")["state"] == "left_out"
                assert document["version"] == 2
                content = json.dumps({**document, "version": 1}).encode()
            first.writestr(name, content)
    done = await restored_with_files(new, tmp_path / "1.zip")
    assert done.manifest.files is None
    assert done.files is not None
    assert len(done.files.absent) == len(CONTENTS)
    assert dump(new.database_file) == dump(old.database_file)


async def test_files_that_are_here_are_not_written_again(tmp_path: Path) -> None:
    old = await filled_with_files(tmp_path / "old", CONTENTS)
    await with_files(old, tmp_path / "file.zip")
    before = {path: path.stat() for path in (old.state_dir / "files").rglob("*") if path.is_file()}
    done = await restored_with_files(old, tmp_path / "file.zip", watching := Watching(), replaces=True)
    assert done.files is not None
    assert done.files.count == len(CONTENTS)
    assert watching.bytes == watching.total_bytes == 2 * sum(map(len, CONTENTS))
    for path, status in before.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)


@pytest.mark.parametrize("where", ["objects", "blobs", "both"])
async def test_what_is_damaged_or_missing_here_is_made_good(tmp_path: Path, where: str) -> None:
    old = await filled_with_files(tmp_path / "old", CONTENTS)
    await with_files(old, tmp_path / "file.zip")
    good = lying(old.state_dir)
    for kind in ("objects", "blobs"):
        for path in (old.state_dir / "files" / kind).rglob("*"):
            if where in {kind, "both"} and path.is_file():
                path.unlink()
    assert lying(old.state_dir) != good
    await restored_with_files(old, tmp_path / "file.zip", replaces=True)
    assert lying(old.state_dir) == good
    for path in (old.state_dir / "files" / "objects").iterdir():
        path.write_bytes(b"x" * path.stat().st_size)  # the same length; and the blob with it
    await restored_with_files(old, tmp_path / "file.zip", replaces=True)
    assert lying(old.state_dir) == good


async def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    old, new = await filled_with_files(tmp_path / "old", [b"content"]), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "file.zip")
    (tmp_path / "elsewhere").write_bytes(b"another")
    (key,) = (path.name for path in (old.state_dir / "files" / "objects").iterdir())
    (new.state_dir / "files" / "objects").mkdir(parents=True)
    (new.state_dir / "files" / "objects" / key).symlink_to(tmp_path / "elsewhere")
    await restored_with_files(new, tmp_path / "file.zip")
    assert (tmp_path / "elsewhere").read_bytes() == b"another"
    assert lying(new.state_dir) == lying(old.state_dir)


async def test_a_disk_without_room_is_known_before_anything_is_written(tmp_path: Path) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "file.zip")
    with pytest.raises(CopyRefused, match=r"need 3\.0 MiB .* nothing was changed") as caught:
        await restored_with_files(new, tmp_path / "file.zip", reserve_bytes=2**60)
    assert caught.value.code == "NO_ROOM"
    assert names_in(new.state_dir) == ["visiona.db.lock"]
    # What is here needs none.
    await restored_with_files(old, tmp_path / "file.zip", replaces=True, reserve_bytes=2**60)


async def test_a_backup_finds_out_that_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await filled_with_files(tmp_path / "old", CONTENTS)
    full = os.statvfs_result((4096, 4096, 100, 10, 5, 9, 9, 9, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(
        CopyRefused, match=r"need 3\.0 MiB in .*, where 20\.0 KiB are free; --without-files"
    ) as caught:
        await with_files(settings, tmp_path / "file.zip")
    assert caught.value.code == "NO_ROOM"
    assert names_in(tmp_path) == ["old"]


@pytest.mark.parametrize("at", [1, 5, 18, 23])
async def test_a_cancelled_backup_leaves_nothing_beside_the_files(tmp_path: Path, at: int) -> None:
    settings = await filled_with_files(tmp_path / "old", CONTENTS)
    before = lying(settings.state_dir)
    assert await cancelled(lambda progress: with_files(settings, tmp_path / "file.zip", progress), at)
    assert names_in(tmp_path) == ["old"]
    assert names_in(settings.state_dir / "files" / "aside") == []
    assert lying(settings.state_dir) == before


@pytest.mark.parametrize("at", [1, 18, 20, 26])
async def test_a_cancelled_restore_leaves_what_was_there(tmp_path: Path, at: int) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "file.zip")
    assert await cancelled(lambda progress: restored_with_files(new, tmp_path / "file.zip", progress), at)
    assert names_in(new.state_dir) == ["visiona.db.lock"]
    other = await filled_with_files(tmp_path / "other", [b"theirs"])
    rows, files = dump(other.database_file), lying(other.state_dir)
    assert await cancelled(
        lambda progress: restored_with_files(other, tmp_path / "file.zip", progress, replaces=True), at
    )
    assert (dump(other.database_file), lying(other.state_dir)) == (rows, files)


async def test_a_database_that_fails_at_the_end_takes_the_files_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "file.zip")

    def fail(_: SqliteEnd) -> None:
        assert places(new.state_dir, CONTENTS) == len(CONTENTS)
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteEnd, "commit", fail)
        with pytest.raises(StoreUnavailable):
            await restored_with_files(new, tmp_path / "file.zip")
    assert names_in(new.state_dir) == ["visiona.db.lock"]
    await restored_with_files(new, tmp_path / "file.zip")


async def test_where_nobody_knows_whether_it_was_committed_the_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without files would be worse than files without rows, which the sweep takes."""
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "file.zip")
    plain = SqliteEnd.commit

    def lose_the_answer(end: SqliteEnd) -> None:
        plain(end)
        raise CommitUncertain("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteEnd, "commit", lose_the_answer)
        with pytest.raises(CommitUncertain):
            await restored_with_files(new, tmp_path / "file.zip")
    assert lying(new.state_dir) == lying(old.state_dir)
    assert dump(new.database_file) == dump(old.database_file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_root_restores_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    old, new = await filled_with_files(tmp_path / "old", CONTENTS), StoreSettings(None, tmp_path / "new")
    await with_files(old, tmp_path / "file.zip")
    new.state_dir.mkdir()
    os.chown(new.state_dir, 65534, 65534)
    await restored_with_files(new, tmp_path / "file.zip")
    for path in (new.state_dir / "files", *(new.state_dir / "files").rglob("*")):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534), path
