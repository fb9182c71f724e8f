"""What every folder of tests shares."""

import secrets
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from visiona.stores.settings import NO_REDIS, RedisSettings

from tests.interop import gobuild
from tests.support.databases import SharedDatabase
from tests.support.engines import PATIENCE_SECONDS, Place
from tests.support.servers import named, s3
from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.servers.redis import RedisServer
from tests.support.servers.s3 import S3Server
from tests.support.side_loop import SideLoop


def pytest_configure() -> None:
    """Control-C is heard also where whoever started the tests in the background has it ignored; children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Go programs are built before the first test, whose time limit is meant for itself."""
    if any(item.get_closest_marker("interop") for item in session.items):
        gobuild.build_ahead()
    if any("s3_server" in getattr(item, "fixturenames", ()) for item in session.items):
        s3.build_ahead()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer | NamedPostgres]:
    """One PostgreSQL for all tests that only need databases on it; whoever kills or freezes starts one of his own."""
    server = NamedPostgres(named.DATABASE_URL) if named.DATABASE_URL else PostgresServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer | NamedPostgres) -> Iterator[SharedDatabase]:
    """A database with our schema, whatever the last test left in it; see `place`."""
    with closing(SideLoop()) as loop, closing(SharedDatabase(postgres_server, loop)) as database:
        yield database


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One object store for all tests; each uses keys under a prefix of its own, none kills it."""
    with closing(S3Server()) as server:
        yield server


@pytest.fixture
def engine() -> str:
    """Which one a test's stores run on; overridden, and parametrised, where it matters."""
    return "memory"


@pytest.fixture
def place(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Where a test's stores keep what they are given; empty."""
    database: SharedDatabase | None = None
    if engine.startswith("postgres"):
        database = request.getfixturevalue("shared_database")
        database.empty()
    redis = NO_REDIS
    if engine.endswith("+redis"):
        url, prefix = request.getfixturevalue("redis_url"), f"test-{secrets.token_hex(8)}:"
        redis = RedisSettings(url, timeout_seconds=PATIENCE_SECONDS, key_prefix=prefix)
    return Place(engine, tmp_path, database, redis)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """One Redis for all tests; each uses keys under a prefix of its own, none flushes, kills or freezes it."""
    if named.REDIS_URL:
        yield named.REDIS_URL
        return
    with RedisServer() as server:
        yield server.url()
