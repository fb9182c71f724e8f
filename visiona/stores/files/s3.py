"""Model files in an object store that speaks S3.

    <prefix>/objects/<key>     a file that is there, brought whole and of the announced digest
    <prefix>/incoming/<key>    what a client has put there by a presigned URL

Whoever has a presigned URL may write to `incoming` alone, for a quarter of an hour and whatever they like: so a file is
copied to `objects` by the store itself, where nobody else can write, and read there once to be judged (M-03).

What comes through this server (the command line beside it, `PUT /storage/…`) is gathered in a folder of this machine,
as it is without an object store, and goes on from there as one piece.

obstore does the signing and the talking; its calls block and are made in worker threads. It is asked for by the extra
`visiona[s3]` and imported here alone.
"""

import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import obstore
import trio
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from visiona.stores.errors import StoreUnavailable
from visiona.stores.files import sweeping
from visiona.stores.files.content import ContentFolder, Part
from visiona.stores.files.errors import WrongContent
from visiona.stores.files.interfaces import PIECE_BYTES, File, FileRef, Known, Upload
from visiona.stores.s3_address import S3Address

T = TypeVar("T")

logger = logging.getLogger(__name__)

ANSWER_SECONDS = timedelta(seconds=10)
"""For a question, or a block of a file, to be answered whole: so long whoever asks us waits where nobody is there."""

WORK_SECONDS = timedelta(minutes=10)
"""For the object store to take a part of a file, or to copy one of a few gigabytes."""

BLOCK_BYTES = 1024 * 1024
"""Of a file that is read, in one request: the object store does not wait for whoever reads from us at his own pace."""

JUDGED_BLOCK_BYTES = 8 * 1024 * 1024
REASON_CHARACTERS = 300

MAX_THREADS = 16
"""They wait for the network; each holds one piece."""

BATCH = 500
"""Keys asked about at once."""


