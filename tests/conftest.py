"""What every folder of tests shares."""

import os
from collections.abc import Iterator

import pytest

from tests.interop import gobuild
from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.servers.redis import RedisServer


def pytest_collection_finish(session: pytest.Session) -> None:
    """Go programs are built before the first test, whose time limit is meant for itself."""
    if any(item.get_closest_marker("interop") for item in session.items):
        gobuild.build_ahead()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer | NamedPostgres]:
    """One PostgreSQL for all tests that only need databases on it; whoever kills or freezes starts one of his own."""
    named = os.environ.get("VISIONA_TEST_DATABASE_URL")  # noqa: TID251
    server = NamedPostgres(named) if named else PostgresServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """One Redis for all tests; each uses keys under a prefix of its own, none flushes, kills or freezes it."""
    named = os.environ.get("VISIONA_TEST_REDIS_URL")  # noqa: TID251
    if named:
        yield named
        return
    with RedisServer() as server:
        yield server.url()
