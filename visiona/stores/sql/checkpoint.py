"""Moving the write-ahead log into the file, in a worker thread: its fsyncs would delay every device.

PASSIVE checkpoints hold nobody up; what they cannot move now they move next time.
"""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from visiona.stores.errors import StoreUnavailable
from visiona.stores.sql.sqlite_file import connect

INTERVAL_SECONDS = 2.0

_log = logging.getLogger(__name__)


async def keep_checkpointing(
    path: Path,
    synchronous: str,
    change_mark: Callable[[], Awaitable[int]],
    *,
    interval_seconds: float = INTERVAL_SECONDS,
) -> None:
    """Checkpoints whenever something was committed since the last time; never returns."""
    connection = connect(path, synchronous)
    try:
        done, is_failing = -1, False
        while True:
            await trio.sleep(interval_seconds)
            failure: Exception | None
            try:
                mark = await change_mark()
            except StoreUnavailable as error:
                failure = error
            else:
                if mark == done:
                    continue
                failure = await trio.to_thread.run_sync(_checkpoint_or_error, connection)
            if failure is None:
                done = mark
            elif not is_failing:
                _log.warning("the database's log cannot be moved into its file", extra={"why": str(failure)})
            is_failing = failure is not None
    finally:
        connection.close()


def _checkpoint_or_error(connection: sqlite3.Connection) -> sqlite3.Error | None:
    """One checkpoint. A failure loses nothing, the log only grows; so it is told, not raised."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as error:
        return error
    return None
