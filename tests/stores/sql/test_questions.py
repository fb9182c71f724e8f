"""Every question is answered by an index, and ten thousand devices are no reason to wait."""

import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from visiona.domain.access import ALL_SCOPES
from visiona.domain.causes import Cause
from visiona.domain.sessions import PENDING_LOGIN_TTL, PendingLogin
from visiona.services import (
    device_timeline,
    devices,
    identify,
    one_time_links,
    sessions,
    sign_in,
    tokens,
    users,
)
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.housekeeping import purge_expired
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens, revoke_pairing_token
from visiona.stores.opening import migrate_up
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.sqlite import SqliteStores

from tests.support.nouns import NOW, Home, a_home, new_hash, put

# Housekeeping walks what it forgets; both are small and it is done once an hour. Whether anybody has a password is
# answered by the first entry of an index that holds nobody else. Sign-ins under way are ten thousand at the most, and
# counted along an index.
MAY_SCAN = (
    "DELETE FROM access_tokens",
    "DELETE FROM notices",
    "DELETE FROM pending_logins",
    "SELECT id FROM users WHERE password_hash IS NOT NULL LIMIT 1",
)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[SqliteStores]:
    settings = StoreSettings(None, tmp_path)
    await migrate_up(settings)
    with closing(SqliteStores(settings.database_file)) as opened:
        yield opened


async def do_everything(stores: SqliteStores) -> None:
    """Each service once."""
    user = await users.add_user(stores, "ada@example.com", None, NOW)
    await users.find_user(stores, "ada@example.com")
    await users.list_users(stores)
    made = await tokens.create_access_token(stores, user.id, "t", ALL_SCOPES, NOW)
    actor = await identify.identify_program(stores, made.text, NOW)
    await tokens.list_access_tokens(stores, user.id)
    pairing = await create_pairing_token(stores, actor, NOW)
    claims = DeviceClaims(serial_number="S1")
    await exchange(stores, pairing.text, NOW, claims, idempotency_key="k" * 16)
    exchanged = await exchange(stores, pairing.text, NOW, claims, idempotency_key="k" * 16)
    await exchange(stores, (await create_pairing_token(stores, actor, NOW)).text, NOW, claims)
    await identify.identify_session_token(stores, exchanged.session_token, NOW)
    device_id = exchanged.device_id
    await device_timeline.record_connected(stores, device_id, NOW)
    await device_timeline.record_inventory(stores, device_id, [], NOW)
    await device_timeline.record_disconnected(stores, device_id, NOW, Cause.TCP_RESET)
    await devices.list_devices(stores, actor, limit=1)
    await devices.list_all_devices(stores)
    await devices.get_device(stores, actor, device_id)
    await devices.device_events(stores, actor, device_id)
    await devices.rename_and_tag(stores, actor, device_id, NOW, name="x")
    for each in await list_pairing_tokens(stores, user.id):
        await revoke_pairing_token(stores, user.id, each.id, NOW)
    await devices.unpair(stores, actor, device_id, NOW)
    await stores.read(lambda tx: tx.notices.after(0, 10))
    await tokens.revoke_access_token(stores, made.token.id, NOW)
    await one_time_links.mint_first_admin_link(stores, NOW)
    link = await one_time_links.mint_sign_in_link(stores, user.id, NOW)
    await one_time_links.user_of_link(stores, link.text, NOW)
    await one_time_links.redeem_sign_in_link(stores, link.text, "hash", NOW)
    await sign_in_and_out(stores)
    await users.disable_user(stores, user.id, NOW)
    await users.enable_user(stores, user.id, NOW)
    await purge_expired(stores, NOW)


async def sign_in_and_out(stores: SqliteStores) -> None:
    pending = PendingLogin(new_hash(), new_hash(), "n", "v", "/", NOW, NOW + PENDING_LOGIN_TTL)
    await stores.pending_logins.create(pending)
    await stores.pending_logins.take(pending.state_hash, pending.browser_hash, NOW)
    claims = sign_in.Claims("https://id.example", "ada", "ada@example.com", True)
    first = await sign_in.sign_in(stores, claims, NOW)
    again = await sign_in.sign_in(stores, claims, NOW, replaces=first.text)
    later = NOW + timedelta(minutes=1)
    actor = await sessions.identify_session(stores, again.text, later)
    await sessions.current_session_or_none(stores, actor, later)
    await sessions.list_sessions(stores, again.user.id, later)
    await sessions.end_session(stores, again.session.id, later)
    await sessions.end_sessions_of_idp(stores, claims.issuer, later, subject="ada")
    await sessions.end_sessions_of_idp(stores, claims.issuer, later, idp_sid="sid")
    await sessions.end_all_sessions(stores, again.user.id, later)


async def test_no_question_reads_a_whole_table(stores: SqliteStores) -> None:
    asked: set[str] = set()
    for connection in (stores._reader, stores._writer):
        connection.set_trace_callback(asked.add)
    await do_everything(stores)
    for connection in (stores._reader, stores._writer):
        connection.set_trace_callback(None)
    asked = {sql for sql in asked if sql.split()[0] in {"SELECT", "UPDATE", "DELETE"}}
    assert len(asked) > 30
    scans = {
        sql: plan for sql in asked if (plan := scans_of(stores._reader, sql)) and not sql.startswith(MAY_SCAN)
    }
    assert scans == {}


def scans_of(connection: sqlite3.Connection, sql: str) -> list[str]:
    """What of the plan walks a table or sorts what it found; one user's few workspaces may be sorted.

    Neither one row of constants is a table, nor the list that came with the question.
    """
    plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    plan = [detail for detail in plan if not re.match("SCAN (CONSTANT ROW|json_each)", detail)]
    unwanted = ("SCAN",) if "FROM memberships" in sql else ("SCAN", "TEMP B-TREE")
    return [detail for detail in plan if any(word in detail for word in unwanted)]


async def ten_thousand_devices(stores: SqliteStores) -> Home:
    home = await a_home(stores)
    bob = await a_home(stores, "bob@example.com")
    for start in range(0, 10_000, 1000):
        mine = [
            home.device(serial_number=f"S{number}", created_at=NOW + timedelta(seconds=number))
            for number in range(start, start + 1000)
        ]
        await put(stores, *mine, bob.device(serial_number=f"S{start}"))
    return home


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_p12_ten_thousand_devices_of_one_user_stay_fast(stores: SqliteStores) -> None:
    home = await ten_thousand_devices(stores)
    token = (await create_pairing_token(stores, home.actor, NOW)).text
    began = time.perf_counter()
    again = await exchange(stores, token, NOW, DeviceClaims(serial_number="S5000"))
    await devices.get_device(stores, home.actor, again.device_id)
    page = await devices.list_devices(stores, home.actor, limit=50)
    page = await devices.list_devices(stores, home.actor, limit=50, cursor=page.next_cursor)
    await device_timeline.record_connected(stores, again.device_id, NOW)
    # Five questions, some two milliseconds in all; with a scan or a sort in one of them it would be a hundred.
    assert time.perf_counter() - began < 0.1
    assert [device.serial_number for device in page.items[:2]] == ["S9949", "S9948"]
    assert len((await devices.list_devices(stores, home.actor)).items) == 10_000
