"""What one transaction holds, and whom that keeps waiting, on PostgreSQL: seen with another connection in between."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest
import trio
from visiona.domain.errors import NotFound
from visiona.domain.sessions import TOUCH_INTERVAL
from visiona.services import devices, sessions, sign_in
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.housekeeping import KEEP_SESSION_TOKENS, purge_expired
from visiona.services.pair_device import create_pairing_token
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.databases import SharedDatabase
from tests.support.engines import Place, opened
from tests.support.nouns import LATER, NOW, Home, a_home, put

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def engine() -> str:
    return "postgres"


@pytest.fixture
async def stores(place: Place) -> AsyncIterator[Stores]:
    async with opened(place) as opened_stores:
        yield opened_stores


@pytest.fixture
async def home(stores: Stores) -> Home:
    return await a_home(stores)


class Other:
    """Another program's transaction on the same database."""

    def __init__(self, database: SharedDatabase) -> None:
        self._loop = database.loop
        self._connection: asyncpg.Connection = self._loop.run_sync(asyncpg.connect(database.url))
        self.ask("BEGIN")

    def ask(self, sql: str, *values: object) -> None:
        self._loop.run_sync(self._connection.execute(sql, *values))

    def close(self) -> None:
        self._connection.terminate()

    async def ask_while_waiting_for(self, sql: str, waiter: Callable[[], Awaitable[object]]) -> None:
        """Starts the waiter, and once it waits for us ends the transaction with that text."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            with trio.fail_after(10):
                while not self._loop.run_sync(self._connection.fetchval(WAITING)):  # noqa: ASYNC110 - no event
                    await trio.sleep(0.005)
            self.ask(sql)


@pytest.fixture
def other(place: Place) -> Iterator[Other]:
    assert place.database is not None
    with contextlib.closing(Other(place.database)) as made:
        yield made


async def test_who_reads_or_refers_to_what_is_held_does_not_wait(
    stores: Stores, home: Home, other: Other
) -> None:
    device = home.device()
    await put(stores, device)
    # As `lock_or_none` holds them.
    other.ask("SELECT 1 FROM devices FOR NO KEY UPDATE")
    other.ask("SELECT 1 FROM users FOR NO KEY UPDATE")
    with trio.fail_after(5):
        assert await stores.read(lambda tx: tx.devices.get_or_none(device.id)) == device
        await put(stores, home.session_token(device), home.access_token(), home.device())


async def test_who_holds_waits_and_then_sees_it_as_it_is(stores: Stores, home: Home, other: Other) -> None:
    device = home.device()
    await put(stores, device)
    other.ask("UPDATE devices SET deleted_at = $1, updated_at = $1", 1)

    async def unpair() -> None:
        with pytest.raises(NotFound):
            await devices.unpair(stores, home.actor, device.id, LATER)

    await other.ask_while_waiting_for("COMMIT", unpair)
    assert await stores.read(lambda tx: tx.notices.last_id()) == 0


async def test_who_holds_after_the_other_gave_up_does_it_all(
    stores: Stores, home: Home, other: Other
) -> None:
    device = home.device()
    await put(stores, device)
    other.ask("UPDATE devices SET deleted_at = $1, updated_at = $1", 1)
    await other.ask_while_waiting_for("ROLLBACK", lambda: devices.remove_device(stores, device.id, LATER))
    found = await stores.read(lambda tx: tx.devices.get_or_none(device.id))
    assert found is not None
    assert found.deleted_at == LATER


async def test_p12_a_unit_whose_device_is_being_made_elsewhere_becomes_that_device(
    stores: Stores, home: Home, other: Other
) -> None:
    text = (await create_pairing_token(stores, home.actor, NOW)).text
    other.ask(
        """INSERT INTO devices (id, workspace_id, user_id, name, device_type, serial_number, created_at, updated_at,
        tags, accelerators) VALUES ('theirs', $1, $2, 'n', 't', 'S1', 1, 1, '{}', '[]')""",
        home.workspace.id,
        home.user.id,
    )
    made = []

    async def pair() -> None:
        made.append(await exchange(stores, text, LATER, DeviceClaims(serial_number="S1")))

    await other.ask_while_waiting_for("COMMIT", pair)
    assert [each.device_id for each in made] == ["theirs"]


async def test_housekeeping_waits_for_nobody_and_leaves_out_what_is_held(
    stores: Stores, home: Home, other: Other
) -> None:
    device = home.device()
    tokens = [home.session_token(device) for _ in range(3)]
    await put(stores, device, *tokens)
    other.ask("SELECT 1 FROM session_tokens WHERE id = $1 FOR KEY SHARE", tokens[1].id)
    late = tokens[0].expires_at + KEEP_SESSION_TOKENS + (LATER - NOW)
    with trio.fail_after(5):
        assert (await purge_expired(stores, late))["session_tokens"] == 2
    other.ask("COMMIT")
    assert (await purge_expired(stores, late))["session_tokens"] == 1


async def test_a13_a_use_that_cannot_be_noted_at_once_is_not(stores: Stores, other: Other) -> None:
    claims = sign_in.Claims("https://id.example", "ada")
    done = await sign_in.sign_in(stores, claims, NOW)
    other.ask("SELECT 1 FROM user_sessions FOR UPDATE")
    at = NOW + TOUCH_INTERVAL
    with trio.fail_after(5):
        actor = await sessions.identify_session(stores, done.text, at)
        assert actor.expires_at == done.session.idle_expires_at
        with pytest.raises(StoreUnavailable):
            await stores.sessions.touch(done.session.token_hash, at)
    other.ask("COMMIT")
    assert (await sessions.identify_session(stores, done.text, at)).expires_at == at + done.session.idle
