"""A program that is killed (SIGKILL) while it copies: `python -m tests.stores.copying.dying WHAT MOMENT FOLDER [URL]
[--replace]`.

WHAT is `restore` (FOLDER/file.zip to FOLDER/new, or to the URL), `backup` (FOLDER/old to FOLDER/file.zip) or `move`
(FOLDER/old to the URL). MOMENT is the number of a step of its progress, or `staged`, `placed-N`, `commit`,
`committed` or `keys`: when the first state file lies ready, when N names of model files are in place, just before the
database commits, just after, and when the first state file is in its place.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import trio
from visiona.stores.copying import state_files
from visiona.stores.copying.backup import back_up, restore
from visiona.stores.copying.brought_files import BroughtFiles
from visiona.stores.copying.moving import move_to_postgres
from visiona.stores.copying.postgres_end import PostgresEnd
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.files.content import ContentFolder
from visiona.stores.postgres_address import parsed
from visiona.stores.settings import StoreSettings

from tests.stores.copying.watching import Watching

BEFORE = ("staged", "commit")
AFTER = ("committed", "keys")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_around_commit(end: Any, *, after: bool) -> None:
    plain: Callable[[Any], None] = end.commit

    def commit(self: Any) -> None:
        if after:
            plain(self)
        die()

    end.commit = commit


def die_with_the_first_file(what: str) -> None:
    """Laid ready, or put into its place."""
    plain_write, plain_replace = state_files._write, Path.replace

    def write(path: Path, content: bytes) -> None:
        plain_write(path, content)
        if what == "staged":
            die()

    def replace(path: Path, target: Path) -> Path:
        done = plain_replace(path, target)
        if what == "keys" and path.parent.name == state_files.STAGE:
            die()
        return done

    state_files._write = write
    Path.replace = replace


def die_after_placing(count: int) -> None:
    plain, places = BroughtFiles._put, iter(range(count, 0, -1))

    def put(self: BroughtFiles, source: Path, target: Path, placed: list[Path]) -> None:
        plain(self, source, target, placed)
        if next(places) == 1:
            die()

    BroughtFiles._put = put


def main() -> None:
    what, moment, place, *url = (word for word in sys.argv[1:] if word != "--replace")
    folder = Path(place)
    if moment.startswith("placed-"):
        die_after_placing(int(moment.removeprefix("placed-")))
    elif moment in {"staged", "keys"}:
        die_with_the_first_file(moment)
    elif moment in {"commit", "committed"}:
        for end in (SqliteEnd, PostgresEnd):
            die_around_commit(end, after=moment == "committed")
    progress = Watching(int(moment), die) if moment.isdigit() else Watching()
    if what == "backup":
        old, files = StoreSettings(None, folder / "old"), ContentFolder(folder / "old" / "files", 0)
        now = datetime.now(UTC)
        write = partial(back_up, old, folder / "file.zip", progress, state_names=(), program="0")
        trio.run(partial(write, created_at=now, overwrites=True, files=files))
        return
    if what == "move":
        trio.run(move_to_postgres, StoreSettings(None, folder / "old"), parsed(url[0]), progress)
        return

    async def run() -> None:
        settings = StoreSettings(url[0] if url else None, folder / "new")
        names = ("session.key", "idp-keys.json")
        await restore(
            settings,
            folder / "file.zip",
            progress,
            state_names=names,
            replaces="--replace" in sys.argv,
            files=ContentFolder(settings.state_dir / "files", 0),
        )

    trio.run(run)


if __name__ == "__main__":
    main()
