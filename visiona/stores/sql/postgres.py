"""PostgreSQL, by asyncpg: whole operations, each within one deadline, and what is done when they fail.

The engine speaks asyncio and knows no Trio; `PostgresStores` takes operations to it across the guest loop. An operation
that asks one question needs no transaction and gets none. Writes run in READ COMMITTED: what an operation reads in
order to decide, it holds (interfaces.py says how). Beyond its deadline an operation's connection is cut, not waited for.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import CodeType
from typing import TypeVar

import asyncpg
import trio

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Ping, Tx
from visiona.stores.kept_sessions import KeptPendingLogins, KeptSessions
from visiona.stores.outage import RETRY_SECONDS, Outage
from visiona.stores.process_rates import ProcessRates
from visiona.stores.rates import RateStore
from visiona.stores.sessions import PendingLoginStore, SessionStore
from visiona.stores.sql.postgres_errors import (
    DRIVER_ERRORS,
    code_of,
    is_from_server,
    is_stale,
    is_worth_repeating,
    translated,
)
from visiona.stores.sql.postgres_pool import Connect, PostgresPool
from visiona.stores.sql.postgres_transaction import AsksAgain, PostgresTransaction
from visiona.stores.sql.transaction import SqlTx

T = TypeVar("T")
Operation = Callable[[Tx], Awaitable[T]]

_log = logging.getLogger(__name__)

REPEATS = 3
"""How often an operation is run again that another transaction was in the way of."""

CANCEL_SECONDS = 0.5
"""How long the server may take to stop what a caller no longer wants; then the connection is cut."""

_PAUSE_SECONDS = 0.01

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Whoever holds the row will be done later than this is worth.
_WRITE_OR_LEAVE = f"{_WRITE}; SET LOCAL lock_timeout = '5ms'"


class PostgresEngine:
    """Reads and writes on one asyncio loop.

    Args:
        connect: opens a connection.
        pool_size: how many at most.
        timeout_seconds: for a whole operation, waiting for a connection included.
    """

    def __init__(self, connect: Connect, *, pool_size: int, timeout_seconds: float) -> None:
        self.pool = PostgresPool(connect, pool_size)
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._outage = Outage()
        self._probe: asyncio.Task[None] | None = None
        self._asks_more: set[CodeType] = set()
        self._write_trouble: StoreUnavailable | None = None

    async def read(self, operation: Operation[T]) -> T:
        """See interfaces.Stores.read."""
        code: CodeType | None = getattr(operation, "__code__", None)
        async with self._visit() as connection:
            if code is not None and code not in self._asks_more:
                tx = PostgresTransaction(connection, self._heard, may_write=False, is_single=True)
                try:
                    return await operation(SqlTx(tx))
                except AsksAgain:
                    self._asks_more.add(code)
                finally:
                    tx.end()
            return await self._transact(connection, operation, _SNAPSHOT, may_write=False)

    async def write(self, operation: Operation[T], waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        try:
            async with self._visit(waits=waits) as connection:
                begin = _WRITE if waits else _WRITE_OR_LEAVE
                result = await self._transact(connection, operation, begin, may_write=True)
        except StoreUnavailable as error:
            if is_from_server(error.__cause__) and not is_worth_repeating(error.__cause__) and waits:
                self._write_trouble = error
            raise
        self._write_trouble = None
        return result

    async def ping(self) -> None:
        """See interfaces.Stores.ping. After a write that the server refused, one is tried until it succeeds."""

        async def ask(tx: Tx) -> int:
            return await tx.notices.last_id()

        await self.read(ask)

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        async with self._visit() as connection:
            tx = PostgresTransaction(connection, self._heard, may_write=False)
            # Transactions that are under way are part of it: a number given first may be committed last.
            row = await tx.fetch_one("SELECT pg_current_snapshot()::text")
        return hash(row)

    async def close(self) -> None:
        """Closes all connections."""
        self.pool.close()
        if self._probe is not None:
            self._probe.cancel()
        # Transports say goodbye in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _transact(
        self, connection: asyncpg.Connection, operation: Operation[T], begin: str, *, may_write: bool
    ) -> T:
        """Runs the operation in a transaction; again, if another one was in its way."""
        for repeat in range(REPEATS + 1):
            tx = PostgresTransaction(connection, self._heard, may_write=may_write)
            try:
                await tx.run(connection.execute(begin))
                result = await operation(SqlTx(tx))
                await tx.flush_last()
                if tx.failure is not None:
                    # The operation went on all the same, and the server does not.
                    raise tx.failure
                await self._commit(connection, tx)
                return result
            except StoreUnavailable as error:
                if repeat == REPEATS or not is_worth_repeating(error.__cause__):
                    raise
            finally:
                tx.end()
            await self._settle(connection)
            # Jitter, so that two do not meet again and again.
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * 2**repeat))  # noqa: S311
        raise AssertionError("the last repeat returns or raises")

    async def _commit(self, connection: asyncpg.Connection, tx: PostgresTransaction) -> None:
        """Commits. A cancellation comes too late now: the server may have done it already."""
        commit = asyncio.ensure_future(connection.execute("COMMIT"))
        try:
            await tx.run(asyncio.shield(commit))
        except asyncio.CancelledError:
            await tx.run(commit)
        except StoreUnavailable as error:
            if not is_from_server(error.__cause__):
                raise StoreUnavailable(
                    "the database was lost at the end of a transaction; whether that was kept is not known",
                    advice="look whether it was done before trying again",
                ) from error.__cause__
            raise

    @contextlib.asynccontextmanager
    async def _visit(self, *, waits: bool = True) -> AsyncIterator[asyncpg.Connection]:
        """A connection for one operation, until its deadline. Leaves it fit for the next, or cuts it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        ends_at = began + self._timeout_seconds
        self._refuse_if_out(began)
        try:
            connection = await self._acquire(ends_at, waits=waits)
            timer = loop.call_at(ends_at, connection.terminate)
            try:
                yield connection
            except asyncio.CancelledError:
                timer.cancel()
                timer = loop.call_at(min(ends_at, loop.time() + CANCEL_SECONDS), connection.terminate)
                await self._settle(connection, is_cancelled=True)
                raise
            except BaseException:
                await self._settle(connection)
                raise
            finally:
                timer.cancel()
                self.pool.release(connection)
        except StoreUnavailable as error:
            self._note(error, began, loop.time())
            raise

    async def _acquire(self, ends_at: float, *, waits: bool) -> asyncpg.Connection:
        if not waits and not self.pool.free_count:
            raise StoreUnavailable("all connections to the database are in use", retry_after_seconds=1)
        try:
            return await self.pool.acquire(ends_at)
        except DRIVER_ERRORS as error:
            if is_from_server(error):
                self._heard()
            known = translated(error)
            if isinstance(known, StoreUnavailable):
                raise known from error
            raise StoreUnavailable("the database cannot be reached", retry_after_seconds=30) from error

    async def _settle(self, connection: asyncpg.Connection, *, is_cancelled: bool = False) -> None:
        """Ends whatever is open on it; cuts it if that does not work."""
        try:
            if is_cancelled and not connection.is_closed() and not connection.is_in_transaction():
                # The driver waits with this until the server has stopped what it was doing, be it a BEGIN.
                await connection.execute("SELECT 1")
            if not connection.is_closed() and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            connection.terminate()

    def _heard(self) -> None:
        seconds = self._outage.heard(asyncio.get_running_loop().time())
        if seconds is not None:
            _log.warning("the database answers again", extra={"out_seconds": round(seconds, 1)})

    def _note(self, error: StoreUnavailable, began: float, now: float) -> None:
        """Draws the conclusions, and has one line for whoever has to mend it; callers are told to come back."""
        cause = error.__cause__
        _log.warning("the database cannot be asked: %s", error, extra={"code": code_of(cause)})
        if is_stale(cause):
            self.pool.forget()
        if now - began >= self._timeout_seconds and self._outage.waited_in_vain(began, now):
            self.pool.forget()
            _log.warning("the database does not answer; nobody is sent there until it does")

    def _refuse_if_out(self, now: float) -> None:
        if not self._outage.is_out:
            return
        if self._outage.begin_probe(now):
            self._probe = asyncio.ensure_future(self._try_again())
        raise StoreUnavailable("the database does not answer", retry_after_seconds=RETRY_SECONDS)

    async def _try_again(self) -> None:
        """One probe: whoever is let in was heard."""
        try:
            connection = await self._connect(self._timeout_seconds)
        except DRIVER_ERRORS as error:
            if is_from_server(error):
                self._heard()
        else:
            self._heard()
            connection.terminate()
        finally:
            self._outage.end_probe()


class PostgresStores:
    """See interfaces.Stores. Made and closed by opening.py."""

    def __init__(self, engine: PostgresEngine, guest: AsyncioGuest) -> None:
        self._engine = engine
        self._guest = guest
        self.sessions: SessionStore = KeptSessions(self)
        self.pending_logins: PendingLoginStore = KeptPendingLogins(self)
        self.pings: Mapping[str, Ping] = {"database": self.ping}
        self.rates: RateStore = ProcessRates()

    async def read(self, operation: Operation[T]) -> T:
        """See interfaces.Stores.read."""
        return await self._guest.run(self._engine.read, operation)

    async def write(self, operation: Operation[T], *, waits: bool = True) -> T:
        """See interfaces.Stores.write."""
        return await self._guest.run(self._engine.write, operation, waits)

    async def ping(self) -> None:
        """See interfaces.Stores.ping."""
        await self._guest.run(self._engine.ping)

    async def change_mark(self) -> int:
        """See interfaces.Stores.change_mark."""
        return await self._guest.run(self._engine.change_mark)

    async def wait_notice(self, seconds: float) -> None:
        """See interfaces.Stores.wait_notice."""
        await trio.sleep(seconds)
