"""`visiona restore FILE`: puts a backup back, into either engine."""

import argparse
import stat
from functools import partial
from pathlib import Path
from typing import BinaryIO

from visiona.cli.confirming import confirm
from visiona.cli.copying import STATE_FILES, model_folder, named, note_redis, refuse_memory, run_copy
from visiona.cli.copying_pipes import backup_to_read
from visiona.cli.copying_shown import contents_of, contents_shown
from visiona.cli.output import CommandError, Exit, moment, print_facts, print_json, print_note
from visiona.config import Settings, from_process
from visiona.stores.copying.backup import Restored, check, restore
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.file_list import FilesState
from visiona.stores.copying.manifest import Manifest
from visiona.stores.files.opening import folder_of, open_files

CONFIRMATION = "replace"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="written by `visiona backup`; - is standard input"
    )
    parser.add_argument(
        "--check", action="store_true", help="read it and say whether it is good; change nothing"
    )
    parser.add_argument("--replace", action="store_true", help="lose what the database holds now")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restores, or only checks."""
    if arguments.check:
        with backup_to_read(arguments.file) as file:
            checked = run_copy("check", partial(check, file))
        _warn_of_readers(arguments.file)
        _show(checked, arguments, "good")
        return Exit.OK
    settings = from_process(arguments.config, arguments.set).settings
    refuse_memory(settings)
    if arguments.replace and not arguments.yes:
        confirm("everything that the database holds now will be lost", CONFIRMATION)
    try:
        with backup_to_read(arguments.file) as file:
            restored = run_copy("restore", partial(_put, settings, file, replaces=arguments.replace))
    except CommandError as error:
        if error.code == "NOT_EMPTY":
            error.message += "; to lose what it holds: --replace"
        raise
    _warn_of_readers(arguments.file)
    note_redis(settings)
    _note_absent(settings, restored)
    print_note(
        "what was revoked or signed out since the backup is good again: revoke it again, then start the server"
    )
    _show(restored.manifest, arguments, "restored")
    return Exit.OK


def _warn_of_readers(path: Path) -> None:
    if path.is_file() and path.stat().st_mode & stat.S_IROTH:
        print_note(
            f"warning: {path} can be read by everybody, and it holds the server's keys: chmod go= {path}"
        )


async def _put(settings: Settings, file: Path | BinaryIO, progress: Progress, *, replaces: bool) -> Restored:
    put = partial(restore, settings.stores, file, progress, state_names=STATE_FILES, replaces=replaces)
    folder = model_folder(settings)
    if folder is not None:
        return await put(files=folder)
    async with open_files(settings.storage, settings.state_dir) as store:
        return await put(files=store)


def _note_absent(settings: Settings, restored: Restored) -> None:
    if restored.files is None or not restored.files.absent:
        return
    absent, entry = restored.files.absent, restored.manifest.files
    folder = folder_of(settings.storage, settings.state_dir)
    where = f"in {folder}" if settings.storage.url is None else "in the object store"
    why = _WHY[None if entry is None else entry.state]
    print_note(f"warning: there is no file {where} of {named(absent, len(absent))}; {why}")


_COPY = "copy them there from where they were, or upload them again"
_WHY = {
    None: f"backups of that version have no model files: {_COPY}",
    FilesState.LEFT_OUT: f"the backup was made without them: {_COPY}",
    FilesState.IN_OBJECT_STORE: "they were in an object store when the backup was made: copy its objects/ there",
    FilesState.INCLUDED: "they were missing when the backup was made: upload them again, or delete the models",
}


def _show(manifest: Manifest, arguments: argparse.Namespace, what: str) -> None:
    shown = {
        "file": str(arguments.file),
        "state": what,
        "written_by": manifest.program,
        "created_at": moment(manifest.created_at),
        "engine": manifest.engine,
        "rows": manifest.rows,
    }
    if arguments.json:
        print_json({**shown, **contents_of(manifest)})
    else:
        print_facts({**shown, **contents_shown(manifest)})
