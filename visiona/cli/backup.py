"""`visiona backup FILE`: everything that is kept, in one file, while the server serves."""

import argparse
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from visiona.cli.copying import STATE_FILES, model_folder, named, note_redis, refuse_memory, run_copy
from visiona.cli.copying_pipes import PIPE, standard_output
from visiona.cli.copying_shown import contents_of, contents_shown
from visiona.cli.output import CommandError, Exit, moment, print_facts, print_json, print_note
from visiona.config import Settings, from_process
from visiona.services.clock import now
from visiona.stores.copying.backup import back_up
from visiona.stores.copying.file_list import FilesState
from visiona.stores.copying.manifest import Manifest
from visiona.stores.files.content import ContentFolder
from visiona.stores.files.opening import folder_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="to write; in a folder it gets a name by itself; - is standard output",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if there is one")
    parser.add_argument("--without-files", action="store_true", help="leave out the files of models")
    parser.set_defaults(run=backup)


def backup(arguments: argparse.Namespace) -> int:
    """Writes the file."""
    settings = from_process(arguments.config, arguments.set).settings
    refuse_memory(settings)
    created_at = now()
    path: Path = arguments.file
    if path == PIPE:
        with standard_output() as stream:
            written = _written(settings, arguments, stream, created_at)
        files = contents_shown(written)["model files"]
        print_note(f"{written.rows} rows, model files: {files}; `visiona restore --check` reads what arrived")
    else:
        if path.is_dir():
            path /= f"visiona-{created_at:%Y%m%dT%H%M%SZ}.zip"
        written = _written(settings, arguments, path, created_at)
        _show(written, path, arguments)
    _refuse_gaps(written)
    return Exit.OK


def _written(
    settings: Settings, arguments: argparse.Namespace, place: Path | BinaryIO, created_at: datetime
) -> Manifest:
    write = partial(
        back_up,
        settings.stores,
        place,
        state_names=STATE_FILES,
        program=version("visiona"),
        created_at=created_at,
        overwrites=arguments.overwrite,
        files=_files(settings, is_without=arguments.without_files),
    )
    written = run_copy("backup", write)
    note_redis(settings)
    _note_left_out(settings, written)
    if settings.session.key is not None:
        print_note("session.key is in the configuration, which is not part of this")
    return written


def _show(written: Manifest, path: Path, arguments: argparse.Namespace) -> None:
    shown = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "created_at": moment(written.created_at),
        "engine": written.engine,
        "rows": written.rows,
    }
    if arguments.json:
        print_json({**shown, **contents_of(written)})
    else:
        print_facts({**shown, **contents_shown(written)})


def _files(settings: Settings, *, is_without: bool) -> ContentFolder | FilesState:
    folder = model_folder(settings)
    if folder is None:
        return FilesState.IN_OBJECT_STORE
    return FilesState.LEFT_OUT if is_without else folder


def _note_left_out(settings: Settings, written: Manifest) -> None:
    state = None if written.files is None else written.files.state
    if state is FilesState.IN_OBJECT_STORE:
        print_note("model files are in the object store, so they are not part of this")
    elif state is FilesState.LEFT_OUT:
        folder = folder_of(settings.storage, settings.state_dir)
        print_note(f"model files are left out; they are in {folder}, to be kept in another way")


def _refuse_gaps(written: Manifest) -> None:
    """The file is good for what is in it; whoever throws older ones away for it has to know."""
    if written.files is not None and written.files.missing_count:
        models = named(written.files.missing, written.files.missing_count)
        raise CommandError(
            f"the backup was written, without files that are missing or damaged here, of {models}; an older backup"
            " may have them; else upload them again, or delete the models",
            code="FILES_MISSING",
        )
