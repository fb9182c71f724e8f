"""`visiona restore FILE`: puts a backup back, into either engine."""

import argparse
from functools import partial
from pathlib import Path

from visiona.cli.confirming import confirm
from visiona.cli.copying import STATE_FILES, note_model_files, note_redis, refuse_memory, run_copy
from visiona.cli.output import CommandError, Exit, moment, print_facts, print_json, print_note
from visiona.config import from_process
from visiona.stores.copying.backup import check, restore
from visiona.stores.copying.manifest import Manifest

CONFIRMATION = "replace"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="written by `visiona backup`")
    parser.add_argument(
        "--check", action="store_true", help="read it and say whether it is good; change nothing"
    )
    parser.add_argument("--replace", action="store_true", help="lose what the database holds now")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restores, or only checks."""
    if arguments.check:
        _show(run_copy("check", partial(check, arguments.file)), arguments, "good")
        return Exit.OK
    settings = from_process(arguments.config, arguments.set).settings
    refuse_memory(settings)
    if arguments.replace and not arguments.yes:
        confirm("everything that the database holds now will be lost", CONFIRMATION)
    put = partial(
        restore, settings.stores, arguments.file, state_names=STATE_FILES, replaces=arguments.replace
    )
    try:
        restored = run_copy("restore", put)
    except CommandError as error:
        if error.code == "NOT_EMPTY":
            error.message += "; to lose what it holds: --replace"
        raise
    note_redis(settings)
    note_model_files(settings)
    print_note(
        "what was revoked or signed out since the backup is good again: revoke it again, then start the server"
    )
    _show(restored, arguments, "restored")
    return Exit.OK


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
        tables = {table.name: table.digest.rows for table in manifest.tables}
        print_json({**shown, "tables": tables, "state_files": sorted(manifest.state_files)})
    else:
        print_facts({**shown, "files": ", ".join(sorted(manifest.state_files))})
