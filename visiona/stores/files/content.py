"""The content-addressed folder itself, in plain blocking calls; folder.py runs them in worker threads.

    objects/<key>          a file that is there
    blobs/ab/<sha256>      the same file (a hard link), by its content: what is brought twice lies here once
    incoming/<key>         what has come of a file so far
    aside/<random>/        what a backup holds or a restore brings (aside.py)

A file comes into its place by a link, after fsync: whole or not at all. No name that a client made up is part of a path,
and nothing is ever unpacked. Who holds the lock on a file in `incoming` is the only one to write to it.
"""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.errors import NoRoom, UploadBusy, Withdrawn, WrongContent
from visiona.stores.files.interfaces import FileRef

logger = logging.getLogger(__name__)

KEPT_DIGESTS = 256
"""Digests of what has come so far, kept from one piece of an upload to the next; without one the piece is read again."""

CHECK_ROOM_BYTES = 4 * 1024 * 1024
"""So often the reserve is looked after while a file comes in."""

READ_BYTES = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class ContentFolder:
    """Files in a folder of ours."""

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        self.root = root
        self.reserve_bytes = reserve_bytes
        self._digests: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Makes the folders."""
        for folder in (self.root, self.root / "objects", self.root / "blobs", self.root / "incoming"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def object(self, ref: FileRef) -> Path:
        """Where the file is once it is there."""
        return self.root / "objects" / ref.key

    def blob(self, sha256: str) -> Path:
        """Where its content is."""
        return self.root / "blobs" / sha256[:2] / sha256

    def incoming(self, key: str) -> Path:
        """Where it is before."""
        return self.root / "incoming" / key

    def need_room(self, size: int) -> None:
        """Raises NoRoom unless so many bytes leave the reserve free."""
        free = os.statvfs(self.root)
        if free.f_bavail * free.f_frsize - size < self.reserve_bytes:
            raise NoRoom("the disk of the server has no room for it")

    def keep_digest(self, key: str, size: int, digest: Any) -> None:  # noqa: ANN401 - hashlib names no type
        """Remembers the digest of the first bytes of an upload."""
        with self._lock:
            self._digests[key] = (size, digest)
            self._digests.move_to_end(key)
            if len(self._digests) > KEPT_DIGESTS:
                self._digests.popitem(last=False)

    def take_digest(self, key: str, size: int) -> Any | None:  # noqa: ANN401
        """The digest of so many first bytes, if it is remembered."""
        with self._lock:
            kept = self._digests.pop(key, None)
        return kept[1] if kept is not None and kept[0] == size else None

    def place(self, ref: FileRef, part: Path) -> None:
        """Gives a file that has come whole its place."""
        blob, target = self.blob(ref.sha256), self.object(ref)
        blob.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_file_of(part, ref.size):
            raise OSError(errno.EIO, "the file is not as it was written")
        while True:
            with contextlib.suppress(FileExistsError):
                os.link(part, blob)
            if not _is_file_of(blob, ref.size):
                # Damaged since, or none of ours: what has just been judged takes its place.
                _unlinked(blob)
                continue
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(blob, target)
            except FileNotFoundError:
                continue  # the last one who referred to it has just deleted it
            if _is_file_of(target, ref.size):
                break
            _unlinked(target)
        part.unlink(missing_ok=True)
        for folder in (blob.parent, blob.parent.parent, target.parent):
            _sync_folder(folder)

    def remove(self, ref: FileRef) -> bool:
        """Removes a file and what had come of it."""
        removed = [_unlinked(self.object(ref)), _unlinked(self.incoming(ref.key))]
        self.drop_blob(self.blob(ref.sha256))
        return any(removed)

    def drop_blob(self, blob: Path) -> bool:
        """Removes a content that no file has any more.

        Whoever links to it in between keeps the content; it only loses its name here, and may lie here twice.
        """
        with contextlib.suppress(FileNotFoundError):
            if blob.stat().st_nlink == 1:
                return _unlinked(blob)
        return False


class Part:
    """What has come of one file, open and locked. Raises as interfaces.Upload."""

    def __init__(self, folder: ContentFolder, ref: FileRef, *, afresh: bool) -> None:
        self._folder, self._ref = folder, ref
        self._path = folder.incoming(ref.key)
        self._descriptor = _locked(self._path)
        self._is_over = False
        try:
            with translated():
                self.offset = self._begun(afresh=afresh)
                self._digest = folder.take_digest(ref.key, self.offset) or self._digest_of(self.offset)
            self._room_checked_at = self.offset
            self._need_room()
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, data: bytes) -> None:
        """Adds a piece."""
        self._need_wanted()
        if self.offset + len(data) > self._ref.size:
            self.abort()
            raise WrongContent("more came than was announced", about="size")
        if self.offset - self._room_checked_at >= CHECK_ROOM_BYTES:
            self._need_room()
        view = memoryview(data)
        try:
            with translated():
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except NoRoom:
            self.abort()
            raise
        self._digest.update(data)
        self.offset += len(data)

    def commit(self, place: Callable[[Path], None] | None = None) -> None:
        """Puts it into its place, or hands it to whoever puts it into another one."""
        self._need_wanted()
        if self.offset != self._ref.size:
            self.abort()
            raise WrongContent(f"{self.offset} of {self._ref.size} bytes have come", about="size")
        if self._digest.hexdigest() != self._ref.sha256:
            self.abort()
            raise WrongContent("the digest of what came is not the one that was announced", about="sha256")
        try:
            with translated():
                os.fsync(self._descriptor)
                if place is not None:
                    place(self._path)
                else:
                    self._folder.place(self._ref, self._path)
        except NoRoom:
            self.abort()
            # It may have got as far as there, and is nobody's.
            self._folder.drop_blob(self._folder.blob(self._ref.sha256))
            raise
        self._is_over = True

    def abort(self) -> None:
        """Forgets it."""
        self._is_over = True
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends writing; what has come stays for another time."""
        if not self._is_over:
            self._folder.keep_digest(self._ref.key, self.offset, self._digest)
        os.close(self._descriptor)

    def _begun(self, *, afresh: bool) -> int:
        size = os.fstat(self._descriptor).st_size
        if afresh or size > self._ref.size:
            os.ftruncate(self._descriptor, 0)
            size = 0
        return os.lseek(self._descriptor, size, os.SEEK_SET)

    def _digest_of(self, size: int) -> Any:  # noqa: ANN401
        digest, position = hashlib.sha256(), 0
        while position < size:
            piece = os.pread(self._descriptor, min(READ_BYTES, size - position), position)
            if not piece:
                raise OSError(errno.EIO, "the file became shorter")
            digest.update(piece)
            position += len(piece)
        return digest

    def _need_wanted(self) -> None:
        # Deleted, it would take room for as long as it is open, and be found nowhere.
        if not _is_at(self._descriptor, self._path):
            self._is_over = True
            raise Withdrawn("the file was deleted while it came")

    def _need_room(self) -> None:
        try:
            self._folder.need_room(self._ref.size - self.offset)
        except NoRoom:
            self.abort()
            raise
        self._room_checked_at = self.offset


def open_for_reading(path: Path, size: int) -> int | None:
    """The descriptor of a file of that size; None if it is not there."""
    with translated():
        try:
            descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return None
        if os.fstat(descriptor).st_size == size:
            return descriptor
        os.close(descriptor)
        return None


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """A piece of a file."""
    with translated():
        return os.pread(descriptor, length, offset)


def _locked(path: Path) -> int:
    while True:
        with translated():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held the lock before may have put the file into its place, and this is no longer it.
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise UploadBusy("this file is being brought already") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _is_file_of(path: Path, size: int) -> bool:
    """Whether a file of that size is there, itself and no link to somewhere else."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _unlinked(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """What the operating system refuses, in our words; its own would name a place."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoRoom("the disk of the server is full") from error
        what = "the folder of the model files cannot be used"
        logger.warning(what, extra={"reason": str(error)})
        raise StoreUnavailable(what) from error
