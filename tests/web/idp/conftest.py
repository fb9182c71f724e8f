from pathlib import Path

import pytest
from argon2 import PasswordHasher
from visiona.services import passwords
from visiona.web.idp.key_file import key_path, open_keys

from tests.web.idp.rig import SECRET, START, Rig


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that costs nothing: there are hundreds here, and the real one is meant to be slow."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys for all tests that do not change them: to make some takes a while."""
    path = key_path(tmp_path_factory.mktemp("idp"))
    open_keys(path, START)
    return path


@pytest.fixture
async def rig(key_file: Path) -> Rig:
    return Rig(key_file)


@pytest.fixture
async def confidential_rig(key_file: Path) -> Rig:
    return Rig(key_file, secret=SECRET)
