from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.sessions import MAX_PENDING_PER_BROWSER, PENDING_LOGIN_TTL, PendingLogin
from visiona.stores import kept_sessions
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores
from visiona.stores.redis import pending_logins

from tests.support.engines import ENGINES, EVERYWHERE
from tests.support.nouns import LATER, NOW, new_hash

TICK = timedelta(microseconds=1)
END = NOW + PENDING_LOGIN_TTL


@pytest.fixture(params=EVERYWHERE)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def pending(browser: str = "b", number: int = 0) -> PendingLogin:
    at = NOW + number * TICK
    return PendingLogin(new_hash(), browser, "nonce", "verifier", "/devices?x=ü", at, at + PENDING_LOGIN_TTL)


def allow(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many attempts of all browsers."""
    for module in (kept_sessions, pending_logins):
        monkeypatch.setattr(module, "MAX_PENDING", most)


async def kept(stores: Stores, *attempts: PendingLogin) -> list[bool]:
    """Which of them are there; takes them."""
    return [
        await stores.pending_logins.take(each.state_hash, each.browser_hash, NOW) == each for each in attempts
    ]


async def test_a02_an_attempt_is_taken_once_and_as_it_went_in(stores: Stores) -> None:
    attempt = pending()
    await stores.pending_logins.create(attempt)
    assert await stores.pending_logins.take(attempt.state_hash, "b", NOW) == attempt
    assert await stores.pending_logins.take(attempt.state_hash, "b", NOW) is None


@pytest.mark.parametrize("engine", ENGINES)
async def test_a02_a_row_is_removed_by_one_caller(stores: Stores) -> None:
    attempt = pending()
    await stores.pending_logins.create(attempt)
    assert await stores.write(lambda tx: tx.pending_logins.remove(attempt.state_hash))
    assert not await stores.write(lambda tx: tx.pending_logins.remove(attempt.state_hash))


async def test_a02_another_browser_neither_takes_nor_spoils_it(stores: Stores) -> None:
    attempt = pending()
    await stores.pending_logins.create(attempt)
    assert await stores.pending_logins.take(attempt.state_hash, "other", NOW) is None
    assert await stores.pending_logins.take("none", "b", NOW) is None
    assert await stores.pending_logins.take(attempt.state_hash, "b", NOW) == attempt


async def test_a02_an_attempt_is_good_for_ten_minutes(stores: Stores) -> None:
    in_time, late = pending(), pending()
    for attempt in (in_time, late):
        await stores.pending_logins.create(attempt)
    assert await stores.pending_logins.take(in_time.state_hash, "b", END - TICK) == in_time
    assert await stores.pending_logins.take(late.state_hash, "b", END) is None
    assert await stores.pending_logins.take(late.state_hash, "b", NOW) is None


async def test_a_state_exists_once(stores: Stores) -> None:
    attempt = pending()
    await stores.pending_logins.create(attempt)
    with pytest.raises(StoreConflict) as caught:
        await stores.pending_logins.create(replace(attempt, browser_hash="other"))
    assert caught.value.about == "state"


async def test_a16_an_eleventh_attempt_of_a_browser_takes_the_place_of_its_first(stores: Stores) -> None:
    foreign = pending("other")
    attempts = [pending(number=number) for number in range(MAX_PENDING_PER_BROWSER + 1)]
    for attempt in (foreign, *attempts):
        await stores.pending_logins.create(attempt)
    assert await kept(stores, foreign, *attempts) == [True, False] + [True] * MAX_PENDING_PER_BROWSER


async def test_a16_a_flood_of_browsers_pushes_out_the_oldest(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(50, monkeypatch)
    attempts = [pending(f"b{number}", number) for number in range(120)]
    for attempt in attempts:
        await stores.pending_logins.create(attempt)
    assert await kept(stores, *attempts) == [False] * 70 + [True] * 50


async def test_a16_a_newcomer_stays_also_where_the_clock_stands_still(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(3, monkeypatch)
    for number in range(20):
        attempt = pending(f"b{number}")
        await stores.pending_logins.create(attempt)
        assert await kept(stores, attempt) == [True]
        await stores.pending_logins.create(pending(f"c{number}"))


async def test_purging_takes_what_is_over(stores: Stores) -> None:
    old, young = [pending(), pending()], pending(number=2)
    for attempt in (*old, young):
        await stores.pending_logins.create(attempt)
    assert await stores.pending_logins.purge(END - TICK, 10) == 0
    assert await stores.pending_logins.purge(END, 1) == 1
    assert await stores.pending_logins.purge(LATER + PENDING_LOGIN_TTL - timedelta(seconds=1), 10) == 1
    assert await kept(stores, young) == [True]
