import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
from visiona.domain.access import ALL_SCOPES
from visiona.domain.errors import PairingRefused
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.identify import identify_program
from visiona.services.pair_device import create_pairing_token
from visiona.services.tokens import create_access_token, list_access_tokens
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx
from visiona.stores.opening import migrate_up
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.sqlite import SqliteStores
from visiona.stores.sql.sqlite_file import ROOM_BYTES, connect

from tests.support.nouns import NOW, Home, a_home, a_user, put


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    settings = StoreSettings(None, tmp_path)
    await migrate_up(settings)
    return settings.database_file


@pytest.fixture
async def stores(path: Path) -> AsyncIterator[SqliteStores]:
    with closing(SqliteStores(path)) as opened:
        yield opened


@pytest.fixture
async def home(stores: SqliteStores) -> Home:
    return await a_home(stores)


def damage(path: Path) -> None:
    """Overwrites what lies behind the schema."""
    with closing(connect(path, "normal")) as connection:
        (schema_pages,) = connection.execute("SELECT max(rootpage) FROM sqlite_schema").fetchone()
    content = bytearray(path.read_bytes())
    content[4096 * schema_pages :] = b"\xaa" * (len(content) - 4096 * schema_pages)
    path.write_bytes(content)


async def emails(stores: Stores) -> list[str]:
    return [user.email for user in await stores.read(lambda tx: tx.users.list_all(1000))]


async def test_another_programs_lock_is_waited_for(stores: SqliteStores, path: Path) -> None:
    with closing(connect(path, "normal")) as other:
        other.execute("BEGIN IMMEDIATE")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(put, stores, a_user())
            await trio.sleep(0.05)
            assert await emails(stores) == []
            other.execute("COMMIT")
    assert await emails(stores) == ["ada@example.com"]


