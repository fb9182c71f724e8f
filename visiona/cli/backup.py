"""`visiona backup FILE`: everything that is kept, in one file, while the server serves."""

import argparse
from functools import partial
from importlib.metadata import version
from pathlib import Path

from visiona.cli.copying import STATE_FILES, note_model_files, note_redis, refuse_memory, run_copy
from visiona.cli.output import Exit, moment, print_facts, print_json, print_note
from visiona.config import from_process
from visiona.services.clock import now
from visiona.stores.copying.backup import back_up


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="to write; in a folder it gets a name by itself"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if there is one")
    parser.set_defaults(run=backup)


def backup(arguments: argparse.Namespace) -> int:
    """Writes the file."""
    settings = from_process(arguments.config, arguments.set).settings
    refuse_memory(settings)
    created_at = now()
    path: Path = arguments.file
    if path.is_dir():
        path /= f"visiona-{created_at:%Y%m%dT%H%M%SZ}.zip"
    write = partial(
        back_up,
        settings.stores,
        path,
        state_names=STATE_FILES,
        program=version("visiona"),
        created_at=created_at,
        overwrites=arguments.overwrite,
    )
    written = run_copy("backup", write)
    note_redis(settings)
    note_model_files(settings)
    if settings.session.key is not None:
        print_note("session.key is in the configuration, which is not part of this")
    shown = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "created_at": moment(written.created_at),
        "engine": written.engine,
        "rows": written.rows,
    }
    tables = {table.name: table.digest.rows for table in written.tables}
    if arguments.json:
        print_json({**shown, "tables": tables, "state_files": sorted(written.state_files)})
    else:
        print_facts({**shown, "files": ", ".join(sorted(written.state_files))})
    return Exit.OK
