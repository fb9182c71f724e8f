"""Upgrades and the way back, as operators do them: with servers and commands of their own."""

import asyncio  # noqa: TID251  the driver's
import threading
from pathlib import Path

import asyncpg
import pytest
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.postgres_migrate import LOCK

from tests.e2e.client import Caller
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.support.servers.postgres import NamedPostgres, PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

LAST = len(known_migrations())


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> list[str]:
    """What tells a server which database is its."""
    if request.param == "sqlite":
        return []
    server: PostgresServer | NamedPostgres = request.getfixturevalue("postgres_server")
    return [f"database.url={server.create_database()}"]


def ran(server: Server) -> list[int]:
    return [step["number"] for step in server.run("migrate", "status", "--json").json["applied"]]


def test_an_upgrade_is_taken_back_and_made_again_and_accounts_stay(
    tmp_path: Path, evidence: Evidence, settings: list[str]
) -> None:
    with running_server(tmp_path / "one", evidence, *settings) as server:
        ada = server.person("ada")
        assert ada.ask("GET", "/api/devices").status == 200
        refused = server.run("migrate", "down", "--to", "3", "--yes")
        assert (refused.code, "stop it first" in refused.err) == (3, True)
        assert ran(server) == list(range(1, LAST + 1))
        assert server.stop() == 0
        assert server.run("migrate", "down", "--to", "3").code == 2
        done = server.run("migrate", "down", "--to", "3", "--yes")
        assert (done.code, done.out) == (0, f"undone: {', '.join(f'{n:04}' for n in range(LAST, 3, -1))}\n")
        assert ran(server) == [1, 2, 3]
        server.start()
        assert ran(server) == list(range(1, LAST + 1))
        ada = Caller(server.web, ada.token)
        assert ada.ask("GET", "/api/devices").status == 200


def test_s01_two_servers_that_start_at_once_migrate_once_and_both_serve(
    tmp_path: Path, evidence: Evidence, postgres_server: PostgresServer | NamedPostgres
) -> None:
    url = postgres_server.create_database()
    servers = [Server(tmp_path / name, evidence, f"database.url={url}") for name in ("one", "two")]
    starts = [threading.Thread(target=server.start) for server in servers]

    async def hold_both_up() -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            for start in starts:
                start.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            async with asyncio.timeout(30):
                while await connection.fetchval(waiting) < 2:  # noqa: ASYNC110 - nothing tells us
                    await asyncio.sleep(0.05)
        await connection.close()

    asyncio.run(hold_both_up())
    for start in starts:
        start.join()
    try:
        one, two = servers
        assert ran(one) == ran(two) == list(range(1, LAST + 1))
        ada = one.person("ada")
        assert ada.ask("GET", "/api/devices").status == 200
        ada = Caller(two.web, ada.token)
        assert ada.ask("GET", "/api/devices").status == 200
    finally:
        codes = [server.stop() for server in servers]
    assert codes == [0, 0]
    assert not any("Traceback" in server.text for server in servers)
