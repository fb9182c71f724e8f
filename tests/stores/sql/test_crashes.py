"""What a process leaves behind that is killed at any statement, or that may not write."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from visiona.services.pair_device import create_pairing_token
from visiona.stores.opening import open_stores, schema_status
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.migrate import known_migrations

from tests.support.nouns import NOW, a_home

NOBODY = 65534


def deaths(*arguments: str) -> list[dict[str, int]]:
    """What was left after each death."""
    program = [sys.executable, "-m", "tests.support.dying", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_s03_p02_an_exchange_killed_at_any_statement_is_whole_or_not_at_all(tmp_path: Path) -> None:
    async with open_stores(StoreSettings(None, tmp_path), exclusive=True) as stores:
        home = await a_home(stores)
        token = (await create_pairing_token(stores, home.actor, NOW)).text
    *without, last = deaths("exchange", str(tmp_path), token)
    # BEGIN, eight or more statements, COMMIT: each was a place to die.
    assert len(without) >= 10
    made = ("devices", "session_tokens", "device_events")
    assert {left[table] for left in without for table in made} == {0}
    assert [last[table] for table in made] == [1, 1, 1]
    async with open_stores(StoreSettings(None, tmp_path), exclusive=True) as stores:
        (spent,) = await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 10))
        assert spent.used_at == NOW


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_s01_a_migration_killed_at_any_statement_ran_whole_or_not_at_all(tmp_path: Path) -> None:
    *without, last = deaths("migrate", str(tmp_path))
    tables: dict[int, set[frozenset[str]]] = {}
    for left in (*without, last):
        tables.setdefault(left.get("schema_migrations", 0), set()).add(frozenset(left))
    # After so many steps there is one set of tables, never a part of the next step's.
    assert sorted(tables) == list(range(len(known_migrations()) + 1))
    assert {len(sets) for sets in tables.values()} == {1}
    assert tables[0] == {frozenset()}
    assert len(without) >= 15 * len(known_migrations())
    status = await schema_status(StoreSettings(None, tmp_path))
    assert status is not None
    assert status.pending == ()


READ_ONLY = """
import os, sys, trio
from pathlib import Path
from visiona.stores.errors import StoreError
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
import visiona.stores.memory.engine, encodings.idna
if os.geteuid() == 0:
    os.setgid({nobody}); os.setuid({nobody})
async def main():
    async with open_stores(StoreSettings(None, Path(sys.argv[1])), exclusive=sys.argv[2] == "serve"):
        print("opened")
try:
    trio.run(main)
except StoreError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def visible_folder() -> Iterator[Path]:
    """A folder that also an unprivileged process can enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)


def close_off(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def opened_by_nobody(folder: Path, how: str) -> str:
    """What a process says that may read the folder and not write to it."""
    close_off(folder)
    program = [sys.executable, "-c", READ_ONLY.format(nobody=NOBODY), str(folder), how]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("how", ["serve", "command"])
async def test_s03_a_read_only_file_system_is_told_in_a_sentence(visible_folder: Path, how: str) -> None:
    async with open_stores(StoreSettings(None, visible_folder), exclusive=True):
        pass
    told = opened_by_nobody(visible_folder, how)
    assert told.startswith("StoreUnavailable the ")
    assert str(visible_folder) in told
    assert "readonly" not in told
