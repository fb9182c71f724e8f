"""SQLite, inline in the event loop's own thread.

A point read takes microseconds there and milliseconds through a worker thread, more when the loop is busy. Two
connections: one that writes, one that cannot; the second also notices every commit of the first and of other
programs (`PRAGMA data_version`). Locks of other programs are waited for outside, never inside SQLite.
"""

import logging
import random
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from visiona.stores.errors import StoreUnavailable
from visiona.stores.inline import run_inline
from visiona.stores.interfaces import Ping, Tx
from visiona.stores.kept_sessions import KeptPendingLogins, KeptSessions
from visiona.stores.process_rates import ProcessRates
from visiona.stores.rates import RateStore
from visiona.stores.sessions import PendingLoginStore, SessionStore
from visiona.stores.sql.dialect import SQLITE
from visiona.stores.sql.engine import Row, Value
from visiona.stores.sql.sqlite_errors import code_name, is_busy, is_full, primary_code, translated
from visiona.stores.sql.sqlite_file import ROOM_BYTES, connect, free_bytes
from visiona.stores.sql.transaction import SqlTx

T = TypeVar("T")

_log = logging.getLogger(__name__)

BUSY_SECONDS = 2.0
"""How long another program may hold the write lock before a caller is told to come back later."""

_MAX_PAUSE_SECONDS = 0.02

_PLACES = tuple(str(place) for place in range(1, 33))


