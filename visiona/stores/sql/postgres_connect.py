"""Connections to one PostgreSQL as we want them, and whether the server is one that we can use."""

import asyncpg

from visiona.stores.errors import StoreUnavailable
from visiona.stores.postgres_address import PostgresAddress
from visiona.stores.sql.postgres_pool import Connect
from visiona.stores.sql.postgres_tls import TlsContext

OLDEST_VERSION = 14
"""The oldest that its makers still mend."""

STATEMENTS_KEPT = 512
"""More than there are texts; each is prepared once for each connection."""

SERVER, COMMAND = "visiona server", "visiona command"
"""Who we are, in the server's `pg_stat_activity`."""

GRACE_SECONDS = 0.5
"""How much later than we the server gives up: only for what nobody here waits for any more."""


_FACTS = """SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    current_setting('server_encoding')"""


def connector(address: PostgresAddress, timeout_seconds: float, *, name: str) -> Connect:
    """Opens connections to that server.

    Args:
        address: where it is.
        timeout_seconds: what a whole operation may take.
        name: SERVER or COMMAND.
    """
    late = f"{round((timeout_seconds + GRACE_SECONDS) * 1000)}ms"
    settings = {
        "application_name": name,
        "statement_timeout": late,
        "idle_in_transaction_session_timeout": late,
        # Compiling a plan takes longer than any question of ours.
        "jit": "off",
    }

    tls = TlsContext(address.tls) if address.tls is not None else None

    async def connect(within_seconds: float) -> asyncpg.Connection:
        return await asyncpg.connect(
            address.dsn,
            ssl=await tls.current() if tls is not None else None,
            timeout=within_seconds,
            statement_cache_size=STATEMENTS_KEPT,
            max_cached_statement_lifetime=0,
            server_settings=settings,
        )

    return connect


async def check_server(connection: asyncpg.Connection) -> None:
    """Raises StoreUnavailable, with a sentence, for a server or a database that we cannot use."""
    number, version, encoding = await connection.fetchrow(_FACTS)
    check_facts(number, version, encoding)


def check_facts(version_number: int, version: str, encoding: str) -> None:
    """As `check_server`, of what the server said about itself."""
    if version_number < OLDEST_VERSION * 10_000:
        raise StoreUnavailable(
            f"the database server is PostgreSQL {version}, and {OLDEST_VERSION} is the oldest that can be used",
            advice="upgrade it",
        )
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"the database is encoded in {encoding}, and texts of ours would not fit in it",
            advice="create one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )


async def server_count(connection: asyncpg.Connection) -> int:
    """How many connections servers of ours hold to this database; one that serves holds one at least."""
    sql = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1"""
    return int(await connection.fetchval(sql, SERVER))
