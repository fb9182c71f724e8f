"""S-01 with a PostgreSQL that is killed, frozen, restarted, filled up: what callers hear and when, and how it recovers."""

import functools
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import trio
from visiona.stores.asyncio_guest import open_guest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.support.lateness import within
from tests.support.nouns import a_user, put
from tests.support.postgres_calls import (
    AT_ONCE_SECONDS,
    BACK_SECONDS,
    DEEDS,
    SECRET,
    all_refused,
    back,
    emails,
    ping,
    pool_of,
    read,
    refused,
    whole,
    write,
)
from tests.support.servers.postgres import PostgresServer

TIMEOUT_SECONDS = 1.5


@pytest.fixture(scope="module")
def only_server() -> Iterator[PostgresServer]:
    with PostgresServer(password=SECRET, options={"max_connections": "20"}) as server:
        yield server


@pytest.fixture
def server(only_server: PostgresServer) -> Iterator[PostgresServer]:
    """Running and thawed, before and after."""
    yield only_server
    only_server.kill()
    only_server.start()


@pytest.fixture
def settings(server: PostgresServer, tmp_path: Path) -> StoreSettings:
    return StoreSettings(server.create_database(), tmp_path, timeout_seconds=TIMEOUT_SECONDS)


async def test_s01_a_database_that_was_killed_is_refused_at_once_and_found_again(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        server.kill()
        for _ in range(3):
            with within(AT_ONCE_SECONDS):
                await all_refused(stores)
        assert "cannot be reached" in str(await refused(stores, read))
        server.start()
        await back(stores)
        assert await emails(stores) == ["ada@example.com"]
        await whole(stores, server, settings.postgres.database)


async def test_s01_a_database_that_was_restarted_is_found_again(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        for _ in range(3):
            await whole(stores, server, settings.postgres.database)
            server.stop()
            await refused(stores, read)
            server.start()
            await back(stores)
        assert await emails(stores) == ["ada@example.com"]


async def test_s01_a_black_hole_costs_one_deadline_and_is_then_refused_at_once(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        await whole(stores, server, settings.postgres.database)
        server.freeze()
        with within(TIMEOUT_SECONDS + AT_ONCE_SECONDS):
            await all_refused(stores)
        with within(AT_ONCE_SECONDS):
            for deed in DEEDS * 10:
                await refused(stores, deed, "the database does not answer")
        server.thaw()
        await back(stores)
        assert await emails(stores) == ["ada@example.com"]
        await whole(stores, server, settings.postgres.database)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_s01_with_the_usual_deadline_a_black_hole_is_told_within_two_seconds_and_a_half(
    server: PostgresServer, settings: StoreSettings, tmp_path: Path
) -> None:
    usual = StoreSettings(settings.url, tmp_path)
    async with open_stores(usual, exclusive=True) as stores:
        await whole(stores, server, settings.postgres.database)
        server.freeze()
        with within(2.5):
            await all_refused(stores, 200)
        server.thaw()
        assert await back(stores) <= BACK_SECONDS
        await whole(stores, server, settings.postgres.database)


async def test_s01_who_hangs_up_on_a_black_hole_has_found_it_too(
    server: PostgresServer, settings: StoreSettings, tmp_path: Path
) -> None:
    """A check of the health waits for less than the deadline."""
    patient = StoreSettings(settings.url, tmp_path, timeout_seconds=30.0)
    async with open_stores(patient, exclusive=True) as stores:
        await whole(stores, server, settings.postgres.database)
        server.freeze()
        for _ in range(2):
            with trio.move_on_after(0.1), within(0.1 + 0.5 + AT_ONCE_SECONDS):
                await ping(stores)
        with within(AT_ONCE_SECONDS):
            await refused(stores, ping, "the database does not answer")
        server.thaw()
        await back(stores)


async def test_s01_a_database_that_dies_within_a_transaction_keeps_nothing_of_it(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async def add(end_it: Callable[[], None], tx: Tx) -> None:
        await tx.users.add(a_user())
        end_it()
        await tx.users.add(a_user("bob@example.com"))

    async with open_stores(settings, exclusive=True) as stores:
        for end_it in (server.kill, server.stop):
            with pytest.raises(StoreUnavailable) as caught:
                await stores.write(functools.partial(add, end_it))
            assert not caught.value.is_in_doubt
            server.start()
            await back(stores)
            assert await emails(stores) == []
        await whole(stores, server, settings.postgres.database)


async def test_s01_a_database_that_freezes_within_a_transaction_keeps_nothing_of_it(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async def add(tx: Tx) -> None:
        await tx.users.add(a_user())
        server.freeze()
        await tx.users.add(a_user("bob@example.com"))

    async with open_stores(settings, exclusive=True) as stores:
        with within(TIMEOUT_SECONDS + AT_ONCE_SECONDS), pytest.raises(StoreUnavailable, match="too long"):
            await stores.write(add)
        server.thaw()
        await back(stores)
        assert await emails(stores) == []
        await whole(stores, server, settings.postgres.database)


async def test_s01_a_database_that_takes_no_writes_any_more_is_read_and_told_about(
    server: PostgresServer, settings: StoreSettings
) -> None:
    """As after others took over; no connection to the old one is kept."""
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        await whole(stores, server, settings.postgres.database)
        server.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        server.sql("SELECT pg_reload_conf()")
        with trio.fail_after(BACK_SECONDS), pytest.raises(StoreUnavailable, match="cannot be written to"):
            while True:
                await write(stores)
                await trio.sleep(0.01)
        assert pool_of(stores).idle_count == 0
        assert await emails(stores) == ["ada@example.com"]
        await refused(stores, ping, "writing fails: the database cannot be written to")
        server.sql("ALTER SYSTEM RESET default_transaction_read_only")
        server.sql("SELECT pg_reload_conf()")
        await back(stores)
        await whole(stores, server, settings.postgres.database)


async def test_s01_a_server_without_room_for_more_connections_refuses_at_once(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async with open_stores(settings, exclusive=True) as stores, open_guest() as others:
        held = []
        with pytest.raises(asyncpg.TooManyConnectionsError):
            while True:
                held.append(await others.run(asyncpg.connect, settings.url))
        with within(AT_ONCE_SECONDS):
            error = await refused(stores, read, "no room for more connections")
        assert isinstance(error.__cause__, asyncpg.TooManyConnectionsError)
        for connection in held:
            await others.run(connection.close)
        await back(stores)
        await whole(stores, server, settings.postgres.database)


async def test_s01_a_password_that_was_changed_is_told_and_never_shown(
    server: PostgresServer, settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        server.sql("ALTER ROLE visiona PASSWORD 'another'")
        # Who is in stays in.
        assert await emails(stores) == ["ada@example.com"]
        pool_of(stores).forget()
        error = await refused(stores, read, "does not let this user in")
        assert isinstance(error.__cause__, asyncpg.InvalidPasswordError)
        server.sql(f"ALTER ROLE visiona PASSWORD '{SECRET}'")
        await back(stores)
    assert SECRET not in caplog.text
    assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in repr(settings)


async def test_s01_a_database_that_is_taken_away_is_told(
    server: PostgresServer, settings: StoreSettings
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await whole(stores, server, settings.postgres.database)
        server.sql(f"DROP DATABASE {settings.postgres.database} WITH (FORCE)")
        for _ in range(2):
            for deed in DEEDS:
                await refused(stores, deed)
        await refused(stores, read, "the database is not there")


async def test_s01_a_right_that_was_taken_away_is_told(
    server: PostgresServer, settings: StoreSettings
) -> None:
    name = f"u_{settings.postgres.database}"
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        rights = f"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
        server.sql(
            f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'; GRANT {rights}", settings.postgres.database
        )
    url = (settings.url or "").replace("//visiona:", f"//{name}:")
    async with open_stores(replace(settings, url=url), exclusive=True) as stores:
        assert await emails(stores) == ["ada@example.com"]
        server.sql(f"REVOKE DELETE ON notices FROM {name}", settings.postgres.database)
        await refused(stores, write, "does not let this user do that")
        assert await emails(stores) == ["ada@example.com"]
