"""A backup of everything that is kept, and putting one back."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from visiona.stores.copying.archive_reader import Archive, open_archive
from visiona.stores.copying.archive_writer import write_archive
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.in_threads import run_cancellable
from visiona.stores.copying.loading import digest_of, load, refuse_unless_vacant, source_tables
from visiona.stores.copying.manifest import Manifest
from visiona.stores.copying.opening import open_source, open_target
from visiona.stores.copying.state_files import putting, read_state_files
from visiona.stores.settings import StoreSettings


async def back_up(
    settings: StoreSettings,
    path: Path,
    progress: Progress,
    *,
    state_names: Sequence[str],
    program: str,
    created_at: datetime,
    overwrites: bool = False,
) -> Manifest:
    """Writes one file with all that is in the database at one moment, and with files of the state directory.

    Servers go on meanwhile. Cancelled or failed, no file is there.

    Args:
        settings: of the stores, and where the state directory is.
        path: where to.
        progress: told of the rows.
        state_names: which files of the state directory.
        program: the version of this program.
        created_at: now.
        overwrites: whether a file of this name is replaced.

    Raises:
        CopyRefused, StoreError, OSError: no file was written.
    """
    async with open_source(settings) as source:

        def write(progress: Progress) -> Manifest:
            return write_archive(
                path,
                source,
                read_state_files(settings.state_dir, state_names),
                progress,
                program=program,
                created_at=created_at,
                overwrites=overwrites,
            )

        return await run_cancellable(write, progress)


async def restore(
    settings: StoreSettings, path: Path, progress: Progress, *, state_names: Sequence[str], replaces: bool
) -> Manifest:
    """Puts a backup into the database and the state directory: all of it, or nothing where this raises.

    Args:
        settings: of the stores, and where the state directory is; no server runs there.
        path: of the backup.
        progress: told of the rows.
        state_names: which files of the state directory may be replaced.
        replaces: whether what is there now may be lost; otherwise the database must be empty.

    Raises:
        CopyRefused, StoreError, OSError: nothing was changed.
    """
    with open_archive(path) as archive:
        async with open_target(settings) as target:

            def fill(progress: Progress) -> None:
                refuse_unless_vacant(target, replaces=replaces)
                files = archive.state_files()
                if not files.keys() <= set(state_names):
                    raise CopyRefused(
                        "the backup holds files that this visiona does not know; restore it with the version"
                        f" that wrote it ({archive.manifest.program})",
                        code="BACKUP_NEWER",
                    )
                progress.begin(3 * archive.manifest.rows)
                # Before anything is touched; the rows would tell, too, but less clearly what is wrong.
                _read_all(archive, progress)
                load(archive, target, progress)
                with putting(settings.state_dir, files):
                    target.commit()

            await run_cancellable(fill, progress)
        return archive.manifest


async def check(path: Path, progress: Progress) -> Manifest:
    """Reads a whole backup and compares it with what it promises; CopyRefused, OSError where it cannot be used."""
    with open_archive(path) as archive:

        def read(progress: Progress) -> None:
            archive.state_files()
            progress.begin(archive.manifest.rows)
            _read_all(archive, progress)

        await run_cancellable(read, progress)
        return archive.manifest


def _read_all(archive: Archive, progress: Progress) -> None:
    for table in source_tables(archive):
        digest_of(archive, table, progress)
