"""A backup of everything that is kept, and putting one back."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import trio

from visiona.stores.copying.archive_reader import Archive, open_archive
from visiona.stores.copying.archive_writer import stream_archive, write_archive
from visiona.stores.copying.brought_files import BroughtFiles, bringing_files
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CopyRefused, damaged
from visiona.stores.copying.file_list import FilesState
from visiona.stores.copying.held_files import holding_files
from visiona.stores.copying.in_threads import run_cancellable
from visiona.stores.copying.loading import digest_of, load, refuse_unless_vacant, source_tables
from visiona.stores.copying.manifest import Manifest
from visiona.stores.copying.opening import open_source, open_target
from visiona.stores.copying.settling import settle_restore
from visiona.stores.copying.state_files import read_state_files, staging
from visiona.stores.copying.stored_files import StoredFiles, storing_files
from visiona.stores.copying.wanted_files import FilesHere, files_here, folder_has, wanted_files
from visiona.stores.files.content import ContentFolder
from visiona.stores.files.interfaces import FileRef, FileStore
from visiona.stores.settings import StoreSettings


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored.

    Attributes:
        files: of models, as they are now where the server looks for them; None where nobody looked.
    """

    manifest: Manifest
    files: FilesHere | None


async def back_up(
    settings: StoreSettings,
    path: Path | BinaryIO,
    progress: Progress,
    *,
    state_names: Sequence[str],
    program: str,
    created_at: datetime,
    overwrites: bool = False,
    files: ContentFolder | FilesState = FilesState.LEFT_OUT,
) -> Manifest:
    """Writes one file with all that is in the database at one moment, with the files of the models that are there then,
    and with files of the state directory.

    Servers go on meanwhile. Cancelled or failed, no file is there.

    Args:
        settings: of the stores, and where the state directory is.
        path: where to; a stream is not read again, and where this fails it has no end.
        progress: told of the rows and bytes.
        state_names: which files of the state directory.
        program: the version of this program.
        created_at: now.
        overwrites: whether a file of this name is replaced.
        files: where those of models are, or why they are not to be in it. One that is not there or damaged is left out,
            and the manifest says so.

    Raises:
        CopyRefused, StoreError, OSError: no file was written.
    """
    await settle_restore(settings)
    async with open_source(settings) as source:

        def write(progress: Progress) -> Manifest:
            with holding_files(files) if isinstance(files, ContentFolder) else nullcontext(files) as held:
                state_files = read_state_files(settings.state_dir, state_names)
                if isinstance(path, Path):
                    put = partial(write_archive, path, overwrites=overwrites)
                else:
                    put = partial(stream_archive, path)
                return put(source, state_files, held, progress, program=program, created_at=created_at)

        return await run_cancellable(write, progress)


async def restore(
    settings: StoreSettings,
    path: Path | BinaryIO,
    progress: Progress,
    *,
    state_names: Sequence[str],
    replaces: bool,
    files: ContentFolder | FileStore | None = None,
) -> Restored:
    """Puts a backup into the database, the store of files and the state directory: all, or nothing where this raises.

    Args:
        settings: of the stores, and where the state directory is; no server runs there.
        path: of the backup.
        progress: told of the rows and bytes.
        state_names: which files of the state directory may be replaced.
        replaces: whether what is there now may be lost; otherwise the database must be empty.
        files: where those of models go; None: nowhere.

    Raises:
        CopyRefused, StoreError, OSError: nothing was changed.
    """
    with open_archive(path) as archive:
        await settle_restore(settings)
        async with open_target(settings) as target:

            def fill(progress: Progress) -> Restored:
                refuse_unless_vacant(target, replaces=replaces)
                state_files = _state_files(archive, state_names)
                with _bringing(archive, files) as brought:
                    size = 0 if brought is None else brought.bytes_to_read
                    progress.begin(3 * archive.manifest.rows, size)
                    # Before anything is touched; the rows would tell, too, but less clearly what is wrong.
                    _read_rows(archive, progress)
                    if brought is not None:
                        brought.fetch(archive, progress)
                    load(archive, target, progress)
                    with staging(settings.state_dir, state_files) as mark:
                        target.set_mark(mark)
                        with nullcontext() if brought is None else brought.in_place():
                            here = None if files is None else files_here(archive, _lookup(files))
                            target.commit()
                return Restored(archive.manifest, here)

            return await run_cancellable(fill, progress)


async def check(path: Path | BinaryIO, progress: Progress) -> Manifest:
    """Reads a whole backup and compares it with what it promises; CopyRefused, OSError where it cannot be used."""
    with open_archive(path) as archive:

        def read(progress: Progress) -> None:
            archive.state_files()
            _see_that_files_are_listed(archive)
            files = archive.manifest.files
            progress.begin(archive.manifest.rows, 0 if files is None else files.bytes)
            _read_rows(archive, progress)
            archive.check_files(progress)

        await run_cancellable(read, progress)
        return archive.manifest


def _state_files(archive: Archive, names: Sequence[str]) -> dict[str, bytes]:
    found = archive.state_files()
    if not found.keys() <= set(names):
        raise CopyRefused(
            "the backup holds files that this visiona does not know; restore it with the version"
            f" that wrote it ({archive.manifest.program})",
            code="BACKUP_NEWER",
        )
    return dict(found)


def _bringing(
    archive: Archive, files: ContentFolder | FileStore | None
) -> AbstractContextManager[BroughtFiles | StoredFiles | None]:
    _see_that_files_are_listed(archive)
    refs = archive.files()
    if files is None or not refs:
        return nullcontext()
    return bringing_files(files, refs) if isinstance(files, ContentFolder) else storing_files(files, refs)


def _lookup(files: ContentFolder | FileStore) -> Callable[[FileRef], bool]:
    if isinstance(files, ContentFolder):
        return partial(folder_has, files)
    return lambda ref: trio.from_thread.run(files.has, ref)


def _see_that_files_are_listed(archive: Archive) -> None:
    """A model of which nobody said that its file is missing has one in the backup."""
    entry = archive.manifest.files
    if entry is None or entry.state is not FilesState.INCLUDED:
        return
    listed = set(archive.files())
    if sum(wanted.ref not in listed for wanted in wanted_files(archive)) != entry.missing_count:
        raise damaged("its list of files is not that of its models")


def _read_rows(archive: Archive, progress: Progress) -> None:
    for table in source_tables(archive):
        digest_of(archive, table, progress)
