import contextlib
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.errors import NoRoom, UploadBusy, WrongContent
from visiona.stores.files.folder import FolderFiles
from visiona.stores.files.interfaces import PIECE_BYTES, FileRef, FileStore

CONTENT = b"weights" * 30_000


def ref_of(content: bytes, key: str = "0198-model-a") -> FileRef:
    return FileRef(key, len(content), hashlib.sha256(content).hexdigest())


@contextlib.asynccontextmanager
async def folder(root: Path, reserve_bytes: int = 0) -> AsyncIterator[FolderFiles]:
    yield FolderFiles(root, reserve_bytes=reserve_bytes)


async def bring(files: FileStore, ref: FileRef, content: bytes, piece: int = 50_000) -> None:
    async with files.open_upload(ref) as upload:
        for start in range(upload.offset, len(content), piece):
            await upload.write(content[start : start + piece])
        await upload.commit()


async def whole(files: FileStore, ref: FileRef, offset: int = 0, length: int | None = None) -> bytes | None:
    async with files.open_file_or_none(ref) as file:
        if file is None:
            return None
        pieces = [piece async for piece in file.read(offset, length)]
        assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
        return b"".join(pieces)


def all_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["empty", "one byte", "many pieces"])
async def test_what_was_brought_is_read_whole_and_in_ranges(tmp_path: Path, content: bytes) -> None:
    async with folder(tmp_path) as files:
        ref = ref_of(content)
        assert await whole(files, ref) is None
        await bring(files, ref, content)
        assert await whole(files, ref) == content
        assert await whole(files, ref, 3, 70_000) == content[3:70_003]
        assert await whole(files, ref, len(content), 1) == b""
        assert (await files.has(ref), await files.received(ref)) == (True, len(content))


async def test_a_file_is_found_only_as_it_is_on_record(tmp_path: Path) -> None:
    async with folder(tmp_path) as files:
        await bring(files, ref_of(CONTENT), CONTENT)
        assert not await files.has(FileRef(ref_of(CONTENT).key, 5, ref_of(CONTENT).sha256))


@pytest.mark.parametrize(
    "key", ["../../x", "/etc/passwd", "a", "a" * 81, "CON", "x\n12345678", "-12345678", "é1234567"]
)
def test_m01_a_key_that_could_be_a_path_is_no_key(key: str) -> None:
    with pytest.raises(ValueError):
        FileRef(key, 1, "0" * 64)


async def test_m03_less_than_announced_or_another_digest_is_refused_and_forgotten(tmp_path: Path) -> None:
    async with folder(tmp_path) as files:
        for wrong, about in (
            (CONTENT[:-1], "size"),
            (b"W" + CONTENT[1:], "sha256"),
            (CONTENT + b"!", "size"),
        ):
            with pytest.raises(WrongContent) as refused:
                await bring(files, ref_of(CONTENT), wrong)
            assert refused.value.about == about
        assert all_files(tmp_path) == []
        await bring(files, ref_of(CONTENT), CONTENT)


async def test_m03_what_broke_off_at_99_percent_goes_on_where_it_was_also_after_a_restart(
    tmp_path: Path,
) -> None:
    ref, done = ref_of(CONTENT), len(CONTENT) * 99 // 100
    for again in range(3):
        async with folder(tmp_path) as files:
            with contextlib.suppress(ConnectionResetError):
                async with files.open_upload(ref) as upload:
                    assert upload.offset == (0, done - 10, done)[again]
                    await upload.write(CONTENT[upload.offset : done - 10 + 10 * min(again, 1)])
                    raise ConnectionResetError
            assert await files.received(ref) == done - (10 if again == 0 else 0)
    async with folder(tmp_path) as files:
        await bring(files, ref, CONTENT)
        assert await whole(files, ref) == CONTENT


async def test_m03_a_piece_follows_a_piece_without_reading_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with folder(tmp_path) as files:
        async with files.open_upload(ref_of(CONTENT)) as upload:
            await upload.write(CONTENT[:1000])
        monkeypatch.setattr(os, "pread", None)
        async with files.open_upload(ref_of(CONTENT)) as upload:
            await upload.write(CONTENT[1000:])
            await upload.commit()


async def test_m03_afresh_begins_at_nothing(tmp_path: Path) -> None:
    async with folder(tmp_path) as files:
        async with files.open_upload(ref_of(CONTENT)) as upload:
            await upload.write(b"wrong")
        async with files.open_upload(ref_of(CONTENT), afresh=True) as upload:
            assert upload.offset == 0
            await upload.write(CONTENT)
            await upload.commit()


async def test_m03_two_who_bring_the_same_file_do_not_mix(tmp_path: Path) -> None:
    ref = ref_of(CONTENT)
    async with folder(tmp_path) as files, folder(tmp_path) as other, files.open_upload(ref) as upload:
        for busy in (files, other):
            with pytest.raises(UploadBusy):
                async with busy.open_upload(ref):
                    pass
        await upload.write(CONTENT)
        await upload.commit()
        # The lock is still held, on what has its place now: this begins another one.
        async with other.open_upload(ref) as again:
            assert again.offset == 0


