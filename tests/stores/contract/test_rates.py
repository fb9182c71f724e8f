import secrets
from collections.abc import AsyncIterator

import pytest
import trio
from visiona.domain.rates import Limit, Take, Window
from visiona.stores.interfaces import Stores
from visiona.stores.rates import RateStore

from tests.stores.redis.beside import beside
from tests.support.engines import Place, opened
from tests.support.rates import ACCOUNT, ADDRESS, BRIEF, CROWDED


@pytest.fixture(params=["memory", "redis"])
def engine(request: pytest.FixtureRequest) -> str:
    """Every database counts in the process."""
    name: str = request.param
    return name


@pytest.fixture
async def stores(engine: str, place: Place, request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if engine == "memory":
        async with opened(place) as opened_stores:
            yield opened_stores
    else:
        prefix = f"test-{secrets.token_hex(8)}:"
        async with beside(request.getfixturevalue("redis_url"), prefix=prefix) as opened_stores:
            yield opened_stores


@pytest.fixture
def rates(stores: Stores) -> RateStore:
    return stores.rates


async def test_a_key_gets_so_many_and_is_told_how_long_to_wait(rates: RateStore) -> None:
    waits = [await rates.take(Take(ADDRESS, "a")) for _ in range(5)]
    assert waits[:3] == [0.0] * 3
    assert all(50 < wait <= 60 for wait in waits[3:])
    assert await rates.take(Take(ADDRESS, "b")) == 0.0


async def test_it_may_again_after_the_time_it_was_told(rates: RateStore) -> None:
    assert await rates.take(Take(BRIEF, "a")) == 0.0
    wait = await rates.take(Take(BRIEF, "a"))
    assert 0 < wait <= 0.2
    await trio.sleep(wait)
    assert await rates.take(Take(BRIEF, "a")) == 0.0


async def test_all_must_allow_it_and_a_refused_attempt_is_counted_nowhere(rates: RateStore) -> None:
    for _ in range(3):
        await rates.charge(ADDRESS, "full")
    for _ in range(10):
        assert await rates.take(Take(ACCOUNT, "ada"), Take(ADDRESS, "full")) > 0.0
    for number in range(5):
        assert await rates.take(Take(ACCOUNT, "ada"), Take(ADDRESS, str(number))) == 0.0
    assert await rates.take(Take(ACCOUNT, "ada"), Take(ADDRESS, "x")) > 3500


async def test_what_is_only_looked_at_is_not_counted(rates: RateStore) -> None:
    for _ in range(10):
        assert await rates.take(Take(ADDRESS, "a", counts=False)) == 0.0
    for _ in range(3):
        await rates.charge(ADDRESS, "a")
    assert await rates.take(Take(ADDRESS, "a", counts=False)) > 0.0


async def test_where_one_is_full_another_decides_instead(rates: RateStore) -> None:
    def attempt(address: str) -> Take:
        return Take(ACCOUNT, "ada", instead=Take(CROWDED, address))

    for number in range(5):
        assert await rates.take(attempt(str(number))) == 0.0
    assert [await rates.take(attempt("x")) > 0.0 for _ in range(3)] == [False, False, True]
    assert await rates.take(attempt("y")) == 0.0


async def test_of_a_hundred_at_once_no_more_pass_than_one_after_the_other(rates: RateStore) -> None:
    passed = list[bool]()

    async def attempt(number: int) -> None:
        wait = await rates.take(Take(ADDRESS, str(number % 50)), Take(ACCOUNT, "ada"))
        passed.append(wait == 0.0)

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(attempt, number)
    assert sum(passed) == 5


async def test_forgetting_starts_the_key_afresh(rates: RateStore) -> None:
    for _ in range(3):
        await rates.charge(ADDRESS, "a")
        await rates.charge(ADDRESS, "b")
    await rates.forget(ADDRESS, "a")
    assert await rates.take(Take(ADDRESS, "a")) == 0.0
    assert await rates.take(Take(ADDRESS, "b")) > 0.0


async def test_keys_are_remembered_only_so_far_the_oldest_goes(rates: RateStore) -> None:
    small = Limit("small", (Window(1, 60.0),), 10)
    for number in range(30):
        await rates.charge(small, str(number))
    assert [await rates.take(Take(small, str(number), counts=False)) > 0.0 for number in range(30)] == [
        False
    ] * 20 + [True] * 10


async def test_limits_of_two_names_are_two(rates: RateStore) -> None:
    other = Limit("other", ADDRESS.windows, ADDRESS.max_keys)
    for _ in range(3):
        await rates.charge(ADDRESS, "a")
    assert await rates.take(Take(other, "a")) == 0.0
