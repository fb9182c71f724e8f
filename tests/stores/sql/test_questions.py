"""Every question is answered by an index, and ten thousand devices are no reason to wait."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from visiona.domain.ids import UserId
from visiona.domain.models import ModelFilter, ModelSource
from visiona.services import device_timeline, devices
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.pair_device import create_pairing_token
from visiona.stores.opening import migrate_up
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.sqlite import SqliteStores

from tests.support.everything import do_everything
from tests.support.nouns import NOW, Home, a_home, put

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


async def test_each_filter_of_models_is_served_by_an_index(stores: SqliteStores) -> None:
    """Owner and source by one of their own; chips are looked at along it, within the index where it is the only one."""
    asked: list[str] = []
    stores._reader.set_trace_callback(asked.append)
    for given in product((None, UserId("u")), (None, "KL520"), (None, ModelSource.UPLOADED)):
        wanted = ModelFilter(*given)
        await stores.read(lambda tx, wanted=wanted: tx.models.list_in([], wanted, 50))
    stores._reader.set_trace_callback(None)
    used = [indexes_of(stores._reader, sql) for sql in asked if "FROM models" in sql]
    by_owner, by_both = {"models_of_owner"}, {"models_of_owner_and_source"}
    of_all = [{"models_of_workspace"}, {"models_of_source"}] * 2
    assert used == [*of_all, by_owner, by_both, by_owner, by_both]
    assert [scans_of(stores._reader, sql) for sql in asked if "FROM models" in sql] == [[]] * 8


def indexes_of(connection: sqlite3.Connection, sql: str) -> set[str]:
    plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    return {match[1] for detail in plan if (match := re.search(r"USING (?:COVERING )?INDEX (\w+)", detail))}


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


STEPS_AT_ONCE = 100


def counting_steps(stores: SqliteStores) -> list[None]:
    """Grows by one for each hundred instructions that SQLite's machine executes."""
    steps: list[None] = []
    for connection in (stores._reader, stores._writer):
        connection.set_progress_handler(lambda: steps.append(None), STEPS_AT_ONCE)
    return steps


def not_counting_steps(stores: SqliteStores) -> None:
    for connection in (stores._reader, stores._writer):
        connection.set_progress_handler(None, STEPS_AT_ONCE)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_p12_ten_thousand_devices_of_one_user_stay_fast(stores: SqliteStores) -> None:
    home = await ten_thousand_devices(stores)
    token = (await create_pairing_token(stores, home.actor, NOW)).text
    steps = counting_steps(stores)
    again = await exchange(stores, token, NOW, DeviceClaims(serial_number="S5000"))
    await devices.get_device(stores, home.actor, again.device_id)
    page = await devices.list_devices(stores, home.actor, limit=50)
    page = await devices.list_devices(stores, home.actor, limit=50, cursor=page.next_cursor)
    await device_timeline.record_connected(stores, again.device_id, NOW)
    # Some 3,000 of SQLite's instructions for five questions; a scan or a sort in one of them is a hundred thousand.
    assert len(steps) * STEPS_AT_ONCE < 10_000
    not_counting_steps(stores)
    assert [device.serial_number for device in page.items[:2]] == ["S9949", "S9948"]
    assert len((await devices.list_devices(stores, home.actor)).items) == 10_000
