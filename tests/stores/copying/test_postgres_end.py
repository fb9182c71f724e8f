"""PostgreSQL as either end: what holds for SQLite (test_backup.py) holds here, and what only a server can do."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from visiona.domain.notices import NoticeKind
from visiona.domain.users import User
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.moving import move_to_postgres
from visiona.stores.copying.postgres_end import PostgresEnd
from visiona.stores.copying.tables import LEDGER, TABLES, Kind, tables_at
from visiona.stores.errors import StoreUnavailable
from visiona.stores.opening import migrate_up, open_stores, schema_status
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import sqlite_migrate
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite_file import connect

from tests.stores.copying.sample import dump, fill, filled, filled_with_many
from tests.stores.copying.test_backup import backed_up, cancelled, names_in, restored
from tests.stores.copying.watching import Watching
from tests.support.nouns import NOW, a_home
from tests.support.servers.postgres import NamedPostgres, PostgresServer

Server = PostgresServer | NamedPostgres

TYPES = {"text": Kind.TEXT, "bigint": Kind.INTEGER, "boolean": Kind.BOOLEAN, "text[]": Kind.TEXTS}


def name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture
def empty(postgres_server: Server, tmp_path: Path) -> StoreSettings:
    """A database in which nothing is, not even a schema."""
    return StoreSettings(postgres_server.create_database(), tmp_path / "empty")


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """To be killed and frozen."""
    with PostgresServer() as server:
        yield server


async def person(settings: StoreSettings, email: str = "ada@example.com") -> User | None:
    async with open_stores(settings, exclusive=False) as stores:
        return await stores.read(lambda tx: tx.users.by_email_or_none(email))


async def test_every_table_and_column_of_the_schema_is_copied(
    postgres_server: Server, empty: StoreSettings
) -> None:
    await migrate_up(empty)
    sql = """SELECT relname || ' ' || string_agg(attname || ' ' || format_type(atttypid, NULL), ' ' ORDER BY attnum)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY relname"""
    found = {}
    for line in postgres_server.sql(sql, name_of(empty.url or "")).splitlines():
        name, *words = line.split()
        found[name] = list(zip(words[::2], (TYPES[word] for word in words[1::2]), strict=True))
    found.pop(LEDGER)
    now = tables_at(known_migrations()[-1].number)
    assert {table.name: [(each.name, each.kind) for each in table.columns] for table in now} == found


async def test_from_sqlite_through_postgresql_and_back_nothing_changes(
    tmp_path: Path, empty: StoreSettings
) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    before = dump(old.database_file)
    watching = Watching()
    digests = (await move_to_postgres(old, empty.postgres, watching)).digests
    assert watching.rows == watching.total == 2 * sum(digest.rows for digest in digests.values())
    assert digests.keys() == {table.name for table in TABLES}
    assert dump(old.database_file) == before
    written = await backed_up(empty, tmp_path / "file.zip")
    assert written.engine == "postgresql"
    assert {table.name: table.digest for table in written.tables} == digests
    await restored(new, tmp_path / "file.zip")
    assert dump(new.database_file) == before


async def test_a_server_on_postgresql_can_use_what_was_restored(
    tmp_path: Path, postgres_server: Server, empty: StoreSettings
) -> None:
    old = await filled(tmp_path / "old")
    with connect(old.database_file, "off") as connection:
        connection.execute("UPDATE notices SET id = 70")
    await backed_up(old, tmp_path / "file.zip")
    await restored(empty, tmp_path / "file.zip")
    assert (empty.state_dir / "session.key").read_bytes() == b"sealing\n"
    status = await schema_status(empty)
    assert status is not None
    assert status.pending == ()
    # The planner knows what came, before it is asked the first time.
    known = "SELECT reltuples FROM pg_class WHERE relname = 'devices'"
    assert postgres_server.sql(known, name_of(empty.url or "")) == "2"
    async with open_stores(empty, exclusive=True) as stores:
        await a_home(stores, "carl@example.com")
        await stores.write(lambda tx: tx.notices.append(NoticeKind.USER_DISABLED, "b", NOW))
        assert await stores.read(lambda tx: tx.notices.last_id()) == 71


async def test_servers_go_on_writing_and_the_backup_is_of_one_moment(
    tmp_path: Path, empty: StoreSettings
) -> None:
    async with open_stores(empty, exclusive=True) as stores:
        await fill(stores)
        token = trio.lowlevel.current_trio_token()

        def somebody_signs_up() -> None:
            trio.from_thread.run(a_home, stores, "later@example.com", trio_token=token)

        await backed_up(empty, tmp_path / "file.zip", Watching(1, somebody_signs_up))
        assert await stores.read(lambda tx: tx.users.by_email_or_none("later@example.com")) is not None
    new = StoreSettings(None, tmp_path / "new")
    await restored(new, tmp_path / "file.zip")
    assert "later@example.com" not in "\n".join(dump(new.database_file))


async def test_rows_of_an_old_schema_are_brought_up_to_date(tmp_path: Path, empty: StoreSettings) -> None:
    old = StoreSettings(None, tmp_path / "old")
    old.state_dir.mkdir()
    with connect(old.database_file, "off") as connection:
        sqlite_migrate.up(connection, known_migrations()[:3])
        connection.execute("INSERT INTO users VALUES ('u', 'ada@example.com', 'Ada', NULL, 1, 5, NULL)")
        connection.execute("INSERT INTO workspaces VALUES ('w', 'Lab', 'u', 5, 5, NULL)")
        connection.execute(
            "INSERT INTO devices (id, workspace_id, user_id, name, device_type, created_at, updated_at, tags,"
            " accelerators) VALUES ('d', 'w', 'u', 'Gate', 'edge', 5, 5, '[\"a,b\",\"\"]', '[]')"
        )
    await move_to_postgres(old, empty.postgres, Watching())
    async with open_stores(empty, exclusive=True) as stores:
        (device,) = await stores.read(lambda tx: tx.devices.list_all(10))
    assert device.tags == ("a,b", "")


async def test_what_is_there_is_lost_only_when_asked(tmp_path: Path, empty: StoreSettings) -> None:
    async with open_stores(empty, exclusive=True) as stores:
        await a_home(stores, "bob@example.com")
    old = await filled(tmp_path / "old")
    await backed_up(old, tmp_path / "file.zip")
    for attempt in (
        restored(empty, tmp_path / "file.zip"),
        move_to_postgres(old, empty.postgres, Watching()),
    ):
        with pytest.raises(CopyRefused, match="not empty") as caught:
            await attempt
        assert caught.value.code == "NOT_EMPTY"
    await restored(empty, tmp_path / "file.zip", replaces=True)
    again = await backed_up(empty, tmp_path / "again.zip")
    assert again.tables == (await backed_up(old, tmp_path / "third.zip")).tables


async def test_nothing_is_put_under_a_running_server(tmp_path: Path, empty: StoreSettings) -> None:
    old = await filled(tmp_path / "old")
    await backed_up(old, tmp_path / "file.zip")
    async with open_stores(empty, exclusive=True) as stores:
        await stores.ping()
        for attempt in (
            restored(empty, tmp_path / "file.zip", replaces=True),
            move_to_postgres(old, empty.postgres, Watching()),
        ):
            with pytest.raises(CopyRefused, match="stop it first"):
                await attempt


@pytest.mark.parametrize("has_schema", [False, True])
async def test_a_server_that_starts_meanwhile_waits_for_the_rows(
    tmp_path: Path, empty: StoreSettings, has_schema: bool
) -> None:
    await backed_up(await filled(tmp_path / "old"), tmp_path / "file.zip")
    if has_schema:
        await migrate_up(empty)
    token = trio.lowlevel.current_trio_token()
    found: list[User | None] = []

    async def serve() -> None:
        async with open_stores(empty, exclusive=True) as stores:
            found.append(await stores.read(lambda tx: tx.users.by_email_or_none("ada@example.com")))

    async with trio.open_nursery() as nursery:

        def start_one() -> None:
            trio.from_thread.run_sync(nursery.start_soon, serve, trio_token=token)

        await restored(empty, tmp_path / "file.zip", Watching(20, start_one))
    assert [user and user.email for user in found] == ["ada@example.com"]


async def test_a_server_on_the_file_keeps_it_from_moving(tmp_path: Path, empty: StoreSettings) -> None:
    old = await filled(tmp_path / "old")
    async with open_stores(old, exclusive=True):
        with pytest.raises(CopyRefused, match="stop it first") as caught:
            await move_to_postgres(old, empty.postgres, Watching())
    assert caught.value.code == "IN_USE"


async def test_nobody_writes_to_the_file_while_it_moves(tmp_path: Path, empty: StoreSettings) -> None:
    old = await filled(tmp_path / "old")
    token = trio.lowlevel.current_trio_token()
    answers: list[type] = []

    async def sign_up() -> None:
        async with open_stores(old, exclusive=False) as stores:
            answers.append(type(await stores.read(lambda tx: tx.users.by_email_or_none("ada@example.com"))))
            try:
                await a_home(stores, "later@example.com")
            except StoreUnavailable as error:
                answers.append(type(error))

    watching = Watching(3, lambda: trio.from_thread.run(sign_up, trio_token=token))
    await move_to_postgres(old, empty.postgres, watching)
    assert answers == [User, StoreUnavailable]


async def test_tables_of_another_program_are_left_alone(
    tmp_path: Path, postgres_server: Server, empty: StoreSettings
) -> None:
    await backed_up(await filled(tmp_path / "old"), tmp_path / "file.zip")
    postgres_server.sql(
        "CREATE TABLE users (theirs text); CREATE TABLE other (x text)", name_of(empty.url or "")
    )
    with pytest.raises(CopyRefused, match=r"another program \(users\)"):
        await restored(empty, tmp_path / "file.zip", replaces=True)
    # Beside tables of other names there is room.
    postgres_server.sql("DROP TABLE users", name_of(empty.url or ""))
    await restored(empty, tmp_path / "file.zip")
    assert postgres_server.sql("SELECT count(*) FROM other", name_of(empty.url or "")) == "0"


async def test_a_schema_of_a_later_version_is_left_alone(
    tmp_path: Path, postgres_server: Server, empty: StoreSettings
) -> None:
    await backed_up(await filled(tmp_path / "old"), tmp_path / "file.zip")
    await migrate_up(empty)
    later = f"INSERT INTO {LEDGER} VALUES (9999, 'future', 'x', 0)"
    postgres_server.sql(later, name_of(empty.url or ""))
    with pytest.raises(CopyRefused, match="another version of visiona"):
        await restored(empty, tmp_path / "file.zip", replaces=True)


async def test_there_is_nothing_to_back_up(tmp_path: Path, empty: StoreSettings) -> None:
    with pytest.raises(CopyRefused, match="there is nothing") as caught:
        await backed_up(empty, tmp_path / "file.zip")
    assert caught.value.code == "NOTHING_THERE"


async def test_a_text_that_postgresql_cannot_keep_is_named(tmp_path: Path, empty: StoreSettings) -> None:
    old = await filled(tmp_path / "old")
    with connect(old.database_file, "off") as connection:
        connection.execute("UPDATE users SET id = 'u', name = 'a' || char(0) || 'b' WHERE email LIKE 'bob%'")
    with pytest.raises(CopyRefused, match=r"users: 'u' holds a character of code 0") as caught:
        await move_to_postgres(old, empty.postgres, Watching())
    assert caught.value.code == "CANNOT_HOLD"
    status = await schema_status(empty)
    assert status is not None
    assert status.applied == ()


async def test_who_may_not_is_told_without_a_secret(tmp_path: Path) -> None:
    old = await filled(tmp_path / "old")
    with PostgresServer(password="sesame") as server:
        address = StoreSettings(server.url("postgres", password="wrong-one"), tmp_path).postgres
        with pytest.raises(StoreUnavailable, match="does not let this user in") as caught:
            await move_to_postgres(old, address, Watching())
        assert "wrong-one" not in str(caught.value)
        assert "password in database.url" in caught.value.advice
        nobody = dataclasses.replace(address, dsn=server.url("nowhere"), database="nowhere")
        with pytest.raises(StoreUnavailable, match="is not there"):
            await move_to_postgres(old, nobody, Watching())


@pytest.mark.parametrize("at", [1, 8, 20, 35])
async def test_a_cancelled_copy_leaves_nothing(
    tmp_path: Path, postgres_server: Server, empty: StoreSettings, at: int
) -> None:
    old = await filled_with_many(tmp_path / "old", rows=5000)
    assert await cancelled(lambda progress: move_to_postgres(old, empty.postgres, progress), at)
    await backed_up(old, tmp_path / "file.zip")
    assert await cancelled(lambda progress: restored(empty, tmp_path / "file.zip", progress), at)
    assert not empty.state_dir.exists()
    await move_to_postgres(old, empty.postgres, Watching())
    assert await cancelled(lambda progress: backed_up(empty, tmp_path / "again.zip", progress), at)
    assert names_in(tmp_path) == ["file.zip", "old"]
    connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with trio.fail_after(5):
        while postgres_server.sql(connections, name_of(empty.url or "")) != "1":  # noqa: ASYNC110 - another process
            await trio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_server_that_is_killed_in_the_middle_is_a_sentence(
    tmp_path: Path, own_server: PostgresServer
) -> None:
    old = await filled_with_many(tmp_path / "old", rows=5000)
    empty = StoreSettings(own_server.create_database(), tmp_path / "empty")
    with pytest.raises(StoreUnavailable, match="database"):
        await move_to_postgres(old, empty.postgres, Watching(8, own_server.kill))
    own_server.start()
    status = await schema_status(empty)
    assert status is not None
    assert status.applied == ()
    await move_to_postgres(old, empty.postgres, Watching())
    with pytest.raises(StoreUnavailable, match="database"):
        await backed_up(empty, tmp_path / "file.zip", Watching(8, own_server.kill))
    assert names_in(tmp_path) == ["old"]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("is_told", [True, False])
async def test_a_server_that_is_frozen_is_left(
    tmp_path: Path, own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """By Ctrl-C at once, and after a while by itself."""
    old = await filled_with_many(tmp_path / "old", rows=5000)
    empty = StoreSettings(own_server.create_database(), tmp_path / "empty")
    if not is_told:
        monkeypatch.setitem(PostgresEnd._ask.__kwdefaults__, "seconds", 1.0)
    frozen_at = 0.0

    def freeze() -> None:
        nonlocal frozen_at
        own_server.freeze()
        frozen_at = trio.from_thread.run_sync(trio.current_time, trio_token=token)
        if is_told:
            trio.from_thread.run_sync(scope.cancel, trio_token=token)

    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        if is_told:
            await move_to_postgres(old, empty.postgres, Watching(8, freeze))
        else:
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await move_to_postgres(old, empty.postgres, Watching(8, freeze))
    assert scope.cancelled_caught == is_told
    assert 0 < trio.current_time() - frozen_at < 5
    own_server.thaw()
    monkeypatch.undo()
    await move_to_postgres(old, empty.postgres, Watching())
    assert await person(empty) is not None
