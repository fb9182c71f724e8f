"""Model files in a folder of this machine: content.py, run in worker threads."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from os import close
from pathlib import Path
from typing import TypeVar

import trio

from visiona.stores.files import aside, sweeping
from visiona.stores.files.content import ContentFolder, Part, open_for_reading, read_at, translated
from visiona.stores.files.interfaces import PIECE_BYTES, File, FileRef, Known, Upload

T = TypeVar("T")

MAX_THREADS = 8
"""Disks do not get faster by more, and the threads are shared with all else that blocks."""


class FolderFiles:
    """See interfaces.FileStore."""

    def __init__(self, root: Path, *, reserve_bytes: int) -> None:
        """Makes the folders; raises OSError."""
        self._folder = ContentFolder(root, reserve_bytes)
        self._folder.prepare()
        self._limiter = trio.CapacityLimiter(MAX_THREADS)

    async def upload_url(self, ref: FileRef, expires: timedelta) -> str | None:
        return None

    async def settle(self, ref: FileRef) -> bool:
        return await self.has(ref)

    @asynccontextmanager
    async def open_upload(self, ref: FileRef, *, afresh: bool = False) -> AsyncIterator[Upload]:
        part = await self._run(partial(Part, self._folder, ref, afresh=afresh))
        try:
            yield _FolderUpload(part, self._limiter)
        finally:
            with trio.CancelScope(shield=True):
                await self._run(part.close)

    @asynccontextmanager
    async def open_file_or_none(self, ref: FileRef) -> AsyncIterator[File | None]:
        descriptor = await self._run(partial(open_for_reading, self._folder.object(ref), ref.size))
        if descriptor is None:
            yield None
            return
        try:
            yield _FolderFile(ref, descriptor, self._limiter)
        finally:
            close(descriptor)

    async def received(self, ref: FileRef) -> int:
        if await self.has(ref):
            return ref.size
        return await self._run(partial(_size_or_nothing, self._folder.incoming(ref.key)))

    async def has(self, ref: FileRef) -> bool:
        async with self.open_file_or_none(ref) as file:
            return file is not None

    async def delete(self, ref: FileRef) -> bool:
        return await self._run(partial(self._folder.remove, ref))

    async def sweep(self, known: Known, older_than: datetime) -> int:
        old, folder = older_than.timestamp(), self._folder
        batches = await self._run(lambda: list(sweeping.key_batches(folder, old)))
        count = await self._run(partial(sweeping.drop_incoming, folder, old))
        for batch in batches:
            unknown = sorted(set(batch) - await known(batch))
            count += await self._run(partial(sweeping.drop_objects, folder, unknown))
        await self._run(partial(aside.drop_left, folder.root))
        await self._run(partial(sweeping.drop_blobs, folder, old))
        return count

    async def _run(self, work: Callable[[], T]) -> T:
        return await _in_thread(work, self._limiter)


async def _in_thread(work: Callable[[], T], limiter: trio.CapacityLimiter) -> T:
    def run() -> T:
        with translated():
            return work()

    return await trio.to_thread.run_sync(run, limiter=limiter)


class _FolderUpload:
    def __init__(self, part: Part, limiter: trio.CapacityLimiter) -> None:
        self._part, self._limiter = part, limiter

    @property
    def offset(self) -> int:
        return self._part.offset

    async def write(self, data: bytes) -> None:
        await _in_thread(partial(self._part.write, data), self._limiter)

    async def commit(self) -> None:
        await _in_thread(self._part.commit, self._limiter)

    async def abort(self) -> None:
        await _in_thread(self._part.abort, self._limiter)


class _FolderFile:
    def __init__(self, ref: FileRef, descriptor: int, limiter: trio.CapacityLimiter) -> None:
        self.ref, self._descriptor, self._limiter = ref, descriptor, limiter

    async def read(self, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        end = self.ref.size if length is None else min(self.ref.size, offset + length)
        while offset < end:
            size = min(PIECE_BYTES, end - offset)
            piece = await trio.to_thread.run_sync(
                read_at, self._descriptor, size, offset, limiter=self._limiter
            )
            if not piece:
                return
            offset += len(piece)
            yield piece


def _size_or_nothing(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
