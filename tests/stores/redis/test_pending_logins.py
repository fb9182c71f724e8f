"""What only Redis does with sign-ins under way; what every engine does is in the contract."""

from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from visiona.domain.sessions import MAX_PENDING_PER_BROWSER, PENDING_LOGIN_TTL
from visiona.stores.interfaces import Stores
from visiona.stores.redis import pending_logins

from tests.stores.contract.test_pending_logins import pending
from tests.stores.redis.beside import keys, milliseconds_left
from tests.support.nouns import NOW
from tests.support.servers.redis import RedisServer
from tests.support.waiting import until


async def test_a16_an_attempt_is_forgotten_by_redis_itself_with_all_that_leads_to_it(
    server: RedisServer, stores: Stores
) -> None:
    attempt = pending()
    await stores.pending_logins.create(attempt)
    limit = PENDING_LOGIN_TTL // timedelta(milliseconds=1)
    for key in keys(server):
        assert limit - 20_000 < milliseconds_left(server, key) <= limit + 1
    assert len(keys(server)) == 3
    await stores.pending_logins.take(attempt.state_hash, "b", NOW)
    await stores.pending_logins.create(replace(pending(), expires_at=NOW + timedelta(seconds=0.1)))
    await until(lambda: not keys(server))


async def test_a02_of_thirty_that_take_an_attempt_one_has_it(stores: Stores) -> None:
    attempt = pending()
    await stores.pending_logins.create(attempt)
    taken = []

    async def take() -> None:
        taken.append(await stores.pending_logins.take(attempt.state_hash, "b", NOW))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(take)
    assert [each for each in taken if each is not None] == [attempt]


async def test_a16_a_flood_keeps_the_memory_flat(
    server: RedisServer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_logins, "MAX_PENDING", 100)

    async def flood(browser: int) -> None:
        for number in range(30):
            await stores.pending_logins.create(pending(f"b{browser}", number))

    async with trio.open_nursery() as nursery:
        for browser in range(20):
            nursery.start_soon(flood, browser)
    assert server.command("ZCARD", "visiona:logins") == b":100\r\n"
    found = keys(server)
    assert len([key for key in found if key.startswith("login:")]) == 100
    for browser in range(20):
        kept = int(server.command("ZCARD", f"visiona:logins-of-browser:b{browser}")[1:])
        assert kept <= MAX_PENDING_PER_BROWSER
