"""The servers that tests start do what tests need of them: come up, die, freeze and come back."""

import asyncio  # noqa: TID251 - a driver of asyncio's
import socket

import asyncpg
import pytest

from tests.support.servers.postgres import VERSIONS, PostgresServer
from tests.support.servers.redis import RedisServer


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
