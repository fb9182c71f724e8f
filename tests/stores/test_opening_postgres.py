import socket
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from visiona.stores import opening_postgres
from visiona.stores.errors import SchemaMismatch, StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.opening import migrate_up, open_stores, schema_status
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.migrate import known_migrations

from tests.support.nouns import a_user, put
from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.servers.processes import free_port
from tests.support.waiting import until

SECRET = "hush-hush"


@pytest.fixture
def settings(postgres_server: PostgresServer | NamedPostgres, tmp_path: Path) -> StoreSettings:
    return StoreSettings(postgres_server.create_database(), tmp_path)


async def test_what_was_written_is_there_the_next_time(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
    async with open_stores(settings, exclusive=False) as stores:
        (user,) = await stores.read(lambda tx: tx.users.list_all(10))
    assert user.email == "ada@example.com"


async def test_the_schemas_status_is_told_without_touching_anything(settings: StoreSettings) -> None:
    status = await schema_status(settings)
    assert status is not None
    assert (status.applied, status.pending) == ((), known_migrations())
    assert await migrate_up(settings) == status
    after = await schema_status(settings)
    assert after is not None
    assert after.pending == ()


async def opening_fails(settings: StoreSettings, match: str, *, exclusive: bool = True) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable, match=match) as caught:
        async with open_stores(settings, exclusive=exclusive):
            pass
    assert SECRET not in str(caught.value)
    assert SECRET not in caught.value.advice
    return caught.value


def named(settings: StoreSettings, name: str) -> StoreSettings:
    """The same server, another database."""
    return replace(settings, url=(settings.url or "").replace(settings.postgres.database, name))


async def test_s01_a_database_that_is_not_there_is_told_in_a_sentence(settings: StoreSettings) -> None:
    error = await opening_fails(
        named(settings, "nowhere"), r"^the database is not there \(postgresql://[^/@]+/nowhere\)$"
    )
    assert "CREATE DATABASE" in error.advice


async def test_s01_a_database_in_another_encoding_is_refused_with_a_sentence(
    postgres_server: PostgresServer | NamedPostgres, settings: StoreSettings
) -> None:
    name = f"l_{settings.postgres.database}"
    postgres_server.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        error = await opening_fails(named(settings, name), rf"encoded in LATIN1, .*/{name}\)$")
        assert "ENCODING 'UTF8'" in error.advice
        with pytest.raises(StoreUnavailable, match="LATIN1"):
            await migrate_up(named(settings, name))
    finally:
        postgres_server.sql(f"DROP DATABASE {name} WITH (FORCE)")


async def test_s01_a_server_that_is_too_old_is_refused_with_a_sentence(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = "SELECT 130014, '13.14 (Debian 13.14-1)', current_setting('server_encoding')"
    monkeypatch.setattr("visiona.stores.sql.postgres_connect._FACTS", facts)
    await opening_fails(
        settings, r"PostgreSQL 13\.14 .*, and 14 is the oldest that can be used \(postgresql://"
    )


async def test_s01_a_wrong_password_is_told_at_once_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with PostgresServer(password="the right one") as server:
        settings = StoreSettings(server.url("postgres", password=SECRET), tmp_path)
        error = await opening_fails(settings, r"^the database does not let this user in \(postgresql://127")
        assert "database.url" in error.advice
        assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in caplog.text


async def test_s01_a_command_does_not_wait_for_a_database_that_is_not_running(tmp_path: Path) -> None:
    settings = StoreSettings(f"postgresql://ann:{SECRET}@127.0.0.1:{free_port()}/v", tmp_path)
    error = await opening_fails(settings, "^the database cannot be reached", exclusive=False)
    assert "host and port" in error.advice
    for deed in (schema_status, migrate_up):
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await deed(settings)


async def test_s07_a_server_waits_a_while_for_a_database_that_starts_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with PostgresServer(starts=False) as server:
        settings = StoreSettings(server.url(), tmp_path)

        async def start_it() -> None:
            await until(lambda: caplog.records)
            await trio.to_thread.run_sync(server.start)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start_it)
            async with open_stores(settings, exclusive=True) as stores:
                await stores.pings["database"]()
    (line,) = caplog.records
    assert line.getMessage() == "the database cannot be reached yet"
    assert vars(line)["database"] == str(settings.postgres)


