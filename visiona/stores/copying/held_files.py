"""The model files of one picture of the rows, held while they are copied.

Each content is held by a hard link of our own. A server that goes on deletes a model's row first and its file after
that, so a file that is gone belongs to a row that is gone too, and a newer picture wants neither. What two pictures
one after the other lack is missing indeed.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from visiona.stores.copying.ends import Progress, Source
from visiona.stores.copying.file_list import (
    LIST,
    MISSING_NAMED,
    FilesEntry,
    FilesState,
    Missing,
    member_of,
    to_list,
)
from visiona.stores.copying.rows import Digest
from visiona.stores.copying.wanted_files import WantedFile, is_file_of, wanted_files
from visiona.stores.files.aside import open_aside
from visiona.stores.files.content import READ_BYTES, ContentFolder
from visiona.stores.files.interfaces import FileRef

PICTURES = 20
"""So often a newer one is taken: whenever somebody deleted a model in the milliseconds between rows and links."""


class HeldFiles:
    """Made by `holding_files`. Its methods block."""

    def __init__(self, folder: ContentFolder, aside: Path | None) -> None:
        self._folder, self._aside = folder, aside
        self._wanted: list[WantedFile] = []
        self._sizes: dict[str, int] = {}
        self._damaged: set[str] = set()

    @property
    def bytes(self) -> int:
        """Of all contents that the picture needs."""
        return sum(self._contents().values())

    def hold(self, source: Source) -> None:
        """Holds what the picture's models refer to; where some of it is gone, the picture becomes a newer one."""
        lacking = None
        for _ in range(PICTURES):
            self._wanted = list(wanted_files(source))
            before, lacking = lacking, [want for want in self._wanted if not self._is_held_now(want)]
            if lacking in ([], before):
                return
            source.renew()
        self._wanted = list(wanted_files(source))

    def write(self, archive: ZipFile, progress: Progress) -> FilesEntry:
        """Copies all of it, and the list of what came out whole."""
        for sha256, size in sorted(self._contents().items()):
            if not self._write_content(archive, sha256, size, progress):
                self._damaged.add(sha256)
        good = {want.ref for want in self._wanted if want.ref is not None and self._is_good(want.ref)}
        lines = to_list(sorted(good, key=lambda ref: (ref.sha256, ref.key)))
        archive.writestr(LIST, lines)
        missing = [self._why(want) for want in self._wanted if want.ref not in good]
        contents = self._contents()
        return FilesEntry(
            FilesState.INCLUDED,
            len(contents),
            sum(contents.values()),
            Digest(len(good), hashlib.sha256(lines).hexdigest()),
            len(missing),
            tuple(missing[:MISSING_NAMED]),
        )

    def _contents(self) -> dict[str, int]:
        refs = [want.ref for want in self._wanted if want.ref is not None]
        return {ref.sha256: ref.size for ref in refs if self._is_good(ref)}

    def _is_good(self, ref: FileRef) -> bool:
        return self._sizes.get(ref.sha256) == ref.size and ref.sha256 not in self._damaged

    def _why(self, want: WantedFile) -> Missing:
        is_damaged = want.ref is not None and want.ref.sha256 in self._damaged
        return Missing(want.model, want.name, "damaged" if is_damaged else "missing")

    def _is_held_now(self, want: WantedFile) -> bool:
        ref = want.ref
        if ref is None or self._aside is None:
            return False
        for place in (self._folder.object(ref), self._folder.blob(ref.sha256)):
            if ref.sha256 in self._sizes:
                break
            with contextlib.suppress(FileNotFoundError):
                if is_file_of(place, ref.size):
                    os.link(place, self._aside / ref.sha256, follow_symlinks=False)
                    self._sizes[ref.sha256] = ref.size
        return self._is_good(ref)

    def _write_content(self, archive: ZipFile, sha256: str, size: int, progress: Progress) -> bool:
        """Whether it was what it is called; where it was not, it is in no list."""
        assert self._aside is not None
        digest, count = hashlib.sha256(), 0
        with (
            (self._aside / sha256).open("rb", buffering=0) as file,
            archive.open(ZipInfo(member_of(sha256)), "w", force_zip64=True) as member,
        ):
            while piece := _read(file.fileno()):
                member.write(piece)
                digest.update(piece)
                count += len(piece)
                progress.pass_bytes(len(piece))
        return count == size and digest.hexdigest() == sha256


@contextlib.contextmanager
def holding_files(folder: ContentFolder) -> Iterator[HeldFiles]:
    """Whatever is held is let go at the end; OSError where nothing can be held."""
    if folder.root.is_dir():
        with open_aside(folder.root) as aside:
            yield HeldFiles(folder, aside)
    else:
        yield HeldFiles(folder, None)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, READ_BYTES)
    except OSError as error:
        if error.errno == errno.EIO:
            # The disk lost it. One model less is no reason to keep nothing.
            return b""
        raise