class S3Files:
    """See interfaces.FileStore.

    Args:
        address: where it is, and by which key.
        folder: of this machine, for what comes through it.
        reserve_bytes: of that folder's disk.
    """

    def __init__(self, address: S3Address, folder: Path, *, reserve_bytes: int) -> None:
        self._folder = ContentFolder(folder, reserve_bytes)
        self._folder.prepare()
        self._store = _opened(address, ANSWER_SECONDS)
        self._patient_store = _opened(address, WORK_SECONDS)
        self._settling: dict[str, trio.Lock] = {}
        self._limiter = trio.CapacityLimiter(MAX_THREADS)

    async def upload_url(self, ref: FileRef, expires: timedelta) -> str | None:
        return await self._run(lambda: obstore.sign(self._store, "PUT", _incoming(ref), expires))

    @asynccontextmanager
    async def open_upload(self, ref: FileRef, *, afresh: bool = False) -> AsyncIterator[Upload]:
        part = await self._run(partial(Part, self._folder, ref, afresh=afresh))
        try:
            yield _SpooledUpload(part, self._limiter, partial(self._place, ref))
        finally:
            with trio.CancelScope(shield=True):
                await self._run(part.close)

    @asynccontextmanager
    async def open_file_or_none(self, ref: FileRef) -> AsyncIterator[File | None]:
        yield _S3File(ref, self._store, self._limiter) if await self.has(ref) else None

    async def received(self, ref: FileRef) -> int:
        if await self.has(ref):
            return ref.size
        return await self._run(lambda: _local_size(self._folder.incoming(ref.key)))

    async def has(self, ref: FileRef) -> bool:
        return await self._run(lambda: self._size_or_none(_object(ref)) == ref.size)

    async def settle(self, ref: FileRef) -> bool:
        # One at a time: until its URL ends, whoever has it may change what is in `incoming`, and so what another one
        # copies to where this one has just judged it.
        lock = self._settling.setdefault(ref.key, trio.Lock())
        try:
            async with lock:
                return await self._run(partial(self._settle, ref))
        finally:
            if not lock.locked():
                self._settling.pop(ref.key, None)

    async def delete(self, ref: FileRef) -> bool:
        return await self._run(partial(self._delete, ref))

    async def sweep(self, known: Known, older_than: datetime) -> int:
        count = await self._run(partial(sweeping.drop_incoming, self._folder, older_than.timestamp()))
        for place in ("objects", "incoming"):
            old = await self._run(partial(self._old, place, older_than))
            for start in range(0, len(old), BATCH):
                batch = old[start : start + BATCH]
                # What lies in `incoming` is left over, whoever waits for it: its URL has long ended.
                wanted = await known(batch) if place == "objects" else set()
                gone = [f"{place}/{key}" for key in batch if key not in wanted]
                await self._run(partial(self._remove, gone))
                count += len(gone)
        return count

    async def _run(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(_translating(work), limiter=self._limiter)

    def _size_or_none(self, path: str) -> int | None:
        try:
            return obstore.head(self._store, path)["size"]
        except FileNotFoundError:
            return None

    def _settle(self, ref: FileRef) -> bool:
        if self._size_or_none(_object(ref)) == ref.size:
            return True
        size = self._size_or_none(_incoming(ref))
        if size is None:
            return False
        if size != ref.size:
            self._remove([_incoming(ref)])
            raise WrongContent(f"{size} of {ref.size} bytes have come", about="size")
        # Judged after the copy: until its URL ends, whoever has it may change what is in `incoming`.
        obstore.copy(self._patient_store, _incoming(ref), _object(ref))
        digest, count = hashlib.sha256(), 0
        while block := _block(self._store, ref, count, JUDGED_BLOCK_BYTES):
            digest.update(block)
            count += len(block)
        self._remove([_incoming(ref)])
        if count != ref.size or digest.hexdigest() != ref.sha256:
            self._remove([_object(ref)])
            raise WrongContent("the digest of what came is not the one that was announced", about="sha256")
        return True

    def _place(self, ref: FileRef, path: Path) -> None:
        with path.open("rb") as file:
            obstore.put(self._patient_store, _object(ref), file)
        path.unlink(missing_ok=True)

    def _delete(self, ref: FileRef) -> bool:
        was_there = self._size_or_none(_object(ref)) is not None
        self._remove([_object(ref), _incoming(ref)])
        return self._folder.remove(ref) or was_there

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            try:
                obstore.delete(self._store, path)
            except FileNotFoundError:
                continue

    def _old(self, place: str, older_than: datetime) -> list[str]:
        found = (meta for page in obstore.list(self._store, prefix=place) for meta in page)
        return [meta["path"].rpartition("/")[2] for meta in found if meta["last_modified"] < older_than]


class _SpooledUpload:
    def __init__(self, part: Part, limiter: trio.CapacityLimiter, place: Callable[[Path], None]) -> None:
        self._part, self._limiter, self._place = part, limiter, place

    @property
    def offset(self) -> int:
        return self._part.offset

    async def write(self, data: bytes) -> None:
        await trio.to_thread.run_sync(self._part.write, data, limiter=self._limiter)

    async def commit(self) -> None:
        work = _translating(partial(self._part.commit, self._place))
        await trio.to_thread.run_sync(work, limiter=self._limiter)

    async def abort(self) -> None:
        await trio.to_thread.run_sync(self._part.abort, limiter=self._limiter)


class _S3File:
    def __init__(self, ref: FileRef, store: S3Store, limiter: trio.CapacityLimiter) -> None:
        self.ref, self._store, self._limiter = ref, store, limiter

    async def read(self, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        end = self.ref.size if length is None else min(self.ref.size, offset + length)
        while offset < end:
            size = min(BLOCK_BYTES, end - offset)
            block = await self._run(partial(_block, self._store, self.ref, offset, size))
            if len(block) != size:
                raise StoreUnavailable("the object store has a shorter file than it said")
            offset += size
            for start in range(0, size, PIECE_BYTES):
                yield block[start : start + PIECE_BYTES]

    async def _run(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(_translating(work), limiter=self._limiter)


def _opened(address: S3Address, timeout: timedelta) -> S3Store:
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        endpoint=address.endpoint,
        region=address.region,
        access_key_id=address.access_key,
        secret_access_key=address.secret_key,
        virtual_hosted_style_request=False,
        client_options={"timeout": timeout, "connect_timeout": timedelta(seconds=5), "allow_http": True},
        retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=5)},
    )


def _block(store: S3Store, ref: FileRef, offset: int, length: int) -> bytes:
    """A part of a file that is there; empty behind its end."""
    length = min(length, ref.size - offset)
    return bytes(obstore.get_range(store, _object(ref), start=offset, length=length)) if length > 0 else b""


def _object(ref: FileRef) -> str:
    return f"objects/{ref.key}"


def _incoming(ref: FileRef) -> str:
    return f"incoming/{ref.key}"


def _local_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _translating(work: Callable[[], T]) -> Callable[[], T]:
    def translated() -> T:
        with _translated():
            return work()

    return translated


@contextmanager
def _translated() -> Iterator[None]:
    """What the object store refuses, in our words; its own, which may hold names and addresses, are for the log."""
    try:
        yield
    except (BaseError, OSError) as error:
        what = "the object store of the model files does not answer as it should"
        if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
            what = "the object store refuses this server: look at the key in storage.url, and at this machine's clock"
        reason = " ".join(str(error).split())[:REASON_CHARACTERS]
        logger.warning(what, extra={"reason": reason})
        raise StoreUnavailable(what) from error
