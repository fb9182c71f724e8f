import dataclasses
import os
import sqlite3
import stat
import threading
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from visiona.stores.copying.backup import back_up, check, restore
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.manifest import Manifest
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.copying.state_files import STAGE
from visiona.stores.copying.tables import TABLES
from visiona.stores.errors import StoreDamaged, StoreUnavailable
from visiona.stores.opening import open_stores, schema_status
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import sqlite_migrate
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite_file import connect

from tests.stores.copying.sample import dump, filled, filled_with_many
from tests.stores.copying.watching import Watching
from tests.support.nouns import a_home


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


KEYS = ("session.key", "idp-keys.json")


async def backed_up(
    settings: StoreSettings, file: Path, progress: Progress | None = None, *, overwrites: bool = False
) -> Manifest:
    return await back_up(
        settings,
        file,
        progress or Watching(),
        state_names=KEYS,
        program="0.0",
        created_at=datetime.now(UTC),
        overwrites=overwrites,
    )


async def restored(
    settings: StoreSettings, file: Path, progress: Progress | None = None, *, replaces: bool = False
) -> Manifest:
    done = await restore(settings, file, progress or Watching(), state_names=KEYS, replaces=replaces)
    return done.manifest


async def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    watching = Watching()
    written = await backed_up(old, tmp_path / "file.zip", watching)
    # A table without a row here would be a table without a test.
    assert [table.name for table in written.tables if not table.digest.rows] == []
    assert {table.name for table in written.tables} == {table.name for table in TABLES}
    assert watching.rows == watching.total == 2 * written.rows
    again = await restored(new, tmp_path / "file.zip", watching := Watching())
    assert again == written
    assert watching.rows == watching.total
    assert dump(new.database_file) == dump(old.database_file)
    for name in KEYS:
        assert (new.state_dir / name).read_bytes() == (old.state_dir / name).read_bytes()
        assert stat.S_IMODE((new.state_dir / name).stat().st_mode) == 0o600
    assert await schema_status(new) == await schema_status(old)
    assert set(names_in(tmp_path)) == {"old", "new", "file.zip"}


async def test_the_file_is_private_and_two_of_the_same_rows_are_alike(tmp_path: Path) -> None:
    settings = await filled(tmp_path / "state")
    first = await backed_up(settings, tmp_path / "1.zip")
    second = await backed_up(settings, tmp_path / "2.zip")
    assert dataclasses.replace(second, created_at=first.created_at) == first
    assert stat.S_IMODE((tmp_path / "1.zip").stat().st_mode) == 0o600


async def test_new_numbers_go_on_after_those_that_were_restored(tmp_path: Path) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    with closing(connect(old.database_file, "off")) as connection:
        connection.execute("UPDATE notices SET id = 70")
    await backed_up(old, tmp_path / "file.zip")
    await restored(new, tmp_path / "file.zip")
    with closing(connect(new.database_file, "off")) as connection:
        connection.execute("INSERT INTO notices (kind, subject, at) VALUES ('user_disabled', 'b', 1)")
        assert connection.execute("SELECT max(id) FROM notices").fetchone() == (71,)


