"""S-01: PostgreSQL goes away in every way there is, under a whole server, and comes back.

What is promised: 503 with Retry-After within 2.5 s, /healthz names it, the first success within 5 s of its return, and
tunnels with all that runs over them live on. The times are told at the end of the run.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import contextlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.agents import Unit
from tests.e2e.client import Watching, until
from tests.e2e.idle import Idle
from tests.e2e.outage_kinds import ANYTHING, DATABASE_OUTAGES, WRITES
from tests.e2e.outages import RECOVERED_SECONDS, Outage, Shot, Site, measure, must_be_honest, tell
from tests.support.route_needs import DATABASE
from tests.support.small_disk import small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@pytest.fixture(autouse=True)
def all_is_well_afterwards(site: Site) -> Iterator[None]:
    yield
    site.to_postgres.heal()
    until(lambda: site.failing() == [], "all is well again")


@pytest.mark.parametrize("outage", DATABASE_OUTAGES, ids=lambda outage: outage.name)
def test_s01_every_data_route_is_503_in_time_and_all_comes_back_by_itself(
    site: Site, site_unit: Unit, watching: list[Watching], outage: Outage, measured: Measured
) -> None:
    figures = measure(site, outage)
    tell(measured, figures)
    figures.must_be_in_time()
    assert figures.spared
    assert all(one.goes_on for one in watching)
    assert site_unit.item["tunnel_online"]


def test_s01_who_comes_after_a_restart_does_not_notice_it(site: Site) -> None:
    """Nothing was asked meanwhile; connections that are dead are not tried on anybody."""
    site.warm()
    site.postgres.stop()
    site.postgres.start()
    assert [site.shoot(request).answer.status for request in WRITES] == [200, 201]


@contextlib.contextmanager
def locked(site: Site, table: str) -> Iterator[None]:
    """Somebody holds the table as long as the block takes."""
    order = (
        f"SET application_name = 'holder'; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(50)"
    )
    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(site.sql, order)
        try:
            held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND locktype = 'relation'"
            until(lambda: int(site.sql(held)) > 0, "the table is locked")
            yield
        finally:
            site.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'")
            assert isinstance(holding.exception(), RuntimeError)


def test_s01_a_table_that_somebody_holds_costs_only_who_needs_it(site: Site, measured: Measured) -> None:
    """Also when every connection waits for it: then others wait too, and are told to come back in time."""
    site.warm()
    asks, asks_another = ("GET", "/api/devices", None), ("GET", "/api/auth/tokens", None)
    with Idle(site.server.web) as idle, locked(site, "devices"):
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(site.shoot, asks)
            other = site.shoot(asks_another)
        # Whoever waits for the table as well gets no 200.
        assert other.answer.status == 200
        assert site.failing() == []
        many = site.salvo([(site.known, asks)] * 40)
    must_be_honest([waiting.result(), *many], idle)
    measured("the slowest of 40 that wait for one lock", max(shot.seconds for shot in many))
    until(site.reads_succeed, "it is asked again", RECOVERED_SECONDS)


async def take_all_places(site: Site) -> list[asyncpg.Connection]:
    """Connections of somebody else's, so many that the server has none and gets none."""
    taken = [await asyncpg.connect(site.postgres.url())]
    ours = f"FROM pg_stat_activity WHERE datname = '{site.database}'"
    # Whoever is just coming in is not listed yet.
    quiet = 0
    while quiet < 5:
        await taken[0].execute(f"SELECT pg_terminate_backend(pid, 5000) {ours}")
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(site.postgres.url()))
        quiet = quiet + 1 if await taken[0].fetchval(f"SELECT count(*) {ours}") == 0 else 0
    return taken


def test_s01_a_server_without_room_for_our_connections(site: Site, measured: Measured) -> None:
    site.warm()

    async def scenario() -> None:
        taken = await take_all_places(site)
        try:
            orders = [*((site.known, one) for one in WRITES), *((one, ANYTHING) for one in site.unknown())]
            with Idle(site.server.web) as idle:
                shots = await asyncio.to_thread(site.salvo, orders)
        finally:
            for connection in taken:
                await connection.close()
        must_be_honest(shots, idle)
        measured("the slowest answer", max(shot.seconds for shot in shots))

    asyncio.run(scenario())
    back = until(lambda: site.reads_succeed() and site.writes_succeed(), "there is room", RECOVERED_SECONDS)
    measured("recovered", back)


def test_s01_a_full_disk_costs_writes_and_nothing_else(
    site: Site, site_unit: Unit, watching: list[Watching], measured: Measured
) -> None:
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name), 32) as disk:
        site.move_database(disk.path)
        try:
            disk.fill()
            with Idle(site.server.web) as idle:
                refused = next(shot for shot in keep_writing(site) if shot.answer.status != 201)
            must_be_honest([refused], idle)
            assert int(refused.answer.headers["Retry-After"]) >= 10
            measured("named by /healthz", until(lambda: site.failing() == [DATABASE], "it is named", 5))
            assert site.reads_succeed()
            assert all(one.goes_on for one in watching)
            disk.make_room()
            measured("recovered", until(site.writes_succeed, "it can be written", RECOVERED_SECONDS))
            until(lambda: site.failing() == [], "all is well", RECOVERED_SECONDS)
        finally:
            site.move_database(None)


def keep_writing(site: Site) -> Iterator[Shot]:
    """What is left in pages that exist already is still good for some."""
    for _ in range(90):
        yield site.shoot(("POST", "/api/auth/tokens", {"name": "x" * 60, "ttl_seconds": 1}))
