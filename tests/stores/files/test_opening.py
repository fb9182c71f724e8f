import sys
from datetime import timedelta
from pathlib import Path

import pytest
from visiona.stores.files.errors import FileStoreError
from visiona.stores.files.opening import open_files
from visiona.stores.settings import DEFAULT_STORAGE, StorageSettings

from tests.stores.files.test_folder import CONTENT, bring, ref_of

LINK = timedelta(minutes=15)


async def test_the_folder_is_in_the_state_directory_or_where_the_settings_say(tmp_path: Path) -> None:
    for settings, root in (
        (StorageSettings(reserve_bytes=0), tmp_path / "state" / "files"),
        (StorageSettings(path=tmp_path / "elsewhere", reserve_bytes=0), tmp_path / "elsewhere"),
    ):
        async with open_files(settings, tmp_path / "state") as files:
            await bring(files, ref_of(CONTENT), CONTENT)
        assert (root / "objects" / ref_of(CONTENT).key).read_bytes() == CONTENT


async def test_without_a_state_directory_nothing_is_kept() -> None:
    async with open_files(StorageSettings(reserve_bytes=0), None) as files:
        await bring(files, ref_of(CONTENT), CONTENT)
    async with open_files(StorageSettings(reserve_bytes=0), None) as files:
        assert not await files.has(ref_of(CONTENT))


def test_every_fault_of_the_section_is_named() -> None:
    assert DEFAULT_STORAGE.check() == []
    faults = StorageSettings("s3://host/HUSH", Path("here"), -1, 0, -1, -1, 0).check()
    assert "HUSH" not in " ".join(faults)
    assert [fault.partition(":")[0] for fault in faults] == [
        *(
            "storage.url",
            "storage.path",
            "storage.reserve_bytes",
            "storage.quota_bytes",
            "storage.max_file_bytes",
        ),
        *("storage.quota_models", "storage.upload_idle_seconds"),
    ]


async def test_an_object_store_needs_its_library_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "visiona.stores.files.s3", raising=False)
    with pytest.raises(FileStoreError, match=r"install visiona\[s3\]"):
        async with open_files(StorageSettings("s3://AK:SK@host/bucket"), tmp_path):
            pass


async def test_an_object_store_is_opened_without_asking_it_anything(tmp_path: Path) -> None:
    async with open_files(StorageSettings("s3+http://AK:SK@127.0.0.1:9/bucket"), tmp_path) as files:
        assert (await files.upload_url(ref_of(CONTENT), LINK)) is not None