class SqliteTransaction:
    """The port to one connection (engine.SqlTransaction). Its methods never wait."""

    def __init__(self, connection: sqlite3.Connection, *, may_write: bool) -> None:
        self._connection = connection
        self._may_write = may_write
        self._is_open = False

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        row: Row | None = self._run(sql, values).fetchone()
        return row

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        try:
            return self._run(sql, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    async def execute(self, sql: str, *values: Value) -> int:
        return self._run(sql, values).rowcount

    async def execute_last(self, sql: str, *values: Value) -> None:
        # There is one writer at a time: now is as good as at the end.
        self._run(sql, values)

    async def flush_last(self) -> None:
        """Nothing was put off."""

    async def execute_many(self, sql: str, rows: Sequence[tuple[Value, ...]]) -> None:
        for values in rows:
            self._run(sql, values)

    def _run(self, sql: str, values: tuple[Value, ...]) -> sqlite3.Cursor:
        if not self._is_open:
            raise RuntimeError("this transaction has ended")
        try:
            return self._connection.execute(SQLITE.spell(sql), dict(zip(_PLACES, values, strict=False)))
        except sqlite3.Error as error:
            if primary_code(error) == sqlite3.SQLITE_READONLY and not self._may_write:
                raise RuntimeError("an operation that reads may not write") from error
            raise translated(error) from error

    def write_a_page(self) -> None:
        """Writes something and changes nothing."""
        (version,) = self._run("PRAGMA user_version", ()).fetchone()
        self._run(f"PRAGMA user_version = {version:d}", ())

    def begin(self, how: str) -> None:
        """Opens a transaction; raises sqlite3.Error as it comes."""
        self._connection.execute(how)
        self._is_open = True

    def __enter__(self) -> None:
        """Already open, see `begin`."""

    def __exit__(self, error_class: type[BaseException] | None, *_: object) -> None:
        if error_class is None:
            self.commit()
        else:
            self.roll_back()

    def commit(self) -> None:
        """Ends it for good; raises StoreUnavailable, and then it is undone."""
        self._is_open = False
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.roll_back()
            raise translated(error) from error

    def roll_back(self) -> None:
        """Undoes it. SQLite may have done so already, after an error of the disk."""
        self._is_open = False
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


class SqliteStores:
    """See interfaces.Stores. Made and closed by opening.py."""

    def __init__(
        self, path: Path, synchronous: str = "normal", *, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._write_trouble: StoreUnavailable | None = None
        try:
            self._writer = connect(path, synchronous)
            try:
                self._reader = connect(path, synchronous)
            except sqlite3.Error:
                self._writer.close()
                raise
            self._reader.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise translated(error) from error
        self._writing = SqliteTransaction(self._writer, may_write=True)
        self._reading = SqliteTransaction(self._reader, may_write=False)
        self._write_tx: Tx = SqlTx(self._writing)
        self._read_tx: Tx = SqlTx(self._reading)
        self.sessions: SessionStore = KeptSessions(self)
        self.pending_logins: PendingLoginStore = KeptPendingLogins(self)
        self.pings: Mapping[str, Ping] = {"database": self.ping}
        self.rates: RateStore = ProcessRates()

    def close(self) -> None:
        """Closes both connections; the last one of all programs also empties the log into the file."""
        self._reader.close()
        self._writer.close()

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        """See interfaces.Stores.read."""
        try:
            await self._begin(self._reading, "BEGIN", self._busy_seconds)
            try:
                return run_inline(operation(self._read_tx))
            finally:
                self._reading.roll_back()
        except StoreUnavailable as error:
            _say(error)
            raise

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        try:
            await self._begin(self._writing, "BEGIN IMMEDIATE", self._busy_seconds if waits else 0.0)
            # From here to the end nothing waits, so nothing can be cancelled and nobody comes in between.
            with self._writing:
                result = run_inline(operation(self._write_tx))
        except StoreUnavailable as error:
            is_lock = isinstance(error.__cause__, sqlite3.Error) and is_busy(error.__cause__)
            if not is_lock:
                self._write_trouble = error
            if waits or not is_lock:
                _say(error)
            raise
        self._note_success()
        return result

    async def ping(self) -> None:
        """See interfaces.Stores.ping. After a write that failed, a page is written until that succeeds again."""

        async def ask(tx: Tx) -> int:
            return await tx.notices.last_id()

        await self.read(ask)
        if self._write_trouble is not None:
            await self._try_writing(self._write_trouble)

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        await trio.lowlevel.checkpoint()
        try:
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise translated(error) from error
        return int(version)

    async def wait_notice(self, seconds: float) -> None:
        """See interfaces.Stores.wait_notice."""
        await trio.sleep(seconds)

    async def _try_writing(self, trouble: StoreUnavailable) -> None:
        try:
            await self._begin(self._writing, "BEGIN IMMEDIATE", 0.0)
            with self._writing:
                self._writing.write_a_page()
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"writing fails: {trouble}", retry_after_seconds=trouble.retry_after_seconds
            ) from error
        self._note_success()
        if self._write_trouble is not None:
            raise StoreUnavailable(
                f"writing fails: {trouble}", retry_after_seconds=trouble.retry_after_seconds
            ) from trouble

    def _note_success(self) -> None:
        """A write went well. On a full disk small ones do now and then, in what a large one had to give back."""
        trouble = self._write_trouble
        if trouble is None or not is_full(trouble.__cause__) or free_bytes(self._path) >= ROOM_BYTES:
            self._write_trouble = None

    async def _begin(self, transaction: SqliteTransaction, how: str, busy_seconds: float) -> None:
        """Gives others their turn, then opens the transaction, waiting for other programs' locks."""
        deadline = trio.current_time() + busy_seconds
        await trio.lowlevel.checkpoint()
        while True:
            try:
                transaction.begin(how)
                return
            except sqlite3.Error as error:
                if not is_busy(error) or trio.current_time() >= deadline:
                    raise translated(error) from error
            # Jitter, so that two programs do not meet again and again.
            await trio.sleep(random.uniform(0.001, _MAX_PAUSE_SECONDS))  # noqa: S311 - no secret


def _say(error: StoreUnavailable) -> None:
    """One line for whoever has to mend it; callers are only told to come back."""
    _log.warning("the database cannot be asked: %s", error, extra={"code": code_name(error.__cause__)})