async def test_s07_a_server_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening_postgres, "START_SECONDS", 0.3)
    await opening_fails(
        StoreSettings(f"postgresql://127.0.0.1:{free_port()}/v", tmp_path), "cannot be reached"
    )
    assert len(caplog.records) == 1


async def test_s01_a_black_hole_at_the_start_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening_postgres, "START_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, trio.fail_after(5):
        settings = StoreSettings(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/v", tmp_path)
        await opening_fails(settings, "the database took too long")


async def test_s01_what_is_no_postgresql_is_told_in_a_sentence(tmp_path: Path) -> None:
    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, babble, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        for mode in ("disable", "prefer", "require"):
            settings = StoreSettings(f"postgresql://127.0.0.1:{port}/v?sslmode={mode}", tmp_path)
            await opening_fails(settings, "^the (connection to the )?database", exclusive=False)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("query", ["sslmode=verify-full&sslrootcert=/nowhere.pem", "sslnegotiation=sideways"])
async def test_s07_what_the_driver_refuses_is_told_in_a_sentence(tmp_path: Path, query: str) -> None:
    settings = StoreSettings(f"postgresql://ann:{SECRET}@127.0.0.1:1/v?{query}", tmp_path)
    with trio.fail_after(5):
        await opening_fails(settings, "^the database cannot be reached")


async def test_a_command_does_not_migrate_under_a_running_server(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await stores.pings["database"]()
        await stores.write(forget_a_step)
        with pytest.raises(SchemaMismatch, match="restart that server"):
            async with open_stores(settings, exclusive=False):
                pass
        with pytest.raises(SchemaMismatch, match="restart that server"):
            await migrate_up(settings)


async def test_a_command_works_while_a_server_serves(settings: StoreSettings) -> None:
    async with (
        open_stores(settings, exclusive=True) as server,
        open_stores(settings, exclusive=False) as command,
    ):
        mark = await server.change_mark()
        await put(command, a_user())
        assert await server.change_mark() != mark


async def test_s01_a_schema_of_a_newer_program_is_refused(settings: StoreSettings) -> None:
    async def add_a_step(tx: Tx) -> None:
        port = tx.users._tx
        await port.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 'x', 0)")

    async with open_stores(settings, exclusive=True) as stores:
        await stores.write(add_a_step)
    for exclusive in (True, False):
        with pytest.raises(SchemaMismatch, match="newer visiona"):
            async with open_stores(settings, exclusive=exclusive):
                pass


async def test_what_the_block_raises_comes_out_as_it_is(settings: StoreSettings) -> None:
    cause = ValueError()
    with pytest.raises(KeyError) as caught:
        async with open_stores(settings, exclusive=True):
            raise KeyError from cause
    assert caught.value.__cause__ is cause


async def test_servers_are_told_from_commands_on_the_server(
    postgres_server: PostgresServer | NamedPostgres, settings: StoreSettings
) -> None:
    sql = f"""SELECT application_name FROM pg_stat_activity
        WHERE datname = '{settings.postgres.database}' ORDER BY 1"""
    async with (
        open_stores(settings, exclusive=True) as server,
        open_stores(settings, exclusive=False) as command,
    ):
        for stores in (server, command):
            await stores.pings["database"]()
        assert postgres_server.sql(sql).split("\n") == ["visiona command", "visiona server"]


async def forget_a_step(tx: Tx) -> None:
    port = tx.users._tx
    await port.execute(
        "DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)"
    )
