"""Opening a PostgreSQL database: reached, found fit, and its schema brought up to date."""

import asyncio  # noqa: TID251 - what runs here runs on the guest loop
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import asyncpg
import trio

from visiona.stores.asyncio_guest import AsyncioGuest
from visiona.stores.errors import SchemaMismatch, StoreBusy, StoreUnavailable
from visiona.stores.postgres_address import PostgresAddress
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import postgres_migrate
from visiona.stores.sql.migrate import SchemaStatus, known_migrations
from visiona.stores.sql.postgres import PostgresStores
from visiona.stores.sql.postgres_connect import COMMAND, SERVER, check_server, connector, server_count
from visiona.stores.sql.postgres_engine import PostgresEngine
from visiona.stores.sql.postgres_errors import DRIVER_ERRORS, code_of, translated

T = TypeVar("T")

_log = logging.getLogger(__name__)

START_SECONDS = 10.0
"""How long a server that starts waits for a database that starts too."""

_PAUSE_SECONDS = 0.2

_ADVICE = {
    "28": "check the user and the password in database.url, and the server's pg_hba.conf",
    "3D": "create it there: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
    "42": "give the user the database, or CREATE on its schema",
    "53": "let the server have more connections, or give database.pool_size less",
}
_NOT_REACHED = "check host and port in database.url, and that the server runs"


@contextlib.asynccontextmanager
async def open_postgres(
    settings: StoreSettings, guest: AsyncioGuest, *, exclusive: bool
) -> AsyncIterator[PostgresStores]:
    """See opening.open_stores. Any number of servers may use one database."""
    address = settings.postgres
    patience = START_SECONDS if exclusive else 0.0
    await guest.run(_at_start, address, patience, lambda connection: _bring_up(connection, exclusive))
    connect = connector(address, settings.timeout_seconds, name=SERVER if exclusive else COMMAND)
    engine = PostgresEngine(connect, pool_size=settings.pool_size, timeout_seconds=settings.timeout_seconds)
    try:
        yield PostgresStores(engine, guest)
    finally:
        with trio.CancelScope(shield=True):
            await guest.run(engine.close)


async def postgres_status(settings: StoreSettings, guest: AsyncioGuest) -> SchemaStatus:
    """See opening.schema_status."""

    async def ask(connection: asyncpg.Connection) -> SchemaStatus:
        return await postgres_migrate.status(connection, known_migrations())

    return await guest.run(_at_start, settings.postgres, 0.0, ask)


async def postgres_up(settings: StoreSettings, guest: AsyncioGuest) -> SchemaStatus:
    """See opening.migrate_up."""
    return await guest.run(_at_start, settings.postgres, 0.0, lambda connection: _bring_up(connection, False))


async def postgres_down(settings: StoreSettings, guest: AsyncioGuest, to: int) -> SchemaStatus:
    """See opening.migrate_down."""

    async def go_back(connection: asyncpg.Connection) -> SchemaStatus:
        if await server_count(connection):
            raise StoreBusy(f"a server uses {settings.postgres}: stop it first; nothing was changed")
        return await postgres_migrate.down(connection, known_migrations(), to)

    return await guest.run(_at_start, settings.postgres, 0.0, go_back)


async def _bring_up(connection: asyncpg.Connection, is_server: bool) -> SchemaStatus:
    before = await postgres_migrate.status(connection, known_migrations())
    if before.pending and not is_server and await server_count(connection):
        raise SchemaMismatch(
            "the database must be migrated, and a server of another version uses it; restart that server"
        )
    return await postgres_migrate.up(connection, known_migrations())


async def _at_start(
    address: PostgresAddress, patience_seconds: float, work: Callable[[asyncpg.Connection], Awaitable[T]]
) -> T:
    """Does the work on a connection of its own, without the deadlines of later."""
    with naming(address):
        connection = await _reached(address, patience_seconds)
        try:
            await check_server(connection)
            return await work(connection)
        finally:
            connection.terminate()


@contextlib.contextmanager
def naming(address: PostgresAddress) -> Iterator[None]:
    """Turns what the driver says into errors of ours that name the database and what to do."""
    try:
        yield
    except DRIVER_ERRORS as error:
        known = translated(error)
        if isinstance(known, StoreUnavailable) or isinstance(error, asyncpg.InterfaceError):
            text = str(known) if isinstance(known, StoreUnavailable) else "the database cannot be reached"
            advice = _ADVICE.get(code_of(error)[:2], _NOT_REACHED)
            if isinstance(error, asyncpg.InterfaceError):
                advice = "check what stands after the ? in database.url"
            elif _is_mistake(error, address):
                advice = "check the certificates that database.url names, and the server's"
            raise StoreUnavailable(f"{text} ({address})", advice=advice) from error
        raise
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error} ({address})", advice=error.advice) from error


async def _reached(address: PostgresAddress, patience_seconds: float) -> asyncpg.Connection:
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + patience_seconds
    connect = connector(address, START_SECONDS, name=COMMAND)
    is_told = False
    while True:
        try:
            return await connect(START_SECONDS)
        except (OSError, asyncpg.CannotConnectNowError) as error:
            if loop.time() >= gives_up_at or _is_mistake(error, address):
                raise
        if not is_told:
            is_told = True
            _log.warning("the database cannot be reached yet", extra={"database": str(address)})
        await asyncio.sleep(_PAUSE_SECONDS)


def _is_mistake(error: Exception, address: PostgresAddress) -> bool:
    """Whether waiting will not help: a file of certificates is not there, or what is in it does not fit."""
    is_local = all(host.startswith("/") for host, _ in address.hosts)
    return isinstance(error, ssl.SSLError) or (
        isinstance(error, (FileNotFoundError, PermissionError)) and not is_local
    )
