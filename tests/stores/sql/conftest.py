"""Databases with our schema on a real server, one for each test."""

import asyncio  # noqa: TID251  the driver's loop
from urllib.parse import urlsplit

import asyncpg
import pytest
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.postgres_migrate import up

from tests.support.servers.postgres import NamedPostgres, PostgresServer


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer | NamedPostgres) -> str:
    """A migrated database that nobody is connected to, to be copied."""

    async def migrate(url: str) -> None:
        connection = await asyncpg.connect(url)
        await up(connection, known_migrations())
        await connection.close()

    url = postgres_server.create_database()
    asyncio.run(migrate(url))
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture
def postgres_url(postgres_server: PostgresServer | NamedPostgres, template: str) -> str:
    """A migrated, empty database of the test's own."""
    return postgres_server.create_database(template)
