"""Operations on PostgreSQL: whole transactions of asyncpg, which know no Trio.

An operation that asks one question needs no transaction and gets none; the first that asks a second one is begun anew
on one picture of the database, and its kind is remembered. Writes run in READ COMMITTED: what an operation reads in
order to decide, it holds (interfaces.py says how).
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import random
from collections.abc import Awaitable, Callable
from types import CodeType
from typing import TypeVar

import asyncpg

from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.sql.postgres_errors import (
    is_from_server,
    is_no_space,
    is_stale,
    is_worth_repeating,
    is_write_trouble,
)
from visiona.stores.sql.postgres_pool import Connect
from visiona.stores.sql.postgres_transaction import AsksAgain, PostgresTransaction
from visiona.stores.sql.postgres_trial import try_writing
from visiona.stores.sql.postgres_visits import PostgresVisits
from visiona.stores.sql.transaction import SqlTx

T = TypeVar("T")
Operation = Callable[[Tx], Awaitable[T]]

REPEATS = 3
"""How often an operation is run again that another transaction was in the way of."""

_PAUSE_SECONDS = 0.01

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Whoever holds the row will be done later than this is worth.
_WRITE_OR_LEAVE = f"{_WRITE}; SET LOCAL lock_timeout = '5ms'"


class PostgresEngine:
    """Reads and writes on one asyncio loop; see interfaces.Stores for what each promises.

    Args:
        connect: opens a connection.
        pool_size: how many at most.
        timeout_seconds: for a whole operation, waiting for a connection included.
    """

    def __init__(self, connect: Connect, *, pool_size: int, timeout_seconds: float) -> None:
        self._visits = PostgresVisits(connect, pool_size=pool_size, timeout_seconds=timeout_seconds)
        self.pool = self._visits.pool
        self._asks_more: set[CodeType] = set()
        self._write_trouble: StoreUnavailable | None = None

    async def read(self, operation: Operation[T]) -> T:
        """See interfaces.Stores.read."""
        code: CodeType | None = getattr(operation, "__code__", None)
        async with self._visits.visit() as connection:
            if code is not None and code not in self._asks_more:
                tx = PostgresTransaction(connection, self._visits.heard, may_write=False, is_single=True)
                try:
                    return await operation(SqlTx(tx))
                except AsksAgain:
                    self._asks_more.add(code)
                finally:
                    tx.end()
            return await self._transact(connection, operation, _SNAPSHOT, may_write=False)

    async def write(self, operation: Operation[T], waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        begin = _WRITE if waits else _WRITE_OR_LEAVE
        try:
            async with self._visits.visit(waits=waits) as connection:
                result = await self._transact(connection, operation, begin, may_write=True)
        except StoreUnavailable as error:
            if is_write_trouble(error.__cause__):
                self._write_trouble = error
            raise
        # On a full disk a write succeeds now and then, in a page that has room: the ping looks more closely.
        if self._write_trouble is not None and not is_no_space(self._write_trouble.__cause__):
            self._end_write_trouble(self._write_trouble)
        return result

    async def ping(self) -> None:
        """See interfaces.Stores.ping. After a write that the server could not do, one is tried until it succeeds."""
        trouble = self._write_trouble
        async with self._visits.visit() as connection:
            tx = PostgresTransaction(connection, self._visits.heard, may_write=True)
            if trouble is None:
                await tx.fetch_one("SELECT 1")
                return
            try:
                await try_writing(tx, needs_room=is_no_space(trouble.__cause__))
            except StoreUnavailable as error:
                raise StoreUnavailable(
                    f"writing fails: {error}", retry_after_seconds=error.retry_after_seconds
                ) from error.__cause__
        self._end_write_trouble(trouble)

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        async with self._visits.visit() as connection:
            tx = PostgresTransaction(connection, self._visits.heard, may_write=False)
            # It changes with each transaction that ends. A position in the log or the greatest id would not do:
            # they may be seen before what they stand for is.
            row = await tx.fetch_one("SELECT pg_current_snapshot()::text")
        return hash(row)

    async def close(self) -> None:
        """Closes all connections."""
        await self._visits.close()

    def _end_write_trouble(self, trouble: StoreUnavailable) -> None:
        """It can be written again; what was opened while it could not may still belong to what it was then."""
        self._write_trouble = None
        if is_stale(trouble.__cause__):
            self.pool.forget()

    async def _transact(
        self, connection: asyncpg.Connection, operation: Operation[T], begin: str, *, may_write: bool
    ) -> T:
        """Runs the operation in a transaction; again, if another one was in its way."""
        for repeat in range(REPEATS + 1):
            tx = PostgresTransaction(connection, self._visits.heard, may_write=may_write)
            try:
                return await self._once(connection, tx, operation, begin)
            except StoreUnavailable as error:
                if repeat == REPEATS or not is_worth_repeating(error.__cause__):
                    raise
            finally:
                tx.end()
            await self._visits.settle(connection)
            # Jitter, so that two do not meet again and again.
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * 2**repeat))  # noqa: S311 - no secret
        raise AssertionError("the last repeat returns or raises")

    async def _once(
        self, connection: asyncpg.Connection, tx: PostgresTransaction, operation: Operation[T], begin: str
    ) -> T:
        await tx.run(connection.execute(begin))
        result = await operation(SqlTx(tx))
        await tx.flush_last()
        if tx.failure is not None:
            # The operation went on all the same, and the server does not.
            raise tx.failure
        await self._commit(connection, tx)
        return result

    async def _commit(self, connection: asyncpg.Connection, tx: PostgresTransaction) -> None:
        """Commits. A cancellation comes too late now, for the server may have done it already."""
        commit = asyncio.ensure_future(connection.execute("COMMIT"))
        try:
            try:
                await tx.run(asyncio.shield(commit))
            except asyncio.CancelledError:
                await tx.run(commit)
        except StoreUnavailable as error:
            if is_from_server(error.__cause__):
                raise
            raise StoreUnavailable(
                "the database was lost at the end of a transaction; whether that was kept is not known",
                advice="look whether it was done before trying again",
                is_in_doubt=True,
            ) from error.__cause__
