"""The servers that tests start do what tests need of them: come up, die, freeze and come back."""

import asyncio  # noqa: TID251 - a driver of asyncio's
import socket
import subprocess
import sys

import asyncpg
import pytest

from tests.support.servers import guardian
from tests.support.servers.postgres import VERSIONS, PostgresServer
from tests.support.servers.processes import NOBODYS_PORTS, _our_ports, free_port
from tests.support.servers.redis import RedisServer


def test_a_port_is_given_once_and_is_none_that_is_given_by_chance() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == 100
    assert max(ports) < 32768


def test_two_runs_share_no_ports() -> None:
    order = [
        sys.executable,
        "-c",
        "from tests.support.servers.processes import free_port; print(free_port())",
    ]
    done = subprocess.run(order, cwd=guardian.ROOT, capture_output=True, text=True, check=True)
    held, _ = _our_ports()
    assert (int(done.stdout) - held.getsockname()[1]) // NOBODYS_PORTS.step != 0


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_a_postgresql_keeps_what_was_committed_when_it_is_killed(version: int) -> None:
    with PostgresServer(version) as server:
        name = server.create_database().partition("?")[0].rpartition("/")[2]
        server.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)", name)
        server.kill()
        server.start()
        assert server.sql("SELECT n FROM kept", name) == "7"
        assert server.sql("SHOW server_version_num", name).startswith(str(version))


def test_a_frozen_postgresql_answers_nobody_not_even_on_connections_that_are_open() -> None:
    async def scenario() -> None:
        with PostgresServer() as server:
            connection = await asyncpg.connect(server.url())
            assert await connection.fetchval("SELECT 1") == 1
            server.freeze()
            asking = asyncio.ensure_future(connection.fetchval("SELECT 2"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(asking), 0.3)
            server.thaw()
            assert await asking == 2
            await connection.close()

    asyncio.run(scenario())


def test_a_frozen_redis_is_a_black_hole_until_it_is_thawed() -> None:
    with RedisServer(password="secret") as server:
        assert server.command("SET", "a", "b") == b"+OK\r\n"
        server.freeze()
        with socket.create_connection(("127.0.0.1", server.port), 0.2) as connection:
            connection.sendall(b"PING\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(10)
        server.thaw()
        assert server.command("GET", "a") == b"$1\r\nb\r\n"
        server.kill()
        server.start()
        assert server.command("GET", "a") == b"$-1\r\n"
