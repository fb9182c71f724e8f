"""The model files of a backup on their way into the folder: first beside it, all of them, and into place at the end.

So a damaged backup, a full disk or Ctrl-C leave the folder as it was, and nothing names a file that is not there yet:
the rows are committed last. Killed between the two, there are files that no row names; the server's sweep takes them.
"""

import contextlib
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from visiona.stores.copying.archive_reader import Archive
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CommitUncertain, no_room
from visiona.stores.copying.file_list import contents_of
from visiona.stores.copying.wanted_files import is_file_of
from visiona.stores.files.aside import NAME, open_aside
from visiona.stores.files.content import READ_BYTES, ContentFolder
from visiona.stores.files.interfaces import FileRef
from visiona.stores.ownership import give_to_owner_of_folder


class BroughtFiles:
    """Made by `bringing_files`. Its methods block.

    Args:
        folder: where they are to be.
        aside: a folder of our own on the same file system.
        refs: which.
    """

    def __init__(self, folder: ContentFolder, aside: Path, refs: Sequence[FileRef]) -> None:
        self._folder, self._aside, self._refs = folder, aside, refs
        self._keys: dict[str, list[FileRef]] = defaultdict(list)
        for ref in refs:
            self._keys[ref.sha256].append(ref)

    @property
    def bytes_to_read(self) -> int:
        """Of the backup, and of what is here already and may be the same."""
        contents = contents_of(self._refs)
        return sum(ref.size * (2 if next(self._candidates(ref), None) else 1) for ref in contents)

    def fetch(self, archive: Archive, progress: Progress) -> None:
        """Reads all of the backup's files, and writes those that are not here yet beside the folder.

        Raises:
            CopyRefused: there is no room, or the backup is damaged.
            OSError: it cannot be written there.
        """
        contents = contents_of(self._refs)
        absent = {ref.sha256 for ref in contents if not self._is_here(ref, progress)}
        self._need_room(sum(ref.size for ref in contents if ref.sha256 in absent))
        for ref in contents:
            with contextlib.closing(archive.pieces(ref)) as pieces:
                if ref.sha256 in absent:
                    self._write(ref, pieces, progress)
                else:
                    for piece in pieces:
                        progress.pass_bytes(len(piece))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts them into their places; those that were not there go again if this ends with an error.

        Commit the rows within, and nothing else.
        """
        placed: list[Path] = []
        shelves: list[Path] = []
        try:
            for ref in contents_of(self._refs):
                blob = self._folder.blob(ref.sha256)
                if _make_folder(blob.parent):
                    shelves.append(blob.parent)
                self._put(self._aside / ref.sha256, blob, placed)
                for each in self._keys[ref.sha256]:
                    self._put(blob, self._folder.object(each), placed)
            _sync({self._folder.root / "objects", *(path.parent for path in placed)})
            _sync({self._folder.root / "blobs"})
            yield
        except CommitUncertain:
            raise
        except BaseException:
            for path in placed:
                path.unlink(missing_ok=True)
            _remove_if_empty(shelves)
            raise

    def _put(self, source: Path, target: Path, placed: list[Path]) -> None:
        """A link to the source in the place of whatever is there."""
        if _is_same(source, target):
            return
        if not os.path.lexists(target):
            placed.append(target)
        link = self._aside / "link"
        os.link(source, link, follow_symlinks=False)
        link.replace(target)

    def _candidates(self, ref: FileRef) -> Iterator[Path]:
        objects = (self._folder.object(each) for each in self._keys[ref.sha256])
        for path in (self._folder.blob(ref.sha256), *objects):
            if is_file_of(path, ref.size):
                yield path

    def _is_here(self, ref: FileRef, progress: Progress) -> bool:
        """Whether the folder has this content, and undamaged; then we have a link to it."""
        counts = True
        for path in self._candidates(ref):
            if _digest(path, progress, counts=counts) == ref.sha256:
                os.link(path, self._aside / ref.sha256, follow_symlinks=False)
                return True
            counts = False
        return False

    def _need_room(self, size: int) -> None:
        disk = os.statvfs(self._aside)
        free = max(0, disk.f_bavail * disk.f_frsize - self._folder.reserve_bytes)
        if free < size:
            advice = " besides storage.reserve_bytes; nothing was changed"
            raise no_room(str(self._folder.root), size, free, advice)

    def _write(self, ref: FileRef, pieces: Iterator[bytes], progress: Progress) -> None:
        path = self._aside / ref.sha256
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", buffering=0):
            give_to_owner_of_folder(path)
            for piece in pieces:
                self._write_piece(descriptor, piece)
                progress.pass_bytes(len(piece))
            os.fsync(descriptor)

    def _write_piece(self, descriptor: int, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            # A person knows the folder, not what we do in it.
            raise OSError(error.errno, error.strerror, str(self._folder.root)) from error


@contextlib.contextmanager
def bringing_files(folder: ContentFolder, refs: Sequence[FileRef]) -> Iterator[BroughtFiles]:
    """Makes the folder where there is none; it goes again if this ends with an error and nothing is in it."""
    made: list[Path] = []
    try:
        for path in (folder.root, *(folder.root / name for name in ("objects", "blobs", "incoming", NAME))):
            if _make_folder(path):
                made.insert(0, path)
        with open_aside(folder.root) as aside:
            yield BroughtFiles(folder, aside, refs)
    except BaseException:
        _remove_if_empty(made)
        raise


def _make_folder(path: Path) -> bool:
    """Whether it was not there."""
    if path.is_dir():
        return False
    path.mkdir(mode=0o700, parents=True)
    give_to_owner_of_folder(path)
    return True


def _remove_if_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _digest(path: Path, progress: Progress, *, counts: bool) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            progress.pass_bytes(len(piece) if counts else 0)
    return digest.hexdigest()


def _sync(folders: set[Path]) -> None:
    for folder in sorted(folders):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
