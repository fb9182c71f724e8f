"""`visiona migrate to-postgres URL`: from the SQLite file into an empty PostgreSQL database."""

import argparse
import stat
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from visiona.cli.copying import model_folder, named, note_redis, refuse_memory, run_copy
from visiona.cli.output import CommandError, Exit, print_facts, print_json, print_note
from visiona.config import Settings, from_process
from visiona.stores.copying.errors import in_units
from visiona.stores.copying.moving import Moved, move_to_postgres
from visiona.stores.files.opening import folder_of
from visiona.stores.postgres_address import NoAddress, PostgresAddress, parsed


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="postgresql://user@host/database, of an empty database"
    )
    parser.add_argument(
        "--url-file", type=Path, metavar="FILE", help="a file with the URL, when it holds a password"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Copies, compares, and says what to write into the configuration."""
    settings = from_process(arguments.config, arguments.set).settings
    refuse_memory(settings)
    if settings.stores.is_postgres:
        raise CommandError(
            "database.url names PostgreSQL already; leave it as it was for SQLite until the move is done",
            code="NO_DATABASE",
        )
    address = _address(arguments)
    move = partial(move_to_postgres, settings.stores, address, folder=model_folder(settings))
    moved = run_copy("move", move)
    note_redis(settings)
    _note_absent(moved)
    tables = {name: digest.rows for name, digest in moved.digests.items()}
    shown = {"database": str(address), "rows": sum(tables.values())}
    if arguments.json:
        here = moved.files and {"files": moved.files.count, "absent": len(moved.files.absent)}
        print_json({**shown, "tables": tables, "model_files": here})
    else:
        print_facts({**shown, "checksums": "the same", "model files": _files_stay(settings, moved)})
        print(_NEXT.format(address=address, file=settings.stores.database_file))
    return Exit.OK


def _files_stay(settings: Settings, moved: Moved) -> str:
    if moved.files is None:
        return "stay in the object store"
    folder = folder_of(settings.storage, settings.state_dir)
    return f"{moved.files.count} ({in_units(moved.files.bytes)}), stay in {folder}"


def _note_absent(moved: Moved) -> None:
    if moved.files is not None and moved.files.absent:
        absent = moved.files.absent
        print_note(
            f"warning: there is no file of {named(absent, len(absent))}; nor was there before the move"
        )


_NEXT = """
Next, in the configuration:

    [database]
    url = "{address}"     # with user and password; or VISIONA_DATABASE_URL_FILE

then start the server. {file} is as it was and no longer used; keep it until you are content.
The other files of the state directory stay in use, model files among them."""


def _address(arguments: argparse.Namespace) -> PostgresAddress:
    path: Path | None = arguments.url_file
    if (arguments.url is None) == (path is None):
        raise CommandError(
            "name the database, either as URL or by --url-file", code="USAGE", exit_code=Exit.USAGE
        )
    if path is None:
        url = arguments.url
    else:
        if path.stat().st_mode & stat.S_IROTH:
            print_note(f"warning: {path} can be read by everybody: chmod o-r {path}")
        url = path.read_text(encoding="utf-8", errors="replace").strip()
    try:
        address = parsed(url)
    except NoAddress as error:
        raise CommandError(str(error), code="USAGE", exit_code=Exit.USAGE) from error
    if path is None and _has_password(url):
        print_note(
            "warning: other users of this machine can read what a command was started with;"
            " --url-file keeps the password to yourself"
        )
    return address


def _has_password(url: str) -> bool:
    parts = urlsplit(url)
    return ":" in parts.netloc.rpartition("@")[0] or "password=" in parts.query
