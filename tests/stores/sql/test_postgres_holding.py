"""What one transaction holds, and whom that keeps waiting, on PostgreSQL: seen with another connection in between."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest
import trio
from visiona.domain.access import Role
from visiona.domain.errors import NotFound
from visiona.domain.ids import WorkspaceId
from visiona.domain.sessions import TOUCH_INTERVAL
from visiona.services import devices, sessions, sign_in
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.housekeeping import KEEP_SESSION_TOKENS, purge_expired
from visiona.services.invitations import invite
from visiona.services.members import change_role, remove_member
from visiona.services.move_device import move_device
from visiona.services.pair_device import create_pairing_token
from visiona.services.workspaces import delete_workspace, rename_workspace
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx

from tests.support.databases import SharedDatabase
from tests.support.engines import Place, opened
from tests.support.nouns import LATER, NOW, Home, a_home, put
from tests.support.shared import a_team

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

    def found(self, sql: str) -> list[object]:
        """The first column."""
        return [row[0] for row in self._loop.run_sync(self._connection.fetch(sql))]

    def close(self) -> None:
        self._connection.terminate()

    @contextlib.asynccontextmanager
    async def keeps_waiting(self, waiter: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Starts the waiter; within the block it waits for us, at its end for it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            with trio.fail_after(10):
                while not self._loop.run_sync(self._connection.fetchval(WAITING)):  # noqa: ASYNC110 - no event
                    await trio.sleep(0.005)
            yield


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
    other.ask("SET LOCAL lock_timeout = '2s'")

    async def hold(tx: Tx) -> None:
        assert await tx.users.lock_or_none(home.user.id) == home.user
        assert await tx.devices.lock_or_none(device.id) == device
        assert await tx.devices.lock_known([device.id]) == {device.id}
        # Meanwhile, elsewhere:
        other.ask("SELECT 1 FROM users CROSS JOIN devices")
        other.ask(
            "INSERT INTO device_events (id, device_id, kind, at) VALUES ('e', $1, 'paired', 1)", device.id
        )
        other.ask("INSERT INTO identities VALUES ('i', 's', $1, 1)", home.user.id)
        with pytest.raises(asyncpg.LockNotAvailableError):
            other.ask("SELECT 1 FROM devices FOR NO KEY UPDATE NOWAIT")

    await stores.write(hold)


async def test_p09_a_stranger_neither_waits_for_a_workspace_nor_holds_it(
    stores: Stores, home: Home, other: Other
) -> None:
    """Or anybody who knows its id could keep its people waiting, and tell by the time whether it is there."""
    lab, *_ = await a_team(stores, home)
    stranger = (await a_home(stores, "stranger@example.com")).actor
    other.ask("SELECT 1 FROM workspaces FOR UPDATE")
    nowhere = WorkspaceId("01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f")
    with trio.fail_after(1.5):
        for where in (lab.id, nowhere):
            for act in (
                rename_workspace(stores, stranger, where, "x", NOW),
                delete_workspace(stores, stranger, where, NOW),
                invite(stores, stranger, where, "eve@example.com", Role.ADMIN, NOW),
                remove_member(stores, stranger, where, stranger.user_id, NOW),
                change_role(stores, stranger, where, home.user.id, Role.MEMBER, NOW),
            ):
                with pytest.raises(NotFound):
                    await act


async def test_p09_nor_does_a_stranger_hold_a_device(stores: Stores, home: Home, other: Other) -> None:
    device = home.device()
    await put(stores, device)
    stranger = (await a_home(stores, "stranger@example.com")).actor
    other.ask("SELECT 1 FROM devices FOR UPDATE")
    with trio.fail_after(1.5):
        for act in (
            devices.unpair(stores, stranger, device.id, NOW),
            devices.rename_and_tag(stores, stranger, device.id, NOW, name="mine"),
            move_device(stores, stranger, device.id, stranger.personal_workspace, NOW),
        ):
            with pytest.raises(NotFound):
                await act


async def test_who_holds_waits_and_then_sees_it_as_it_is(stores: Stores, home: Home, other: Other) -> None:
    device = home.device()
    await put(stores, device)
    other.ask("UPDATE devices SET deleted_at = $1, updated_at = $1", 1)

    async def unpair() -> None:
        with pytest.raises(NotFound):
            await devices.unpair(stores, home.actor, device.id, LATER)

    async with other.keeps_waiting(unpair):
        other.ask("COMMIT")
    assert await stores.read(lambda tx: tx.notices.last_id()) == 0


async def test_who_holds_after_the_other_gave_up_does_it_all(
    stores: Stores, home: Home, other: Other
) -> None:
    device = home.device()
    await put(stores, device)
    other.ask("UPDATE devices SET deleted_at = $1, updated_at = $1", 1)
    async with other.keeps_waiting(lambda: devices.remove_device(stores, device.id, LATER)):
        other.ask("ROLLBACK")
    found = await stores.read(lambda tx: tx.devices.get_or_none(device.id))
    assert found is not None
    assert found.deleted_at == LATER


async def test_sessions_that_end_together_are_held_in_their_order(
    stores: Stores, home: Home, other: Other
) -> None:
    """Else two who end the same ones could wait for each other."""
    found = sorted((home.session() for _ in range(20)), key=lambda session: session.id)
    for session in reversed(found):
        await stores.sessions.create(session)
    other.ask("SELECT 1 FROM user_sessions WHERE id = $1 FOR UPDATE", found[10].id)
    async with other.keeps_waiting(lambda: stores.sessions.delete_of_user(home.user.id, LATER)):
        free = other.found("SELECT id FROM user_sessions ORDER BY id FOR UPDATE SKIP LOCKED")
        assert free == [session.id for session in found[10:]]
        other.ask("COMMIT")
    assert await stores.sessions.list_of_user(home.user.id, NOW) == []


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

    async with other.keeps_waiting(pair):
        other.ask("COMMIT")
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
