"""A program that is killed (SIGKILL) at each statement it makes SQLite run, one process after the other.

`python -m tests.support.dying exchange FOLDER TOKEN` or `… migrate FOLDER`. After each death it writes a line of JSON
with what is left in the file, and it stops when a process got through all of its statements (and was killed then).
"""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import trio
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import sqlite_file
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite import SqliteStores

from tests.support.nouns import NOW

MOST_STATEMENTS = 200


class Death:
    """Comes at the given statement."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, _: str) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def exchange_and_die(settings: StoreSettings, token: str, at: int) -> None:
    async def run() -> None:
        async with open_stores(settings, exclusive=True) as stores:
            assert isinstance(stores, SqliteStores)
            stores._writer.set_trace_callback(Death(at))
            await exchange(stores, token, NOW, DeviceClaims(serial_number="S1"))
            os.kill(os.getpid(), signal.SIGKILL)

    trio.run(run)


def migrate_and_die(settings: StoreSettings, at: int) -> None:
    plain_connect = sqlite_file.connect
    death = Death(at)

    def connect(path: Path, synchronous: str, *, wait_seconds: float = 0.0) -> sqlite3.Connection:
        connection = plain_connect(path, synchronous, wait_seconds=wait_seconds)
        connection.set_trace_callback(death)
        return connection

    sqlite_file.connect = connect

    async def run() -> None:
        async with open_stores(settings, exclusive=True):
            os.kill(os.getpid(), signal.SIGKILL)

    trio.run(run)


def left_in(file: Path) -> dict[str, int]:
    """How many rows of each table there are."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def steps_in(left: dict[str, int]) -> int:
    """How many steps of the schema are on record."""
    return left.get("schema_migrations", 0)


def die_again_and_again(
    die: Callable[[int], None], is_done: Callable[[dict[str, int]], bool], file: Path
) -> None:
    at, kept = 0, 0
    while at < MOST_STATEMENTS:
        child = os.fork()
        if child == 0:
            try:
                die(at)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it ended by itself"
        left = left_in(file)
        sys.stdout.write(json.dumps(left) + "\n")
        sys.stdout.flush()
        if is_done(left):
            return
        # A step that is kept stays so, and the next one is to die at each of its statements too.
        at, kept = at + 1 if steps_in(left) == kept else 0, steps_in(left)


def main() -> None:
    what, folder, *rest = sys.argv[1:]
    settings = StoreSettings(None, Path(folder))
    file = settings.database_file
    if what == "exchange":
        die_again_and_again(
            lambda at: exchange_and_die(settings, rest[0], at), lambda left: left["session_tokens"] > 0, file
        )
    else:
        die_again_and_again(
            lambda at: migrate_and_die(settings, at),
            lambda left: steps_in(left) == len(known_migrations()),
            file,
        )


if __name__ == "__main__":
    main()
