"""What only Redis does with counts; what every engine does is in the contract."""

import trio
from visiona.domain.rates import Take
from visiona.stores.interfaces import Stores

from tests.stores.redis.beside import beside, keys, milliseconds_left, seconds_until_answered
from tests.support.rates import ACCOUNT, ADDRESS, BRIEF
from tests.support.servers.redis import RedisServer
from tests.support.waiting import until


async def test_all_servers_on_one_redis_count_together(server: RedisServer) -> None:
    async with beside(server) as one, beside(server) as other:
        for _ in range(2):
            assert await one.rates.take(Take(ADDRESS, "a")) == 0.0
        assert await other.rates.take(Take(ADDRESS, "a")) == 0.0
        assert await one.rates.take(Take(ADDRESS, "a")) > 50
        assert await other.rates.take(Take(ADDRESS, "a")) > 50


async def test_a_hundred_from_two_servers_gain_nothing(server: RedisServer) -> None:
    waits = list[float]()

    async def attempt(stores: Stores) -> None:
        waits.append(await stores.rates.take(Take(ACCOUNT, "ada")))

    async with beside(server) as one, beside(server) as other, trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(attempt, one)
            nursery.start_soon(attempt, other)
    assert waits.count(0.0) == 5


async def test_what_another_server_filled_refuses_here_and_counts_nothing(server: RedisServer) -> None:
    async with beside(server) as one, beside(server) as other:
        for _ in range(3):
            await one.rates.charge(ADDRESS, "full")
        for _ in range(10):
            assert await other.rates.take(Take(ACCOUNT, "ada"), Take(ADDRESS, "full")) > 50
        for number in range(5):
            assert await other.rates.take(Take(ACCOUNT, "ada"), Take(ADDRESS, str(number))) == 0.0


async def test_a_success_elsewhere_is_a_success_here(server: RedisServer) -> None:
    async with beside(server) as one, beside(server) as other:
        for _ in range(3):
            await one.rates.charge(ADDRESS, "a")
        await one.rates.forget(ADDRESS, "a")
        assert await other.rates.take(Take(ADDRESS, "a")) == 0.0


async def test_s02_without_redis_this_server_counts_alone_and_forgets_nothing(server: RedisServer) -> None:
    async with beside(server) as stores:
        for _ in range(2):
            assert await stores.rates.take(Take(ADDRESS, "a")) == 0.0
        server.kill()
        assert await stores.rates.take(Take(ADDRESS, "a")) == 0.0
        assert await stores.rates.take(Take(ADDRESS, "a")) > 50
        await stores.rates.charge(ADDRESS, "b")
        await stores.rates.forget(ADDRESS, "a")
        assert await stores.rates.take(Take(ADDRESS, "a")) == 0.0
        # It comes back with nothing in it, and what was counted here still holds.
        for _ in range(2):
            await stores.rates.charge(ADDRESS, "b")
        server.start()
        await seconds_until_answered(stores.pings["redis"])
        assert await stores.rates.take(Take(ADDRESS, "b")) > 50
        assert await stores.rates.take(Take(ADDRESS, "c")) == 0.0
        assert any(key.startswith("rate:address:") for key in keys(server))


async def test_s02_a_silent_redis_keeps_an_attempt_waiting_for_its_deadline_at_most(
    server: RedisServer,
) -> None:
    async with beside(server, timeout_seconds=0.3) as stores:
        server.freeze()
        began = trio.current_time()
        for _ in range(3):
            assert await stores.rates.take(Take(ADDRESS, "a")) == 0.0
        assert await stores.rates.take(Take(ADDRESS, "a")) > 50
        assert trio.current_time() - began < 1.5
        server.thaw()


async def test_counts_are_forgotten_by_redis_itself_when_nobody_waits_for_them_any_more(
    server: RedisServer, stores: Stores
) -> None:
    await stores.rates.take(Take(ADDRESS, "192.0.2.1"))
    (key,) = (key for key in keys(server) if key.startswith("rate:"))
    assert 3_500_000 < milliseconds_left(server, key) <= 3_600_000
    assert "192.0.2.1" not in key
    server.command("FLUSHALL")
    await stores.rates.take(Take(BRIEF, "a"))
    await until(lambda: not keys(server))


async def test_a_redis_whose_clock_was_set_back_begins_afresh(server: RedisServer, stores: Stores) -> None:
    for _ in range(3):
        await stores.rates.charge(ADDRESS, "a")
    (key,) = (key for key in keys(server) if key.startswith("rate:"))
    server.command("LSET", f"visiona:{key}", "-1", "9" * 16)
    async with beside(server) as other:
        assert await other.rates.take(Take(ADDRESS, "a")) == 0.0