async def test_a_server_goes_on_writing_and_the_backup_is_of_one_moment(tmp_path: Path) -> None:
    settings = await filled_with_many(tmp_path / "state", rows=5000)
    async with open_stores(settings, exclusive=True) as stores:
        token = trio.lowlevel.current_trio_token()

        def somebody_signs_up() -> None:
            trio.from_thread.run(a_home, stores, "later@example.com", trio_token=token)

        # In the middle of the first table, before the others are read.
        await backed_up(settings, tmp_path / "file.zip", Watching(1, somebody_signs_up))
        assert await stores.read(lambda tx: tx.users.by_email_or_none("later@example.com")) is not None
    new = StoreSettings(None, tmp_path / "new")
    await restored(new, tmp_path / "file.zip")
    assert "later@example.com" not in "\n".join(dump(new.database_file))
    with closing(sqlite3.connect(new.database_file)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_a_file_from_before_a_step_of_the_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    old, new = StoreSettings(None, tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    old.state_dir.mkdir()
    with closing(connect(old.database_file, "off")) as connection:
        sqlite_migrate.up(connection, known_migrations()[:1])
        connection.execute("INSERT INTO users VALUES ('u', 'ada@example.com', 'Ada', NULL, 1, 5, NULL)")
    written = await backed_up(old, tmp_path / "file.zip")
    assert "models" not in {table.name for table in written.tables}
    await restored(new, tmp_path / "file.zip")
    status = await schema_status(new)
    assert status is not None
    assert status.pending == ()
    async with open_stores(new, exclusive=True) as stores:
        assert await stores.read(lambda tx: tx.users.by_email_or_none("ada@example.com")) is not None


@pytest.mark.parametrize("is_again", [False, True])
async def test_what_is_there_is_not_lost_unasked(tmp_path: Path, is_again: bool) -> None:
    old, other = await filled(tmp_path / "old"), await filled(tmp_path / "other")
    await backed_up(old, tmp_path / "file.zip")
    before = dump(other.database_file)
    with pytest.raises(CopyRefused, match="not empty") as caught:
        await restored(other, tmp_path / "file.zip")
    assert caught.value.code == "NOT_EMPTY"
    assert dump(other.database_file) == before
    assert (other.state_dir / "session.key").read_bytes() == b"sealing\n"
    if is_again:
        await restored(other, tmp_path / "file.zip", replaces=True)
        assert dump(other.database_file) == dump(old.database_file)


async def test_a_database_in_which_nobody_is_yet_counts_as_empty(tmp_path: Path) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    await backed_up(old, tmp_path / "file.zip")
    async with open_stores(new, exclusive=True):
        pass
    with closing(connect(new.database_file, "off")) as connection:
        connection.execute("INSERT INTO notices (kind, subject, at) VALUES ('user_disabled', 'b', 1)")
    await restored(new, tmp_path / "file.zip")
    assert dump(new.database_file) == dump(old.database_file)


async def test_nothing_is_restored_under_a_running_server(tmp_path: Path) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    await backed_up(old, tmp_path / "file.zip")
    async with open_stores(new, exclusive=True):
        with pytest.raises(CopyRefused, match="stop it first") as caught:
            await restored(new, tmp_path / "file.zip", replaces=True)
    assert caught.value.code == "IN_USE"


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    await backed_up(await filled(tmp_path / "old"), tmp_path / "file.zip")
    new = StoreSettings(None, tmp_path)
    with closing(sqlite3.connect(new.database_file)) as connection:
        connection.execute("CREATE TABLE users (theirs)")
    with pytest.raises(CopyRefused, match=r"another program \(users\)") as caught:
        await restored(new, tmp_path / "file.zip", replaces=True)
    assert caught.value.code == "NOT_OURS"


async def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    old, new = await filled(tmp_path / "old"), await filled(tmp_path / "new")
    await backed_up(old, tmp_path / "file.zip")
    with closing(connect(new.database_file, "off")) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 'x', 0)")
    with pytest.raises(CopyRefused, match="another version of visiona"):
        await restored(new, tmp_path / "file.zip", replaces=True)


async def test_a_damaged_database_is_left_alone(tmp_path: Path) -> None:
    settings = await filled(tmp_path / "state")
    await backed_up(settings, tmp_path / "file.zip")
    settings.database_file.write_bytes(b"damaged" * 1000)
    with pytest.raises(StoreDamaged, match="move it away"):
        await restored(settings, tmp_path / "file.zip", replaces=True)
    with pytest.raises(StoreDamaged):
        await backed_up(settings, tmp_path / "another.zip")
    assert not (tmp_path / "another.zip").exists()


@pytest.mark.parametrize(
    "change", ["created_at = 'soon'", "name = x'00'", "is_admin = 7", "is_admin = 'yes'"]
)
async def test_what_no_server_of_ours_wrote_is_noticed_when_there_is_time(
    tmp_path: Path, change: str
) -> None:
    settings = await filled(tmp_path / "state")
    with closing(connect(settings.database_file, "off")) as connection:
        connection.execute(f"UPDATE users SET {change}")
    with pytest.raises(CopyRefused, match="a row of users holds something") as caught:
        await backed_up(settings, tmp_path / "file.zip")
    assert caught.value.code == "CANNOT_HOLD"
    assert names_in(tmp_path) == ["state"]


async def test_a_disk_that_gives_back_something_else_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await filled(tmp_path / "state")
    plain = zipfile.ZipFile.close

    def close(archive: zipfile.ZipFile) -> None:
        # One that was closed before is closed again when it is forgotten.
        path, is_written = archive.filename, archive.mode == "w" and archive.fp is not None
        plain(archive)
        if is_written and path is not None:
            content = bytearray(Path(path).read_bytes())
            name = b"tables/users.ndjson"
            at = content.index(name)
            packed_at = at + len(name) + int.from_bytes(content[at - 2 : at], "little")
            # There is no such kind of block; one bit anywhere else may change nothing that is read.
            content[packed_at] |= 0b110
            Path(path).write_bytes(content)

    monkeypatch.setattr(zipfile.ZipFile, "close", close)
    with pytest.raises(CopyRefused, match="cannot be read again") as caught:
        await backed_up(settings, tmp_path / "file.zip")
    assert caught.value.code == "NOT_THE_SAME"
    assert names_in(tmp_path) == ["state"]


async def test_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(CopyRefused, match="there is no database") as caught:
        await backed_up(StoreSettings(None, tmp_path / "state"), tmp_path / "file.zip")
    assert caught.value.code == "NOTHING_THERE"
    assert names_in(tmp_path) == []
    (tmp_path / "visiona.db").touch()
    with pytest.raises(CopyRefused, match="there is nothing"):
        await backed_up(StoreSettings(None, tmp_path), tmp_path / "file.zip")


async def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    settings = await filled(tmp_path / "state")
    (tmp_path / "file.zip").write_bytes(b"mine")
    with pytest.raises(CopyRefused, match="exists") as caught:
        await backed_up(settings, tmp_path / "file.zip")
    assert caught.value.code == "EXISTS"
    assert (tmp_path / "file.zip").read_bytes() == b"mine"
    await backed_up(settings, tmp_path / "file.zip", overwrites=True)
    await check(tmp_path / "file.zip", Watching())


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
async def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, kind: str) -> None:
    settings, place = await filled(tmp_path / "state"), tmp_path / "file.zip"
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            place.symlink_to(tmp_path / "target")
    if kind == "link":
        (tmp_path / "target").write_bytes(b"mine")
    before = place.lstat()
    with pytest.raises(CopyRefused, match="is no plain file") as caught:
        await backed_up(settings, place, overwrites=True)
    assert caught.value.code == "EXISTS"
    assert place.lstat() == before


