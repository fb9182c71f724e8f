"""One operation's visit to PostgreSQL: a connection, a deadline, and what is concluded when it goes wrong.

A visit ends in time whatever the server does: at its deadline the connection is cut, not waited for. It leaves the
connection fit for the next, or cuts it. Who visits what is none of its business.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import contextlib
import logging
from collections.abc import AsyncIterator

import asyncpg

from visiona.stores.errors import StoreUnavailable
from visiona.stores.outage import RETRY_SECONDS, Outage
from visiona.stores.sql.postgres_errors import DRIVER_ERRORS, code_of, is_from_server, is_stale, translated
from visiona.stores.sql.postgres_pool import Connect, PostgresPool

_log = logging.getLogger(__name__)

CANCEL_SECONDS = 0.5
"""How long the server may take to stop what a caller no longer wants; then the connection is cut."""

_SILENT = "the database does not answer"

LEAVE_SECONDS = 0.4
"""For a visit that is not worth waiting: the caller goes on without, and has a visit of its own before it. Enough for
four questions to a server that is a tenth of a second away."""


class PostgresVisits:
    """The way to one server, and what is known of it.

    Args:
        connect: opens a connection.
        pool_size: how many at most.
        timeout_seconds: for a whole visit, waiting for a connection included.
    """

    def __init__(self, connect: Connect, *, pool_size: int, timeout_seconds: float) -> None:
        self.pool = PostgresPool(self._connected, pool_size)
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._outage = Outage()
        self._probe: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def visit(self, *, waits: bool = True) -> AsyncIterator[asyncpg.Connection]:
        """A connection until the deadline.

        Args:
            waits: False for what is not worth it: then it ends soon, and at once where others have all connections.

        Raises:
            StoreUnavailable: there is none, or the deadline came.
        """
        began = asyncio.get_running_loop().time()
        self._refuse_if_out(began)
        seconds = self._timeout_seconds if waits else min(self._timeout_seconds, LEAVE_SECONDS)
        try:
            async with self._lent(began, began + seconds, waits=waits) as connection:
                yield connection
        except StoreUnavailable as error:
            self._note(error, began)
            if not self._is_over(began) or error.is_in_doubt:
                raise
            raise StoreUnavailable("the database took too long") from error.__cause__

    def heard(self) -> None:
        """The server said something."""
        seconds = self._outage.heard(asyncio.get_running_loop().time())
        if seconds is not None:
            _log.warning("the database answers again", extra={"out_seconds": round(seconds, 1)})

    async def settle(self, connection: asyncpg.Connection, *, is_cancelled: bool = False) -> None:
        """Ends whatever is open on it; cuts it if that does not work."""
        try:
            if is_cancelled and not connection.is_closed() and not connection.is_in_transaction():
                # The driver waits with this until the server has stopped what it was doing, be it a BEGIN.
                await connection.execute("SELECT 1")
            if not connection.is_closed() and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            connection.terminate()

    async def close(self) -> None:
        """Closes all connections."""
        self.pool.close()
        if self._probe is not None:
            self._probe.cancel()
        # Transports say goodbye in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def _lent(self, began: float, ends_at: float, *, waits: bool) -> AsyncIterator[asyncpg.Connection]:
        loop = asyncio.get_running_loop()
        connection = await self._acquire(ends_at, waits=waits)
        timer = loop.call_at(ends_at, connection.terminate)
        try:
            yield connection
        except asyncio.CancelledError:
            timer.cancel()
            cut_at = min(ends_at, loop.time() + CANCEL_SECONDS)
            timer = loop.call_at(cut_at, connection.terminate)
            await self.settle(connection, is_cancelled=True)
            if loop.time() >= cut_at:
                self._note_silence(began)
            raise
        except BaseException as error:
            if _is_of_connection(error):
                connection.terminate()
            await self.settle(connection)
            raise
        finally:
            timer.cancel()
            self.pool.release(connection)

    async def _acquire(self, ends_at: float, *, waits: bool) -> asyncpg.Connection:
        if not waits and not self.pool.free_count:
            raise StoreUnavailable("all connections to the database are in use", retry_after_seconds=1)
        try:
            return await self.pool.acquire(ends_at)
        except DRIVER_ERRORS as error:
            if is_from_server(error):
                self.heard()
            if self._outage.is_out:
                raise StoreUnavailable(_SILENT, retry_after_seconds=RETRY_SECONDS) from error
            known = translated(error)
            if isinstance(known, StoreUnavailable):
                raise known from error
            raise StoreUnavailable("the database cannot be reached", retry_after_seconds=30) from error

    async def _connected(self, within_seconds: float) -> asyncpg.Connection:
        connection = await self._connect(within_seconds)
        self.heard()
        return connection

    def _is_over(self, began: float) -> bool:
        return asyncio.get_running_loop().time() - began >= self._timeout_seconds

    def _note(self, error: StoreUnavailable, began: float) -> None:
        """Draws the conclusions, and has one line for whoever has to mend it; callers are told to come back."""
        cause = error.__cause__
        _log.warning("the database cannot be asked: %s", error, extra={"code": code_of(cause)})
        if is_stale(cause):
            self.pool.forget()
        if self._is_over(began):
            self._note_silence(began)

    def _note_silence(self, began: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._outage.waited_in_vain(began, now):
            self.pool.forget()
            self.pool.turn_away()
            _log.warning("the database does not answer; nobody is sent there until it does")
            # At once: if it was only slow, hardly anybody is refused.
            self._probe_if_due(now)

    def _refuse_if_out(self, now: float) -> None:
        if self._outage.is_out:
            self._probe_if_due(now)
            raise StoreUnavailable(_SILENT, retry_after_seconds=RETRY_SECONDS)

    def _probe_if_due(self, now: float) -> None:
        if self._outage.begin_probe(now):
            self._probe = asyncio.ensure_future(self._try_again())

    async def _try_again(self) -> None:
        """One probe: whoever is let in was heard."""
        try:
            connection = await self._connected(self._timeout_seconds)
            connection.terminate()
        except DRIVER_ERRORS as error:
            if is_from_server(error):
                self.heard()
        finally:
            self._outage.end_probe()


def _is_of_connection(error: BaseException) -> bool:
    """Whether it was the connection that failed, and not the server or the operation: it is not tried again."""
    cause = error.__cause__ if isinstance(error, StoreUnavailable) else None
    return cause is not None and not is_from_server(cause)
