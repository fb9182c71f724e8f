"""Writing a backup: whole or not at all, and for its owner alone."""

import hashlib
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from visiona.stores.copying import manifest
from visiona.stores.copying.archive_reader import open_archive
from visiona.stores.copying.ends import Progress, Source
from visiona.stores.copying.errors import CopyRefused, no_room
from visiona.stores.copying.file_list import FilesEntry, FilesState, without_files
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
    with _draft(path) as draft:
        if isinstance(files, HeldFiles):
            files.hold(source)
            _need_room(path, files.bytes)
        size = files.bytes if isinstance(files, HeldFiles) else 0
        progress.begin(2 * row_count(source), 2 * size)
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            entries = [_write_table(archive, source, table, progress) for table in source_tables(source)]
            for name, content in state_files.items():
                archive.writestr(f"state/{name}", content)
            checksums = {name: hashlib.sha256(content).hexdigest() for name, content in state_files.items()}
            schema, engine = tuple(source.applied), source.engine
            # The files may take hours, and they are held without it.
            source.release()
            held = _write_files(archive, files, progress)
            written = Manifest(program, engine, created_at, schema, tuple(entries), checksums, held)
            archive.writestr(manifest.NAME, manifest.to_json(written))
        _read_again(draft, progress)
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


def _write_files(archive: zipfile.ZipFile, files: HeldFiles | FilesState, progress: Progress) -> FilesEntry:
    if isinstance(files, HeldFiles):
        return files.write(archive, progress)
    return without_files(files)


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


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A private file beside it, which takes its name when this ends well and goes when it does not."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            yield draft
            _sync(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        if error.filename not in {None, str(draft)}:
            raise
        # A person knows the file, not its draft.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
