"""Opening a PostgreSQL database for a copy: on one picture of it while servers write, or to be filled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import trio

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.postgres_end import BEGIN_READING, PostgresEnd
from visiona.stores.opening_postgres import naming
from visiona.stores.postgres_address import PostgresAddress
from visiona.stores.sql.postgres_connect import COMMAND, check_server, connector, server_count
from visiona.stores.sql.postgres_migrate import LOCK, STEP_SECONDS, TABLE_SECONDS

CONNECT_SECONDS = 10.0

_WRITE = f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '{TABLE_SECONDS}s'"


@asynccontextmanager
async def postgres_source(address: PostgresAddress, guest: AsyncioGuest) -> AsyncIterator[PostgresEnd]:
    """Opens what is there, to be read; servers go on.

    Raises:
        CopyRefused: there is nothing.
        StoreUnavailable: it cannot be read.
    """
    async with _connected(address, guest, BEGIN_READING) as connection:
        end = PostgresEnd(connection, address, guest)
        if not await trio.to_thread.run_sync(lambda: end.applied):
            raise CopyRefused(f"there is nothing in the database {address}", code="NOTHING_THERE")
        yield end


@asynccontextmanager
async def postgres_target(address: PostgresAddress, guest: AsyncioGuest) -> AsyncIterator[PostgresEnd]:
    """Opens a database to be filled; unless it was committed all is as before at the end.

    Raises:
        CopyRefused: a server uses it.
        StoreUnavailable: it cannot be written.
    """
    async with _connected(address, guest, _WRITE) as connection:
        with naming(address):
            # Nobody else restores or migrates meanwhile; a server that starts waits for one or the other lock.
            await guest.run(connection.execute, f"SELECT pg_advisory_xact_lock({LOCK})")
            if await guest.run(server_count, connection):
                raise CopyRefused(f"a server uses {address}; stop it first", code="IN_USE")
        yield PostgresEnd(connection, address, guest)


@asynccontextmanager
async def _connected(
    address: PostgresAddress, guest: AsyncioGuest, begin: str
) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction. Cutting it is the end of both, on either side, whatever happened."""
    connect = connector(address, STEP_SECONDS, name=COMMAND)

    async def reached() -> asyncpg.Connection:
        return await connect(CONNECT_SECONDS)

    with naming(address):
        connection = await guest.run(reached)
    try:
        with naming(address):
            await guest.run(check_server, connection)
            await guest.run(connection.execute, begin)
        yield connection
    finally:
        connection.terminate()
