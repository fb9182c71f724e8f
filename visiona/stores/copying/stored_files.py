"""The model files of a backup on their way into a store that is no folder of ours, by its own door.

Where they come from and when they go again is as in brought_files.py, but that a file is in its place at once: while no
row names it that is the same as not being there.
"""

import contextlib
from collections.abc import Iterator, Sequence

import trio

from visiona.stores.copying.archive_reader import Archive
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CommitUncertain
from visiona.stores.copying.file_list import contents_of
from visiona.stores.files.interfaces import FileRef, FileStore


class StoredFiles:
    """Called from a worker thread; see brought_files.BroughtFiles."""

    def __init__(self, store: FileStore, refs: Sequence[FileRef]) -> None:
        self._store, self._refs = store, refs
        self._absent = [ref for ref in refs if not trio.from_thread.run(store.has, ref)]
        self._placed: list[FileRef] = []

    @property
    def bytes_to_read(self) -> int:
        """All once, to see that they are whole; and those that are brought again."""
        return sum(ref.size for ref in (*contents_of(self._refs), *self._absent))

    def fetch(self, archive: Archive, progress: Progress) -> None:
        """Reads all of the backup's files, and puts those into the store that are not there.

        Raises:
            CopyRefused: the backup is damaged.
            StoreError: the store does not take them.
        """
        archive.check_files(progress)
        for ref in self._absent:
            with contextlib.closing(archive.pieces(ref)) as pieces:
                trio.from_thread.run(self._put, ref, pieces, progress)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """They are; once the rows are committed, or may be, they stay."""
        try:
            yield
        except CommitUncertain:
            self._placed.clear()
            raise
        self._placed.clear()

    async def take_back(self) -> None:
        """Removes what was put there."""
        with trio.CancelScope(shield=True):
            for ref in self._placed:
                await self._store.delete(ref)

    async def _put(self, ref: FileRef, pieces: Iterator[bytes], progress: Progress) -> None:
        self._placed.append(ref)
        async with self._store.open_upload(ref, afresh=True) as upload:
            while (piece := await trio.to_thread.run_sync(next, pieces, None)) is not None:
                await upload.write(piece)
                await trio.to_thread.run_sync(progress.pass_bytes, len(piece))
            await upload.commit()


@contextlib.contextmanager
def storing_files(store: FileStore, refs: Sequence[FileRef]) -> Iterator[StoredFiles]:
    """What was put there goes again if this ends with an error."""
    brought = StoredFiles(store, refs)
    try:
        yield brought
    except BaseException:
        trio.from_thread.run(brought.take_back)
        raise
