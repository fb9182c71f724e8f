"""A program that is killed (SIGKILL) while it copies: `python -m tests.stores.copying.dying WHAT MOMENT FOLDER [URL]
[--replace]`.

WHAT is `restore` (FOLDER/file.zip to FOLDER/new, or to the URL) or `move` (FOLDER/old to the URL). MOMENT is the number
of a step of its progress, or `keys`, `commit` or `committed`: when the state files are in place, just before the
database commits, and just after.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
from visiona.stores.copying import backup, state_files
from visiona.stores.copying.backup import restore
from visiona.stores.copying.moving import move_to_postgres
from visiona.stores.copying.postgres_end import PostgresEnd
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.postgres_address import parsed
from visiona.stores.settings import StoreSettings

from tests.stores.copying.watching import Watching

MOMENTS = ("keys", "commit", "committed")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_around_commit(end: Any, *, after: bool) -> None:
    plain: Callable[[Any], None] = end.commit

    def commit(self: Any) -> None:
        if after:
            plain(self)
        die()

    end.commit = commit


def die_with_the_first_key() -> None:
    plain = state_files._write

    def write(path: Path, content: bytes) -> None:
        plain(path, content)
        die()

    state_files._write = write


def main() -> None:
    what, moment, place, *url = (word for word in sys.argv[1:] if word != "--replace")
    folder = Path(place)
    if moment == "keys":
        die_with_the_first_key()
    elif moment in MOMENTS:
        for end in (SqliteEnd, PostgresEnd):
            die_around_commit(end, after=moment == "committed")
    progress = Watching(int(moment), die) if moment.isdigit() else Watching()
    assert backup.putting is state_files.putting
    if what == "move":
        trio.run(move_to_postgres, StoreSettings(None, folder / "old"), parsed(url[0]), progress)
        return

    async def run() -> None:
        settings = StoreSettings(url[0] if url else None, folder / "new")
        names = ("session.key", "idp-keys.json")
        await restore(
            settings, folder / "file.zip", progress, state_names=names, replaces="--replace" in sys.argv
        )

    trio.run(run)


if __name__ == "__main__":
    main()
