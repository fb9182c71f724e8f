"""Writing a backup: whole or not at all, and for its owner alone."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from visiona.stores.copying import manifest
from visiona.stores.copying.archive_reader import open_archive
from visiona.stores.copying.drafts import drafted
from visiona.stores.copying.ends import Progress, Source
from visiona.stores.copying.errors import CopyRefused, no_room
from visiona.stores.copying.file_list import FilesState, without_files
from visiona.stores.copying.held_files import HeldFiles
from visiona.stores.copying.loading import digest_of, row_count, source_tables
from visiona.stores.copying.manifest import Manifest, TableEntry
from visiona.stores.copying.rows import Digesting, to_lines
from visiona.stores.copying.tables import Table


def write_archive(
    path: Path,
    source: Source,
    state_files: Mapping[str, bytes],
    files: HeldFiles | FilesState,
    progress: Progress,
    *,
    program: str,
    created_at: datetime,
    overwrites: bool,
) -> Manifest:
    """Writes a backup, reads it again, and only then gives it its name.

    Args:
        path: where to.
        source: what to keep.
        state_files: what else to keep: names and contents.
        files: those of the models, or why there are none in it.
        progress: told of each row and byte twice: when it was written and when it was read again.
        program: the version of this program.
        created_at: now.
        overwrites: whether a file of this name may be there, and is replaced.

    Raises:
        CopyRefused: there is a file of this name, or no room, or what was read again is not what was written.
        OSError: it cannot be written there.
    """
    _refuse_what_is_there(path, overwrites=overwrites)
    with drafted(path) as draft:
        size = _hold(files, source)
        _need_room(path, size)
        progress.begin(2 * row_count(source), 2 * size)
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            written = _write(archive, source, state_files, files, progress, program, created_at)
        _read_again(draft, progress)
    return written


def stream_archive(
    stream: BinaryIO,
    source: Source,
    state_files: Mapping[str, bytes],
    files: HeldFiles | FilesState,
    progress: Progress,
    *,
    program: str,
    created_at: datetime,
) -> Manifest:
    """As `write_archive`, to somebody who takes it down; what arrives there nobody reads again.

    Raises:
        OSError: it is not taken; what was has no end, and is refused by whoever reads it.
    """
    progress.begin(row_count(source), _hold(files, source))
    with zipfile.ZipFile(_OneWay(stream), "w", zipfile.ZIP_DEFLATED) as archive:
        written = _write(archive, source, state_files, files, progress, program, created_at)
    stream.flush()
    return written


class _OneWay:
    """All that a pipe can do, also where it is a file by chance: others may have written to it before."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> int:
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """It is the caller's."""


def _hold(files: HeldFiles | FilesState, source: Source) -> int:
    """How many bytes there will be."""
    if not isinstance(files, HeldFiles):
        return 0
    files.hold(source)
    return files.bytes


def _write(
    archive: zipfile.ZipFile,
    source: Source,
    state_files: Mapping[str, bytes],
    files: HeldFiles | FilesState,
    progress: Progress,
    program: str,
    created_at: datetime,
) -> Manifest:
    entries = [_write_table(archive, source, table, progress) for table in source_tables(source)]
    for name, content in state_files.items():
        archive.writestr(f"state/{name}", content)
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in state_files.items()}
    schema, engine = tuple(source.applied), source.engine
    # The files may take hours, and they are held without it.
    source.release()
    held = files.write(archive, progress) if isinstance(files, HeldFiles) else without_files(files)
    written = Manifest(program, engine, created_at, schema, tuple(entries), checksums, held)
    archive.writestr(manifest.NAME, manifest.to_json(written))
    return written


def _refuse_what_is_there(path: Path, *, overwrites: bool) -> None:
    if not os.path.lexists(path):
        return
    if not stat.S_ISREG(path.lstat().st_mode):
        # Root would put a file in the place of a device, or of a link, whose file would stay the old one.
        raise CopyRefused(f"{path} is no plain file; name the file itself", code="EXISTS")
    if not overwrites:
        raise CopyRefused(f"{path} exists; choose another name, or --overwrite it", code="EXISTS")


def _need_room(path: Path, size: int) -> None:
    disk = os.statvfs(path.parent)
    free = disk.f_bavail * disk.f_frsize
    if free < size:
        raise no_room(str(path.parent), size, free, "; --without-files leaves them out")


def _read_again(draft: Path, progress: Progress) -> None:
    try:
        with open_archive(draft) as again:
            for table in source_tables(again):
                digest_of(again, table, progress)
            again.check_files(progress)
    except CopyRefused as error:
        raise CopyRefused(
            "what was written cannot be read again as it was; look after the disk, and try another one",
            code="NOT_THE_SAME",
        ) from error


def _write_table(archive: zipfile.ZipFile, source: Source, table: Table, progress: Progress) -> TableEntry:
    digesting = Digesting()
    with archive.open(f"tables/{table.name}.ndjson", "w", force_zip64=True) as member:
        for rows in source.batches(table):
            lines = to_lines(rows)
            member.write(lines)
            digesting.add(lines, len(rows))
            progress.step(len(rows))
    return TableEntry(table.name, table.column_names, digesting.so_far())
