"""A folder of model files in which something is not as we left it: each call says so, or goes on, and raises nothing else."""

import errno
import fcntl
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.errors import NoRoom
from visiona.stores.files.folder import FolderFiles

from tests.stores.files.test_folder import CONTENT, all_files, bring, folder, ref_of, whole

LATER = timedelta(days=2)

Deed = Callable[[FolderFiles], Awaitable[object]]


async def nothing_known(keys: Sequence[str]) -> set[str]:
    return set()


async def sweep(files: FolderFiles) -> int:
    return await files.sweep(nothing_known, datetime.now(UTC) + LATER)


async def said(deed: Deed, files: FolderFiles) -> str:
    """What is said by one that can not be done; some can."""
    try:
        await deed(files)
    except StoreUnavailable as refused:
        return str(refused)
    return ""


DEEDS: dict[str, Deed] = {
    "bring": lambda files: bring(files, ref_of(CONTENT), CONTENT),
    "read": lambda files: whole(files, ref_of(CONTENT)),
    "has": lambda files: files.has(ref_of(CONTENT)),
    "received": lambda files: files.received(ref_of(CONTENT)),
    "delete": lambda files: files.delete(ref_of(CONTENT)),
    "sweep": sweep,
}


@pytest.mark.parametrize("place", ["incoming", "objects", "blobs"])
@pytest.mark.parametrize("deed", sorted(DEEDS))
async def test_m04_what_is_no_folder_any_more_is_a_store_that_does_not_answer(
    tmp_path: Path, place: str, deed: str
) -> None:
    async with folder(tmp_path) as files:
        (tmp_path / place).rmdir()
        (tmp_path / place).write_bytes(b"")
        assert str(tmp_path) not in await said(DEEDS[deed], files)


@pytest.mark.parametrize("call", ["unlink", "link", "fsync", "write", "pread", "ftruncate", "lseek", "fstat"])
async def test_m04_a_call_that_fails_is_a_store_that_does_not_answer_and_later_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async with folder(tmp_path) as files:

        def broken(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "broken", "/secret/place")

        for deed in sorted(DEEDS):
            with monkeypatch.context() as patched:
                patched.setattr(os, call, broken)
                assert "secret" not in await said(DEEDS[deed], files)
        await bring(files, ref_of(CONTENT), CONTENT)
        assert await whole(files, ref_of(CONTENT)) == CONTENT


async def test_a_lock_that_the_file_system_does_not_know_is_a_store_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    async with folder(tmp_path) as files:
        monkeypatch.setattr(fcntl, "flock", none)
        with pytest.raises(StoreUnavailable):
            await bring(files, ref_of(CONTENT), CONTENT)
        assert len(os.listdir("/proc/self/fd")) < 200


async def test_m03_content_that_lost_a_piece_is_not_given_to_whoever_brings_it_whole(tmp_path: Path) -> None:
    """Of two files of one content the first is damaged on the disk: the second is not to be the same damage."""
    async with folder(tmp_path) as files:
        first, second = ref_of(CONTENT), ref_of(CONTENT, "0198-model-b")
        await bring(files, first, CONTENT)
        os.truncate(tmp_path / "blobs" / first.sha256[:2] / first.sha256, 10)
        assert not await files.has(first)
        await bring(files, second, CONTENT)
        assert await whole(files, second) == CONTENT
        await bring(files, first, CONTENT)
        assert await whole(files, first) == CONTENT


async def test_m02_a_link_where_a_content_should_be_is_not_followed(tmp_path: Path) -> None:
    async with folder(tmp_path / "files") as files:
        ref, outside = ref_of(CONTENT), tmp_path / "outside"
        outside.write_bytes(bytes(len(CONTENT)))
        blob = tmp_path / "files" / "blobs" / ref.sha256[:2] / ref.sha256
        blob.parent.mkdir()
        blob.symlink_to(outside)
        await bring(files, ref, CONTENT)
        assert await whole(files, ref) == CONTENT
        assert outside.read_bytes() == bytes(len(CONTENT))


@pytest.mark.parametrize("nth", [0, 1])
async def test_m04_a_disk_that_is_full_when_the_file_is_given_its_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """A name needs room as well; a content without any file would lie there for a day, when there is no room."""
    async with folder(tmp_path) as files:
        link, calls = os.link, 0

        def full(*given: str) -> None:
            nonlocal calls
            calls += 1
            if calls > nth:
                raise OSError(errno.ENOSPC, "full")
            link(*given)

        monkeypatch.setattr(os, "link", full)
        with pytest.raises(NoRoom):
            await bring(files, ref_of(CONTENT), CONTENT)
        assert all_files(tmp_path) == []


async def test_m03_the_sweep_leaves_an_old_upload_alone_that_is_being_continued(tmp_path: Path) -> None:
    async with folder(tmp_path) as files:
        ref = ref_of(CONTENT)
        async with files.open_upload(ref) as upload:
            await upload.write(CONTENT[:1000])
        async with files.open_upload(ref) as upload:
            await sweep(files)
            await upload.write(CONTENT[1000:])
            await upload.commit()
        assert await whole(files, ref) == CONTENT
        async with files.open_upload(ref_of(CONTENT, "0198-model-b")) as upload:
            await upload.write(CONTENT[:1000])
        await sweep(files)
        assert list((tmp_path / "incoming").iterdir()) == []