async def test_a_lock_that_is_never_given_back_is_told_within_two_seconds(
    stores: SqliteStores, path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with closing(connect(path, "normal")) as other:
        other.execute("BEGIN IMMEDIATE")
        began = trio.current_time()
        with pytest.raises(StoreUnavailable, match="another program") as caught:
            await put(stores, a_user())
        assert 2.0 <= trio.current_time() - began <= 2.5
        assert isinstance(caught.value.__cause__, sqlite3.Error)
        # Reading needs no lock.
        assert await emails(stores) == []
        await stores.ping()
        other.execute("ROLLBACK")
    await put(stores, a_user())


async def test_s01_a_locked_database_delays_no_caller_to_note_the_use_of_a_token(
    stores: SqliteStores, home: Home, path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    token = await create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    with closing(connect(path, "normal")) as other:
        other.execute("BEGIN IMMEDIATE")
        began = trio.current_time()
        assert (await identify_program(stores, token.text, NOW)).user_id == home.user.id
        assert trio.current_time() == began
        other.execute("ROLLBACK")
    await identify_program(stores, token.text, NOW)
    (listed,) = await list_access_tokens(stores, home.user.id)
    assert listed.last_used_at == NOW


async def test_s03_who_pings_a_database_that_takes_no_writes_hears_of_it_until_it_does(
    stores: SqliteStores, caplog: pytest.LogCaptureFixture
) -> None:
    await stores.ping()
    stores._writer.execute("PRAGMA query_only = ON")
    # Nothing was written yet, so nobody knows.
    await stores.ping()
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await put(stores, a_user())
    (line,) = caplog.records
    assert line.getMessage() == "the database cannot be asked: the database cannot be written to"
    assert vars(line)["code"] == "SQLITE_READONLY"
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="writing fails: the database cannot be written to"):
            await stores.ping()
    assert len(caplog.records) == 1
    assert await emails(stores) == []
    stores._writer.execute("PRAGMA query_only = OFF")
    await stores.ping()
    await put(stores, a_user())


async def test_s03_on_a_full_disk_a_small_write_that_succeeds_ends_no_trouble(
    stores: SqliteStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one that failed gives back a little room, enough for the ping's page and not for the next large one."""
    free = 4096
    monkeypatch.setattr("visiona.stores.sql.sqlite.free_bytes", lambda _: free)
    (pages,) = stores._writer.execute("PRAGMA page_count").fetchone()
    stores._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        await put(stores, *[a_user(f"{n}@example.com") for n in range(100)])
    for _ in range(3):
        await put(stores, a_user(f"{_}@example.com"))
        with pytest.raises(StoreUnavailable, match="writing fails: the disk of the database is full"):
            await stores.ping()
    free = ROOM_BYTES
    await stores.ping()


async def test_a_write_that_succeeds_ends_the_trouble_too(stores: SqliteStores) -> None:
    stores._writer.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable):
        await put(stores, a_user())
    stores._writer.execute("PRAGMA query_only = OFF")
    await put(stores, a_user())
    stores._writer.execute("PRAGMA query_only = ON")
    await stores.ping()


async def test_a_lock_is_no_trouble_with_writing(
    stores: SqliteStores, path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    with closing(connect(path, "normal")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program"):
            await put(stores, a_user())
        assert [vars(line)["code"] for line in caplog.records] == ["SQLITE_BUSY"]
        with pytest.raises(StoreUnavailable, match="another program"):
            await stores.write(lambda tx: tx.notices.last_id(), waits=False)
        assert len(caplog.records) == 1
        await stores.ping()
        other.execute("ROLLBACK")


async def test_waiting_for_a_lock_can_be_cancelled(stores: SqliteStores, path: Path) -> None:
    with closing(connect(path, "normal")) as other:
        other.execute("BEGIN IMMEDIATE")
        with trio.move_on_after(0.05) as scope:
            await put(stores, a_user())
        assert scope.cancelled_caught
        other.execute("ROLLBACK")
    assert await emails(stores) == []
    await put(stores, a_user())


async def test_a_reader_sees_one_picture_while_another_program_writes(
    stores: SqliteStores, path: Path
) -> None:
    with closing(connect(path, "normal")) as other:

        async def look_twice(tx: Tx) -> tuple[int, int]:
            first = len(await tx.users.list_all(10))
            other.execute("INSERT INTO users VALUES ('1', 'b@example.com', 'b', NULL, 0, 0, NULL)")
            return first, len(await tx.users.list_all(10))

        assert await stores.read(look_twice) == (0, 0)
        assert await emails(stores) == ["b@example.com"]


async def test_p01_racers_in_two_programs_get_one_token(stores: SqliteStores, home: Home, path: Path) -> None:
    text = (await create_pairing_token(stores, home.actor, NOW)).text
    outcomes: Counter[str] = Counter()

    async def racer(racing: Stores) -> None:
        try:
            await exchange(racing, text, NOW, DeviceClaims(serial_number="S1"))
            outcomes["exchanged"] += 1
        except PairingRefused as refused:
            outcomes[refused.code] += 1

    with closing(SqliteStores(path)) as other:
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(racer, (stores, other)[number % 2])
    assert outcomes == {"exchanged": 1, "PAIRING_TOKEN_USED": 99}


async def test_s03_a_full_disk_is_told_and_leaves_nothing_half(stores: SqliteStores) -> None:
    await put(stores, a_user("first@example.com"))
    (pages,) = stores._writer.execute("PRAGMA page_count").fetchone()
    stores._writer.execute(f"PRAGMA max_page_count = {pages}")
    written = 1

    async def write_for_ever() -> None:
        nonlocal written
        while True:
            await put(stores, *[a_user(f"{written}-{n}@example.com") for n in range(20)])
            written += 20

    with pytest.raises(StoreUnavailable, match="disk of the database is full") as caught:
        await write_for_ever()
    assert caught.value.retry_after_seconds >= 10
    assert len(await emails(stores)) == written
    await stores.ping()
    stores._writer.execute(f"PRAGMA max_page_count = {pages * 100}")
    await put(stores, a_user("after@example.com"))


async def test_s03_a_file_that_became_read_only_can_still_be_read(stores: SqliteStores) -> None:
    await put(stores, a_user())
    stores._writer.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await put(stores, a_user("bob@example.com"))
    assert await emails(stores) == ["ada@example.com"]


async def test_s03_damage_met_while_serving_is_told_without_the_drivers_text(
    stores: SqliteStores, path: Path
) -> None:
    await put(stores, *[a_user(f"{number}@example.com") for number in range(500)])
    stores._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(path)
    with closing(SqliteStores(path)) as fresh, pytest.raises(StoreUnavailable, match="damaged") as caught:
        await fresh.read(lambda tx: tx.users.list_all(1000))
    assert "malformed" not in str(caught.value)


async def test_a_commit_that_fails_undoes_the_transaction(stores: SqliteStores) -> None:
    """Deferred promises are checked at the end; one that is broken leaves nothing."""
    stores._writer.execute("PRAGMA defer_foreign_keys = OFF")

    async def break_a_promise_late(tx: Tx) -> None:
        stores._writer.execute("PRAGMA defer_foreign_keys = ON")
        await tx.users.add(a_user())
        stores._writer.execute("INSERT INTO memberships VALUES ('none', 'none', 'owner', 0)")

    with pytest.raises(Exception, match="reference"):
        await stores.write(break_a_promise_late)
    assert await emails(stores) == []
    await put(stores, a_user())


async def test_a_transaction_kept_beyond_its_end_is_a_bug(stores: SqliteStores) -> None:
    kept: list[Tx] = []

    async def keep(tx: Tx) -> None:
        kept.append(tx)

    for run in (stores.read, stores.write):
        await run(keep)
        with pytest.raises(RuntimeError, match="has ended"):
            await kept.pop().users.list_all(1)


async def test_a_text_that_is_no_sql_is_a_bug_and_not_an_outage(stores: SqliteStores) -> None:
    async def mistake(_: Tx) -> None:
        await stores._writing.fetch_all("SELECT nonsense FROM nowhere")

    with pytest.raises(sqlite3.OperationalError):
        await stores.write(mistake)
    await put(stores, a_user())


async def test_a_closed_store_does_not_answer(path: Path) -> None:
    stores = SqliteStores(path)
    stores.close()
    with pytest.raises(sqlite3.ProgrammingError):
        await stores.change_mark()


async def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        SqliteStores(tmp_path / "none" / "visiona.db")


async def test_durable_writes_can_be_asked_for(path: Path) -> None:
    for synchronous, level in (("normal", 1), ("full", 2)):
        with closing(SqliteStores(path, synchronous)) as stores:
            assert stores._writer.execute("PRAGMA synchronous").fetchone() == (level,)
            await put(stores, a_user(f"{synchronous}@example.com"))
