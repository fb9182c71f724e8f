import asyncio  # noqa: TID251 - what is tested speaks it
import random

import pytest
from redis.exceptions import ResponseError
from visiona.stores.redis.pool import RedisPool
from visiona.stores.redis_address import parsed

from tests.support.asyncio_tests import on_asyncio
from tests.support.servers.redis import RedisServer

SIZE = 4


def clients(server: RedisServer) -> int:
    """How many are connected, the asking one aside."""
    return server.command("CLIENT", "LIST").decode().count("id=") - 1


@on_asyncio
async def test_400_cancellations_leave_every_place_and_mix_up_no_answer(server: RedisServer) -> None:
    pool = RedisPool(parsed(server.url()), SIZE)
    numbers = random.Random(4)

    async def echo(number: int) -> None:
        assert await pool.ask(["ECHO", f"word {number}"]) == f"word {number}".encode()

    for number in range(400):
        task = asyncio.create_task(echo(number))
        others = [asyncio.create_task(echo(1000 + number)) for _ in range(numbers.randrange(3))]
        for _ in range(numbers.randrange(8)):
            await asyncio.sleep(0)
        await asyncio.sleep(numbers.choice([0, 0, 0.0002, 0.001]))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*others)
    async with asyncio.timeout(5):
        await asyncio.gather(*(echo(number) for number in range(100)))
    assert clients(server) <= SIZE
    await pool.forget()


@on_asyncio
async def test_a_hundred_that_are_cancelled_at_once_leave_every_place(server: RedisServer) -> None:
    pool = RedisPool(parsed(server.url()), SIZE)
    await pool.ask(["PING"])
    server.freeze()
    tasks = [asyncio.create_task(pool.ask(["PING"])) for _ in range(100)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {
        asyncio.CancelledError
    }
    server.thaw()
    async with asyncio.timeout(5):
        assert set(await asyncio.gather(*(pool.ask(["PING"]) for _ in range(100)))) == {b"PONG"}
    await pool.forget()


@on_asyncio
async def test_it_opens_no_more_connections_than_it_may_and_none_that_nobody_needs(
    server: RedisServer,
) -> None:
    pool = RedisPool(parsed(server.url()), SIZE)
    for _ in range(10):
        await pool.ask(["PING"])
    assert clients(server) == 1
    await asyncio.gather(*(pool.ask(["PING"]) for _ in range(100)))
    assert clients(server) == SIZE
    await pool.forget()


@on_asyncio
async def test_what_the_server_refuses_spoils_no_connection(server: RedisServer) -> None:
    pool = RedisPool(parsed(server.url()), SIZE)
    before = await pool.ask(["CLIENT", "ID"])
    with pytest.raises(ResponseError):
        await pool.ask(["NONSENSE"])
    assert await pool.ask(["CLIENT", "ID"]) == before
    await pool.forget()


@on_asyncio
async def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used(server: RedisServer) -> None:
    pool = RedisPool(parsed(server.url()), SIZE)
    before = await pool.ask(["CLIENT", "ID"])
    assert server.command("CLIENT", "KILL", "ID", str(before)) == b":1\r\n"
    await asyncio.sleep(0.05)
    assert await pool.ask(["CLIENT", "ID"]) > before
    await pool.forget()


@on_asyncio
async def test_forgotten_connections_are_used_no_more_also_those_in_use(server: RedisServer) -> None:
    pool = RedisPool(parsed(server.url()), SIZE)
    asking = asyncio.create_task(pool.ask(["BLPOP", "nothing", "60"]))
    used = await pool.ask(["CLIENT", "ID"])
    await pool.forget()
    assert await pool.ask(["CLIENT", "ID"]) > used
    server.command("LPUSH", "nothing", "something")
    assert await asking == [b"nothing", b"something"]
    ids = {await pool.ask(["CLIENT", "ID"]) for _ in range(3)}
    assert len(ids) == 1
    await pool.forget()


def test_a_connection_shows_no_password() -> None:
    for scheme in ("redis", "rediss"):
        connection = RedisPool(parsed(f"{scheme}://:hush@cache/1"), 1).connection()
        assert "hush" not in repr(connection)