async def test_a_place_that_takes_no_file_is_named(tmp_path: Path) -> None:
    settings = await filled(tmp_path / "state")
    with pytest.raises(OSError, match="No such file") as caught:
        await backed_up(settings, tmp_path / "nowhere" / "file.zip")
    assert caught.value.filename == str(tmp_path / "nowhere" / "file.zip")


@pytest.mark.parametrize("at", [1, 3, 8, 13])
async def test_a_cancelled_backup_leaves_no_file(tmp_path: Path, at: int) -> None:
    settings = await filled_with_many(tmp_path / "state", rows=5000)
    assert await cancelled(lambda progress: backed_up(settings, tmp_path / "file.zip", progress), at)
    assert names_in(tmp_path) == ["state"]
    assert threading.active_count() < 20


@pytest.mark.parametrize("at", [1, 3, 8, 13])
async def test_a_cancelled_restore_leaves_what_was_there(tmp_path: Path, at: int) -> None:
    settings = await filled_with_many(tmp_path / "state", rows=5000)
    await backed_up(settings, tmp_path / "file.zip")
    new = StoreSettings(None, tmp_path / "new")
    assert await cancelled(lambda progress: restored(new, tmp_path / "file.zip", progress), at)
    # The lock's file is never taken away: somebody may be about to lock it.
    assert names_in(new.state_dir) == ["visiona.db.lock"]
    other = await filled(tmp_path / "other")
    before = dump(other.database_file)
    (other.state_dir / "session.key").write_bytes(b"other\n")
    assert await cancelled(
        lambda progress: restored(other, tmp_path / "file.zip", progress, replaces=True), at
    )
    assert dump(other.database_file) == before
    assert (other.state_dir / "session.key").read_bytes() == b"other\n"
    assert "visiona.db-wal" not in names_in(other.state_dir)
    await restored(new, tmp_path / "file.zip")


async def cancelled(copy: object, at: int) -> bool:
    """Whether it ended because it was cancelled at that step."""
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        await copy(Watching(at, lambda: trio.from_thread.run_sync(scope.cancel, trio_token=token)))
    return scope.cancelled_caught


async def test_a_disk_that_fails_at_the_end_leaves_the_keys_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    await backed_up(old, tmp_path / "file.zip")
    new.state_dir.mkdir()
    (new.state_dir / "session.key").write_bytes(b"other\n")

    def fail(_: SqliteEnd) -> None:
        assert (new.state_dir / STAGE / "session.key").read_bytes() == b"sealing\n"
        raise StoreUnavailable("the disk of the database is full")

    monkeypatch.setattr(SqliteEnd, "commit", fail)
    with pytest.raises(StoreUnavailable):
        await restored(new, tmp_path / "file.zip")
    assert (new.state_dir / "session.key").read_bytes() == b"other\n"
    assert names_in(new.state_dir) == ["session.key", "visiona.db.lock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_root_restores_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    await backed_up(await filled(tmp_path / "old"), tmp_path / "file.zip")
    new = StoreSettings(None, tmp_path / "new")
    new.state_dir.mkdir()
    os.chown(new.state_dir, 65534, 65534)
    await restored(new, tmp_path / "file.zip")
    names = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in new.state_dir.iterdir()}
    assert set(names.values()) == {(65534, 65534)}
    assert names.keys() == {"visiona.db", "visiona.db.lock", *KEYS}