async def test_m03_the_same_content_lies_there_once_and_goes_with_its_last_file(tmp_path: Path) -> None:
    async with folder(tmp_path) as files:
        refs = [ref_of(CONTENT, f"0198-model-{n}") for n in range(5)]
        async with trio.open_nursery() as nursery:
            for ref in refs:
                nursery.start_soon(bring, files, ref, CONTENT)
        assert len({path.stat().st_ino for path in all_files(tmp_path)}) == 1
        for ref in refs[:-1]:
            assert await files.delete(ref)
            assert not await files.delete(ref)
        assert await whole(files, refs[-1]) == CONTENT
        await files.delete(refs[-1])
        assert all_files(tmp_path) == []


async def test_m05_a_download_goes_on_while_its_file_is_deleted(tmp_path: Path) -> None:
    async with folder(tmp_path) as files:
        await bring(files, ref_of(CONTENT), CONTENT)
        async with files.open_file_or_none(ref_of(CONTENT)) as file:
            assert file is not None
            pieces = file.read()
            first = await anext(pieces)
            await files.delete(ref_of(CONTENT))
            assert first + b"".join([piece async for piece in pieces]) == CONTENT


async def test_m03_sweeping_removes_what_nobody_knows_and_what_nobody_continues(tmp_path: Path) -> None:
    async def known(keys: object) -> set[str]:
        return {"0198-kept-kept"}

    now = datetime.now(UTC)
    async with folder(tmp_path) as files:
        kept, orphan = ref_of(CONTENT, "0198-kept-kept"), ref_of(CONTENT[1:], "0198-orphan-x")
        await bring(files, kept, CONTENT)
        await bring(files, orphan, CONTENT[1:])
        async with files.open_upload(ref_of(b"half", "0198-half-xx")) as upload:
            await upload.write(b"ha")
        assert await files.sweep(known, now - timedelta(hours=1)) == 0
        assert await files.sweep(known, now + timedelta(hours=1)) == 2
        assert {path.name for path in all_files(tmp_path)} == {kept.key, kept.sha256}
        assert await whole(files, kept) == CONTENT


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    free = SimpleNamespace(f_bavail=10_000_000, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda _: free)
    return free


async def test_m04_a_file_that_would_need_the_reserve_is_refused_before_it_comes(
    tmp_path: Path, room: SimpleNamespace
) -> None:
    async with folder(tmp_path, reserve_bytes=room.f_bavail - len(CONTENT)) as files:
        room.f_bavail -= 1
        with pytest.raises(NoRoom):
            await bring(files, ref_of(CONTENT), CONTENT)
        assert all_files(tmp_path) == []
        room.f_bavail += 1
        await bring(files, ref_of(CONTENT), CONTENT)


async def test_m04_others_fill_the_disk_while_a_file_comes(tmp_path: Path, room: SimpleNamespace) -> None:
    content = bytes(8 * 1024 * 1024)
    async with folder(tmp_path, reserve_bytes=1000) as files:
        async with files.open_upload(ref_of(content)) as upload:
            room.f_bavail = 500
            with pytest.raises(NoRoom):
                for start in range(0, len(content), 1024 * 1024):
                    await upload.write(content[start : start + 1024 * 1024])
        assert all_files(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_m04_a_full_disk_at_any_call_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(number, "full")

    async with folder(tmp_path) as files:
        with monkeypatch.context() as patched:
            patched.setattr(os, call, full)
            with pytest.raises(NoRoom):
                await bring(files, ref_of(CONTENT), CONTENT)
        assert all_files(tmp_path) == []
        await bring(files, ref_of(CONTENT), CONTENT)


async def test_a_broken_disk_is_a_store_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, "Input/output error", str(tmp_path))

    async with folder(tmp_path) as files:
        await bring(files, ref_of(CONTENT), CONTENT)
        monkeypatch.setattr(os, "pread", broken)
        with pytest.raises(StoreUnavailable) as refused:
            await whole(files, ref_of(CONTENT))
        assert str(tmp_path) not in str(refused.value)


async def test_m02_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    async with folder(tmp_path / "files") as files:
        (tmp_path / "secret").write_bytes(CONTENT)
        (tmp_path / "files" / "objects" / ref_of(CONTENT).key).symlink_to(tmp_path / "secret")
        (tmp_path / "files" / "incoming" / ref_of(CONTENT).key).symlink_to(tmp_path / "secret")
        for attempt in (whole(files, ref_of(CONTENT)), bring(files, ref_of(CONTENT), CONTENT)):
            with pytest.raises(StoreUnavailable):
                await attempt


async def test_others_on_the_machine_cannot_read_it(tmp_path: Path) -> None:
    async with folder(tmp_path / "files") as files:
        await bring(files, ref_of(CONTENT), CONTENT)
        assert (tmp_path / "files").stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in all_files(tmp_path))
