"""Many callers on PostgreSQL and Redis while the relay carries bulk: everybody is answered, and well.

How late the event loop was is told at the end of the run; `scripts/bench mixed` measures it for longer.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from visiona.stores.opening import open_stores
from visiona.stores.settings import RedisSettings, StoreSettings
from visiona.web.session_key import session_key

from tests.e2e.agents import reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until, watch_stream
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.support.mixed_load import OF_TEN, Person, make_people, mix
from tests.support.servers.postgres import NamedPostgres, PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CLIENTS = 64
SECONDS = 4.0
FLOOD_BYTES = 1 << 20
"""Through the tunnel meanwhile, at the very least."""


def people_of(server: Server, settings: StoreSettings, count: int) -> list[Person]:
    """Accounts, made beside the server."""

    async def make() -> list[Person]:
        async with open_stores(settings, exclusive=False) as stores:
            return await make_people(stores, session_key(None, server.state, is_kept=True), count)

    people = trio.run(make)
    for person in people:
        server.evidence.secret(person.token, "a personal access token")
        server.evidence.secret(person.cookie, "a session cookie")
    return people


def ticks(server: Server) -> dict[float, float]:
    """How many ticks of the loop took up to how many seconds."""
    page = Caller(server.internal, None).ask("GET", "/metrics").body.decode()
    found = re.findall(r'visiona_loop_lag_seconds_bucket\{le="(.+)"\} (\S+)', page)
    return {float(bound): float(count) for bound, count in found}


def test_64_callers_read_pair_and_check_sessions_while_the_relay_carries_bulk(
    evidence: Evidence,
    tmp_path: Path,
    backend: Backend,
    postgres_server: PostgresServer | NamedPostgres,
    redis_url: str,
    measured: Callable[[str, float], None],
) -> None:
    url, prefix = postgres_server.create_database(), f"{tmp_path.name}:"
    told = [f"database.url={url}", f"redis.url={redis_url}", f"redis.key_prefix={prefix}"]
    with running_server(tmp_path, evidence, *told, "log.level=info", "web.caller_cache_seconds=0") as server:
        settings = StoreSettings(url, server.state, redis=RedisSettings(url=redis_url, key_prefix=prefix))
        *people, owner = people_of(server, settings, CLIENTS + 1)
        caller = Caller(server.web, owner.token)
        with reference_agent(server, caller, tmp_path / "agent", backend.url) as (unit, agent):
            flood = watch_stream(caller, unit.path("/flood"))
            flooded, before = backend.flooded_bytes, ticks(server)
            report = trio.run(mix, server.web, people, SECONDS)
            after = ticks(server)
            assert flood.goes_on
            assert unit.item["tunnel_online"]
            assert backend.flooded_bytes - flooded > FLOOD_BYTES
            agent.stop()
    assert not report.errors
    assert all(report.took.values())
    # A machine that is busy with more than this may be late for a look at the health.
    assert not [line for line in server.lines("ERROR") if "no answer within" not in line]
    total = after[float("inf")] - before[float("inf")]
    within = min(bound for bound in after if after[bound] - before[bound] >= 0.99 * total)
    measured("99 of 100 turns of the loop took no longer than", within)
    measured("the slowest answer but one in a hundred", max(report.quantile(kind, 0.99) for kind in OF_TEN))


def test_s01_a_database_that_is_too_slow_for_all_of_them_costs_503_and_nothing_else(
    evidence: Evidence, tmp_path: Path, postgres_server: PostgresServer | NamedPostgres
) -> None:
    url = postgres_server.create_database()
    told = [f"database.url={url}", "database.pool_size=2", "database.timeout_seconds=0.15"]
    with running_server(tmp_path, evidence, *told, "log.level=info", "web.caller_cache_seconds=0") as server:
        people = people_of(server, StoreSettings(url, server.state), CLIENTS)
        report = trio.run(mix, server.web, people, SECONDS)
        until(
            lambda: Caller(server.web, people[0].token).ask("GET", "/api/devices").status == 200,
            "it recovers",
        )
    others = [error for error in report.errors if ": 503 " not in error or "STORE_UNAVAILABLE" not in error]
    assert others == []
    assert not server.lines("a request met a bug")
