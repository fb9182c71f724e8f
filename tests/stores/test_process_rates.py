from visiona.domain.rates import Limit, Take, Window
from visiona.stores.process_rates import ProcessRates

from tests.support.rates import ACCOUNT, ADDRESS, CROWDED


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_waits_until_its_first_take_is_so_old() -> None:
    clock = Clock()
    rates = ProcessRates(clock)
    for _ in range(3):
        assert await rates.take(Take(ADDRESS, "a")) == 0.0
        clock.now += 1
    assert await rates.take(Take(ADDRESS, "a")) == 57.0
    assert await rates.take(Take(ADDRESS, "b")) == 0.0
    clock.now += 57
    assert await rates.take(Take(ADDRESS, "a")) == 0.0
    assert await rates.take(Take(ADDRESS, "a")) == 1.0


async def test_counts_start_afresh_when_forgotten_and_keys_are_remembered_only_so_far() -> None:
    rates = ProcessRates(Clock())
    small = Limit("small", (Window(1, 60.0),), 10)
    for number in range(100):
        await rates.charge(small, str(number))
    assert rates.keys(small) == 10
    assert await rates.take(Take(small, "99")) == 60.0
    await rates.forget(small, "99")
    assert await rates.take(Take(small, "99")) == 0.0


async def test_an_hour_of_an_account_leaves_each_address_its_crowded_share() -> None:
    clock = Clock()
    rates = ProcessRates(clock)
    for number in range(5):
        assert await rates.take(Take(ACCOUNT, "ada", instead=Take(CROWDED, f"{number}"))) == 0.0
    for _ in range(2):
        assert await rates.take(Take(ACCOUNT, "ada", instead=Take(CROWDED, "x"))) == 0.0
    assert await rates.take(Take(ACCOUNT, "ada", instead=Take(CROWDED, "x"))) == 3600.0
    assert await rates.take(Take(ACCOUNT, "ada", instead=Take(CROWDED, "y"))) == 0.0
