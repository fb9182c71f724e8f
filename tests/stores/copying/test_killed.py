"""What is left by a restore or a move that is killed: nothing, or everything; and doing it again mends the first."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from visiona.stores.copying.moving import move_to_postgres
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.stores.copying.dying import AFTER, BEFORE
from tests.stores.copying.sample import dump, filled_with_many
from tests.stores.copying.test_backup import KEYS, backed_up, restored
from tests.stores.copying.watching import Watching
from tests.support.servers.postgres import NamedPostgres, PostgresServer

ROWS = 5000

# Restoring takes some 60 steps here: a third to read the file, one to put the rows, one to read them again.
STEPS = ("15", "24", "38", "57")


def killed(*arguments: object) -> bool:
    """Whether it died of the signal; the moments of a copy come all, so anything else is a fault of the test."""
    program = [sys.executable, "-m", "tests.stores.copying.dying", *map(str, arguments)]
    done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=15)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return True


def rows_in_file(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        return connection.execute("SELECT count(*) FROM device_events").fetchone()[0] if tables else 0


def rows_in_database(server: PostgresServer | NamedPostgres, url: str) -> int:
    database = urlsplit(url).path.removeprefix("/")
    if server.sql("SELECT to_regclass('device_events') IS NULL", database) == "t":
        return 0
    return int(server.sql("SELECT count(*) FROM device_events", database))


async def keys_of(settings: StoreSettings) -> list[bytes]:
    """Once something has been started there again."""
    async with open_stores(settings, exclusive=True):
        assert not (settings.state_dir / "restoring").exists()
        return keys_in(settings.state_dir)


def keys_in(state_dir: Path) -> list[bytes]:
    return [(state_dir / name).read_bytes() for name in sorted(KEYS) if (state_dir / name).exists()]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_restore_that_is_killed_leaves_nothing_or_everything(tmp_path: Path) -> None:
    old, new = await filled_with_many(tmp_path / "old", ROWS), StoreSettings(None, tmp_path / "new")
    await backed_up(old, tmp_path / "file.zip")
    events = rows_in_file(old.database_file)
    for moment in (*STEPS, *BEFORE):
        assert killed("restore", moment, tmp_path)
        assert rows_in_file(new.database_file) == 0
        assert await keys_of(new) == []
    assert killed("restore", "committed", tmp_path)
    assert rows_in_file(new.database_file) == events
    assert dump(new.database_file) == dump(old.database_file)
    assert await keys_of(new) == [b"{}\n", b"sealing\n"]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_restore_in_place_of_another_that_is_killed_keeps_the_other(tmp_path: Path) -> None:
    old = await filled_with_many(tmp_path / "old", ROWS)
    await backed_up(old, tmp_path / "file.zip")
    new = await filled_with_many(tmp_path / "new", 100)
    before = dump(new.database_file)
    for name in KEYS:
        (new.state_dir / name).write_bytes(b"other\n")
    for moment in ("30", "50", *BEFORE):
        assert killed("restore", moment, tmp_path, "--replace")
        assert dump(new.database_file) == before
        assert await keys_of(new) == [b"other\n", b"other\n"]
    for moment in AFTER:
        assert killed("restore", moment, tmp_path, "--replace")
        assert dump(new.database_file) == dump(old.database_file)
        assert (new.state_dir / "session.key").read_bytes() == b"other\n"
        assert await keys_of(new) == [b"{}\n", b"sealing\n"]
        (new.state_dir / "session.key").write_bytes(b"other\n")
    await restored(new, tmp_path / "file.zip", replaces=True)
    assert await keys_of(new) == [b"{}\n", b"sealing\n"]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_restore_into_postgresql_that_is_killed_leaves_nothing_or_everything(
    tmp_path: Path, postgres_server: PostgresServer | NamedPostgres
) -> None:
    old, url = await filled_with_many(tmp_path / "old", ROWS), postgres_server.create_database()
    await backed_up(old, tmp_path / "file.zip")
    events = rows_in_file(old.database_file)
    new = StoreSettings(url, tmp_path / "new")
    for moment in (*STEPS, *BEFORE):
        assert killed("restore", moment, tmp_path, url)
        assert rows_in_database(postgres_server, url) == 0
        assert await keys_of(new) == []
    for moment in AFTER:
        assert killed("restore", moment, tmp_path, url, "--replace")
        assert rows_in_database(postgres_server, url) == events
        assert not (new.state_dir / "session.key").exists()
        # A backup has the keys of its rows, too.
        await backed_up(new, tmp_path / f"{moment}.zip")
        assert keys_in(new.state_dir) == [b"{}\n", b"sealing\n"]
        (new.state_dir / "session.key").unlink()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_move_that_is_killed_leaves_nothing_or_everything(
    tmp_path: Path, postgres_server: PostgresServer | NamedPostgres
) -> None:
    old, url = await filled_with_many(tmp_path / "old", ROWS), postgres_server.create_database()
    before, events = dump(old.database_file), rows_in_file(old.database_file)
    for moment in ("10", "30", "commit"):
        assert killed("move", moment, tmp_path, url)
        assert rows_in_database(postgres_server, url) == 0
        assert dump(old.database_file) == before
    assert killed("move", "committed", tmp_path, url)
    assert rows_in_database(postgres_server, url) == events
    another = StoreSettings(postgres_server.create_database(), tmp_path)
    await move_to_postgres(old, another.postgres, Watching())
