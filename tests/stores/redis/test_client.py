"""Asking across the nested loop: cancelled at any moment, and what is said about the server."""

import random

import pytest
import trio
from visiona.stores.asyncio_guest import open_guest
from visiona.stores.redis.client import RedisClient
from visiona.stores.redis.link import GuestLink
from visiona.stores.redis.sessions import FIND
from visiona.stores.settings import RedisSettings

from tests.stores.redis.beside import beside, refusal, seconds_until_answered
from tests.support.lateness import Lateness
from tests.support.nouns import NOW, a_home, new_hash
from tests.support.servers.redis import RedisServer
from tests.support.waiting import until


def clients(server: RedisServer) -> int:
    """How many are connected, the asking one aside."""
    return server.command("CLIENT", "LIST").decode().count("id=") - 1


async def test_400_cancellations_leave_it_whole_and_every_answer_to_who_asked(server: RedisServer) -> None:
    numbers = random.Random(7)
    async with beside(server) as stores:
        home = await a_home(stores)
        sessions = [home.session() for _ in range(20)]
        for session in sessions:
            await stores.sessions.create(session)

        async def ask() -> None:
            session = numbers.choice(sessions)
            assert await stores.sessions.get_or_none(session.token_hash, NOW) == session

        for _ in range(400):
            async with trio.open_nursery() as nursery:
                for _ in range(numbers.randrange(4)):
                    nursery.start_soon(ask)
                with trio.move_on_after(numbers.choice([0, 0.0002, 0.0005, 0.001])):
                    await ask()
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(ask)
        # Those of the pool, and the one that listens.
        assert clients(server) <= 9
    await until(lambda: clients(server) == 0)


async def test_128_that_are_cancelled_while_nobody_answers_end_at_once(server: RedisServer) -> None:
    async with beside(server) as stores:
        await stores.pings["redis"]()
        server.freeze()
        with Lateness() as lateness:
            async with trio.open_nursery() as nursery:
                for _ in range(128):
                    nursery.start_soon(stores.sessions.get_or_none, new_hash(), NOW)
                await trio.sleep(0.05)
                began = trio.current_time()
                nursery.cancel_scope.cancel()
            took = trio.current_time() - began
        assert took - lateness.seconds < 0.5
        server.thaw()
        await seconds_until_answered(stores.pings["redis"])


async def test_whoever_only_listens_costs_nothing(server: RedisServer) -> None:
    async with open_guest() as guest:
        client = RedisClient(RedisSettings(server.url()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guest.run, client.wait_entries, {"look": "$"}, 60.0)
            await until(lambda: b"cmd=xread" in server.command("CLIENT", "LIST"))
            turns = guest.turn_count
            await trio.sleep(0.5)
            assert guest.turn_count <= turns + 2
            nursery.cancel_scope.cancel()
        await guest.run(client.close)


async def test_a_trouble_is_told_once_and_once_that_it_is_over(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with beside(server, is_server=False) as stores:
        server.kill()
        for _ in range(20):
            await refusal(stores.pings["redis"])
        server.start()
        await seconds_until_answered(stores.pings["redis"])
        await stores.pings["redis"]()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "Redis: Redis cannot be reached"),
        ("WARNING", "Redis: all is well again"),
    ]


async def test_a_full_redis_is_not_said_to_be_well_for_every_question_that_it_answers(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with beside(server, is_server=False) as stores:
        home = await a_home(stores)
        await stores.pings["redis"]()
        server.command("CONFIG", "SET", "maxmemory", "1")
        for _ in range(5):
            await refusal(lambda: stores.sessions.create(home.session()))
            await stores.sessions.get_or_none(new_hash(), NOW)
        assert [record.message for record in caplog.records] == ["Redis: the memory of Redis is full"]


async def test_a_bug_of_ours_is_a_bug_and_ends_nothing(server: RedisServer) -> None:
    from redis.exceptions import ResponseError

    async with open_guest() as guest:
        client = RedisClient(RedisSettings(server.url()))
        server.command("SET", "visiona:session-of-hash:h", "id")
        server.command("SET", "visiona:session:id", "no hash")
        link = GuestLink(guest, client)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await link.run(FIND, "h", "")
        assert await link.run(FIND, "other", "") is None
        await guest.run(client.close)


async def test_what_it_says_of_the_server_shows_no_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RedisServer(password="a-real-password") as server:
        settings = RedisSettings(server.url(password="not-this-one"))
        assert "not-this-one" not in repr(settings.address)
        async with beside(server.url(password="not-this-one")) as stores:
            error = await refusal(stores.pings["redis"])
        chain = [str(error), repr(error)]
        cause: BaseException | None = error
        while cause is not None:
            chain += [str(cause), repr(cause)]
            cause = cause.__cause__ or cause.__context__
    shown = " ".join(chain) + " ".join(str(vars(record)) for record in caplog.records)
    assert "not-this-one" not in shown
    assert "a-real-password" not in shown
