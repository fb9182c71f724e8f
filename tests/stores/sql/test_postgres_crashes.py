"""What PostgreSQL keeps of a deed when either side of the connection is killed in the middle of it."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from visiona.services.devices import remove_device
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.pair_device import create_pairing_token
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx
from visiona.stores.opening import open_stores

from tests.support.databases import SharedDatabase
from tests.support.engines import Place
from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, a_home
from tests.support.servers.postgres import PostgresServer
from tests.support.side_loop import SideLoop

S1 = DeviceClaims(serial_number="S1")


@pytest.fixture
def engine() -> str:
    return "postgres"


async def prepared(stores: Stores, deed: str) -> str:
    """A home, and what the deed is done with: a pairing token, or a device."""
    home = await a_home(stores)
    text = (await create_pairing_token(stores, home.actor, NOW)).text
    return text if deed == "exchange" else (await exchange(stores, text, NOW, S1)).device_id


def deaths(*arguments: str) -> list[dict[str, list[str]]]:
    """What was kept after each death."""
    program = [sys.executable, "-m", "tests.support.dying_postgres", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("deed", ["exchange", "unpair"])
@pytest.mark.parametrize("when", ["before", "sent"])
async def test_s01_p02_a_program_killed_at_any_statement_leaves_all_or_nothing(
    place: Place, deed: str, when: str
) -> None:
    async with open_stores(place.settings, exclusive=True) as stores:
        what = await prepared(stores, deed)
    assert place.database is not None
    before = place.database.contents()
    *without, last = deaths(when, deed, place.database.url, str(place.folder), what)
    # BEGIN, the questions, the notices, and for those who die after it was sent: the COMMIT.
    assert len(without) >= 7
    assert all(left == before for left in without)
    grown = {name: len(last[name]) - len(before[name]) for name in last if last[name] != before[name]}
    if deed == "exchange":
        made = {"devices": 1, "session_tokens": 1, "device_events": 1, "audit_entries": 1}
        assert grown == {"pairing_tokens": 0, **made}
    else:
        changed = {"pairing_tokens": 0, "session_tokens": 0, "devices": 0}
        assert grown == {**changed, "device_events": 1, "audit_entries": 1, "notices": 2}


@pytest.fixture
def mortal_place(tmp_path: Path) -> Iterator[tuple[PostgresServer, Place]]:
    with (
        PostgresServer() as server,
        closing(SideLoop()) as loop,
        closing(SharedDatabase(server, loop)) as database,
    ):
        yield server, Place("postgres", tmp_path, database)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("deed", ["exchange", "unpair"])
async def test_s01_p02_a_server_killed_at_any_question_has_all_or_nothing(
    mortal_place: tuple[PostgresServer, Place], deed: str
) -> None:
    server, place = mortal_place
    assert place.database is not None

    async def killing(tx: Tx) -> None:
        server.kill()
        await tx.notices.last_id()

    async with open_stores(place.settings, exclusive=True) as stores:
        what = await prepared(stores, deed)
        acts: dict[str, Callable[[Stores], Awaitable[object]]] = {
            "exchange": lambda stores: exchange(stores, what, LATER, S1),
            "unpair": lambda stores: remove_device(stores, what, LATER),
        }
        before = place.database.contents()
        asked = 0
        while True:
            try:
                await acts[deed](FailingStores(stores, fail_at=asked, fault=killing))
            except StoreUnavailable:
                server.start()
                place.database.reconnect()
                assert place.database.contents() == before
                asked += 1
                continue
            break
    assert asked >= 6
    assert place.database.contents() != before
