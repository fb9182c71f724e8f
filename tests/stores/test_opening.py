import os
import subprocess
import sys
from pathlib import Path

from visiona.stores.opening import migrate_up, open_stores, schema_status
from visiona.stores.settings import StoreSettings

from tests.support.nouns import a_user, put


async def test_memory_starts_empty_each_time(tmp_path: Path) -> None:
    settings = StoreSettings("memory:", tmp_path)
    for _ in range(2):
        async with open_stores(settings, exclusive=True) as stores:
            assert await stores.read(lambda tx: tx.users.list_all(10)) == []
            await put(stores, a_user())
    assert os.listdir(tmp_path) == []
    assert await schema_status(settings) is None
    assert await migrate_up(settings) is None


def test_a_server_on_sqlite_loads_no_driver_that_it_does_not_use() -> None:
    code = "import sys, visiona.app; sys.exit(sorted({'asyncpg', 'redis'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
