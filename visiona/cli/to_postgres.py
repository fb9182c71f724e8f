"""`visiona migrate to-postgres URL`: from the SQLite file into an empty PostgreSQL database."""

import argparse
import stat
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from visiona.cli.copying import note_redis, refuse_memory, run_copy
from visiona.cli.output import CommandError, Exit, print_facts, print_json, print_note
from visiona.config import from_process
from visiona.stores.copying.moving import move_to_postgres
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
    digests = run_copy("move", partial(move_to_postgres, settings.stores, address))
    note_redis(settings)
    tables = {name: digest.rows for name, digest in digests.items()}
    if arguments.json:
        print_json({"database": str(address), "rows": sum(tables.values()), "tables": tables})
    else:
        print_facts({"database": str(address), "rows": sum(tables.values()), "checksums": "the same"})
        print(_NEXT.format(address=address, file=settings.stores.database_file))
    return Exit.OK


_NEXT = """
Next, in the configuration:

    [database]
    url = "{address}"     # with user and password; or VISIONA_DATABASE_URL_FILE

then start the server. {file} is as it was and no longer used; keep it until you are content.
The other files of the state directory stay in use."""


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
