import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing
from visiona.stores import opening_sqlite
from visiona.stores.errors import SchemaMismatch, StoreBusy, StoreDamaged, StoreUnavailable
from visiona.stores.opening import migrate_up, open_stores, schema_status
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite import SqliteStores
from visiona.stores.sql.sqlite_file import connect

from tests.support.nouns import a_user, put


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return StoreSettings(None, tmp_path / "state")


async def made(settings: StoreSettings, users: int = 1) -> None:
    """A database with some users, closed again."""
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, *[a_user(f"{number}@example.com") for number in range(users)])


async def count(settings: StoreSettings) -> int:
    async with open_stores(settings, exclusive=False) as stores:
        return len(await stores.read(lambda tx: tx.users.list_all(1000)))


async def test_what_was_written_is_there_the_next_time(settings: StoreSettings) -> None:
    await made(settings)
    assert await count(settings) == 1


async def test_nobody_else_may_read_the_files(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in settings.state_dir.iterdir()}
    assert {"visiona.db", "visiona.db-wal", "visiona.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700


async def test_s03_two_servers_on_one_file_are_refused_with_a_sentence(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True):
        with pytest.raises(StoreBusy, match=r"another visiona server uses .*visiona\.db"):
            async with open_stores(settings, exclusive=True):
                pass
    await made(settings)


async def test_a_command_works_while_a_server_serves(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as server:
        mark = await server.change_mark()
        async with open_stores(settings, exclusive=False) as command:
            await put(command, a_user())
        assert await server.change_mark() != mark
        assert len(await server.read(lambda tx: tx.users.list_all(10))) == 1


async def test_what_the_callers_code_raises_comes_out_as_it_was(settings: StoreSettings) -> None:
    cause = ValueError("why")
    for exclusive in (True, False):
        with pytest.raises(KeyError) as caught:
            async with open_stores(settings, exclusive=exclusive):
                raise KeyError from cause
        assert caught.value.__cause__ is cause


async def test_several_errors_of_the_callers_code_come_out_together(settings: StoreSettings) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with open_stores(settings, exclusive=True):
            raise ExceptionGroup("both", [KeyError(), ValueError()])
    assert [type(error) for error in caught.value.exceptions] == [KeyError, ValueError]


async def test_a_cancelled_server_closes_its_file(settings: StoreSettings) -> None:
    with trio.CancelScope() as scope:
        async with open_stores(settings, exclusive=True):
            scope.cancel()
            await trio.sleep_forever()
    assert not (settings.state_dir / "visiona.db-wal").exists()
    await made(settings)


@pytest.mark.parametrize("content", [b"not a database at all, just text" * 100, b"x", b"SQLite format 2\x00"])
@pytest.mark.parametrize("exclusive", [True, False])
async def test_s03_what_is_no_database_is_refused_and_kept(
    settings: StoreSettings, content: bytes, exclusive: bool
) -> None:
    settings.state_dir.mkdir()
    settings.database_file.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"visiona\.db .*left as it is|left as it was"):
        async with open_stores(settings, exclusive=exclusive):
            pass
    with pytest.raises(StoreDamaged):
        await schema_status(settings)
    assert settings.database_file.read_bytes() == content


@pytest.mark.parametrize("damage", ["page", "header", "cut"])
async def test_s03_a_damaged_file_is_refused_and_kept(settings: StoreSettings, damage: str) -> None:
    await made(settings, users=500)
    content = bytearray(settings.database_file.read_bytes())
    if damage == "page":
        for offset in range(4096 * 30, len(content), 4096):
            content[offset : offset + 512] = b"\xaa" * 512
    elif damage == "header":
        content[16:100] = b"\xff" * 84
    else:
        del content[len(content) // 2 :]
    settings.database_file.write_bytes(content)
    with pytest.raises(StoreDamaged, match="damaged") as caught:
        async with open_stores(settings, exclusive=True):
            pass
    assert "malformed" not in str(caught.value)
    assert settings.database_file.read_bytes() == content


async def test_an_empty_file_is_a_new_database(settings: StoreSettings) -> None:
    settings.state_dir.mkdir()
    settings.database_file.touch()
    await made(settings)


async def test_s07_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = StoreSettings(None, tmp_path / "file" / "state")
    with pytest.raises(StoreUnavailable, match=r"cannot be opened: /.*/file") as caught:
        async with open_stores(settings, exclusive=True):
            pass
    assert "state_dir" in caught.value.advice


async def test_a_folder_in_the_lock_files_place_is_told_in_a_sentence(settings: StoreSettings) -> None:
    (settings.state_dir / "visiona.db.lock").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="lock file"):
        async with open_stores(settings, exclusive=True):
            pass


async def test_a_file_that_somebody_holds_is_told_in_a_sentence(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(settings)
    monkeypatch.setattr(opening_sqlite, "LOCK_SECONDS", 0.01)
    with closing(sqlite3.connect(settings.database_file, isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode = DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match=r"another program .*visiona\.db"):
            async with open_stores(settings, exclusive=True):
                pass


async def test_a_bug_in_the_schema_is_not_called_damage(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visiona.stores.sql.sqlite_migrate.NOTE_STEP", "SELECT nonsense")
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        async with open_stores(settings, exclusive=True):
            pass


async def test_the_schemas_status_is_told_without_touching_anything(settings: StoreSettings) -> None:
    status = await schema_status(settings)
    assert status is not None
    assert (status.applied, status.pending) == ((), known_migrations())
    assert not settings.state_dir.exists()
    before = await migrate_up(settings)
    assert before == status
    after = await schema_status(settings)
    assert after is not None
    assert after.pending == ()
    assert [step.number for step in after.applied] == [step.number for step in known_migrations()]


async def test_a_schema_of_a_newer_program_is_refused(settings: StoreSettings) -> None:
    await made(settings)
    with closing(connect(settings.database_file, "normal")) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 'x', 0)")
    content = settings.database_file.read_bytes()
    for exclusive in (True, False):
        with pytest.raises(SchemaMismatch, match="newer visiona"):
            async with open_stores(settings, exclusive=exclusive):
                pass
    with pytest.raises(SchemaMismatch):
        await schema_status(settings)
    assert settings.database_file.read_bytes() == content


async def test_an_older_schema_is_not_migrated_under_a_running_server(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening_sqlite, "MIGRATION_SECONDS", 0.2)
    async with open_stores(settings, exclusive=True):
        with closing(connect(settings.database_file, "normal")) as connection:
            connection.execute("DELETE FROM schema_migrations")
        with pytest.raises(SchemaMismatch, match="restart that server"):
            async with open_stores(settings, exclusive=False):
                pass


async def test_a_command_waits_for_a_server_that_is_just_migrating(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both start on an empty folder; the command finds the lock taken and the schema missing, and looks again."""
    from visiona.stores.sql import sqlite_file

    sqlite_file.prepare(settings.database_file)
    opened = trio.Event()

    async def command() -> None:
        async with open_stores(settings, exclusive=False) as stores:
            await stores.ping()
            opened.set()

    async with trio.open_nursery() as nursery:
        with sqlite_file.sole_server(settings.database_file):
            nursery.start_soon(command)
            await trio.sleep(0.15)
            assert not opened.is_set()
        with trio.fail_after(5):
            await opened.wait()


async def test_many_that_start_at_once_migrate_once(settings: StoreSettings) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(count, settings)
    status = await schema_status(settings)
    assert status is not None
    assert status.pending == ()


async def test_a_file_that_another_program_has_alone_for_a_moment_is_waited_for(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the last that closes it has it, while it empties the log."""
    await made(settings)
    with closing(connect(settings.database_file, "normal")) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connected, settings)
            with pytest.raises(StoreUnavailable, match="another program"):
                SqliteStores(settings.database_file)
            await trio.testing.wait_all_tasks_blocked()
            other.execute("ROLLBACK")
            other.close()
    with closing(connect(settings.database_file, "normal")) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(opening_sqlite, "LOCK_SECONDS", 0.05)
        with pytest.raises(StoreUnavailable, match="another program"):
            await connected(settings)


async def connected(settings: StoreSettings) -> None:
    (await opening_sqlite._connected(settings.database_file, "normal")).close()


async def test_s03_a_copy_taken_while_serving_is_whole(settings: StoreSettings, tmp_path: Path) -> None:
    """What an application crash leaves: the file and its log, as they were at any moment."""
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, *[a_user(f"{number}@example.com") for number in range(50)])
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{settings.database_file}{suffix}", crashed / f"visiona.db{suffix}")
    assert await count(StoreSettings(None, crashed)) == 50
