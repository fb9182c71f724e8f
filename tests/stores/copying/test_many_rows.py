"""A hundred thousand rows, each way: all there, in some seconds, and without holding them in memory."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import MANY, dump, filled_with_many
from tests.support.servers.postgres import NamedPostgres, PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MOST_MEBIBYTES = 32
"""As JSON the rows have 16, as Python's objects over 100."""

SECONDS = 30
"""It takes 3 to 6; other tests may run beside."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> StoreSettings:
    return trio.run(filled_with_many, tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def file(old: StoreSettings) -> Path:
    path = old.state_dir / "file.zip"
    assert grown("backup", old.state_dir, path) < MOST_MEBIBYTES
    return path


def grown(*arguments: object) -> float:
    """By how many mebibytes the process grew that made this copy."""
    program = [sys.executable, "-m", "tests.stores.copying.measured", *map(str, arguments)]
    done = subprocess.run(program, check=True, capture_output=True, text=True, timeout=SECONDS)
    return float(done.stdout)


def events(server: PostgresServer | NamedPostgres, url: str) -> int:
    return int(server.sql("SELECT count(*) FROM device_events", urlsplit(url).path.removeprefix("/")))


def test_backup_and_restore_of_a_file(old: StoreSettings, file: Path, tmp_path: Path) -> None:
    assert grown("restore", tmp_path / "new", file) < MOST_MEBIBYTES
    lines = dump(StoreSettings(None, tmp_path / "new").database_file)
    assert len(lines) > MANY
    assert lines == dump(old.database_file)


@pytest.fixture(scope="module")
def url(file: Path, old: StoreSettings, postgres_server: PostgresServer | NamedPostgres) -> str:
    """A database into which it was restored."""
    made = postgres_server.create_database()
    assert grown("restore", old.state_dir / "unused", file, made) < MOST_MEBIBYTES
    return made


def test_restore_into_postgresql(url: str, postgres_server: PostgresServer | NamedPostgres) -> None:
    assert events(postgres_server, url) > MANY / 2


def test_backup_from_postgresql(old: StoreSettings, url: str, tmp_path: Path) -> None:
    assert grown("backup", tmp_path / "state", tmp_path / "again.zip", url) < MOST_MEBIBYTES
    assert grown("restore", tmp_path / "new", tmp_path / "again.zip") < MOST_MEBIBYTES
    assert dump(StoreSettings(None, tmp_path / "new").database_file) == dump(old.database_file)


def test_move_to_postgresql(
    old: StoreSettings, tmp_path: Path, postgres_server: PostgresServer | NamedPostgres
) -> None:
    url = postgres_server.create_database()
    assert grown("move", old.state_dir, tmp_path / "unused", url) < MOST_MEBIBYTES
    assert events(postgres_server, url) > MANY / 2
