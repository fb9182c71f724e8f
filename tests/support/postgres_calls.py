"""Calls to stores on PostgreSQL, of every kind: refused, answered again, and nothing lost of the pool."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.sql.postgres import PostgresStores
from visiona.stores.sql.postgres_pool import PostgresPool

from tests.support.lateness import within
from tests.support.nouns import a_user
from tests.support.servers.postgres import NamedPostgres, PostgresServer

AT_ONCE_SECONDS = 1.0
"""Generous: on a machine with nothing else to do it is a few milliseconds."""
BACK_SECONDS = 5.0

SECRET = "hush-hush"


def pool_of(stores: Stores) -> PostgresPool:
    assert isinstance(stores, PostgresStores)
    return stores._engine.pool


async def emails(stores: Stores) -> list[str]:
    return [user.email for user in await stores.read(lambda tx: tx.users.list_all(1000))]


async def read(stores: Stores) -> None:
    await emails(stores)


async def write(stores: Stores) -> None:
    await stores.write(lambda tx: tx.notices.purge(a_user().created_at, 1))


async def ping(stores: Stores) -> None:
    await stores.pings["database"]()


async def mark(stores: Stores) -> None:
    await stores.change_mark()


DEEDS = (read, write, ping, mark)


async def refused(
    stores: Stores, deed: Callable[[Stores], Awaitable[None]], match: str | None = None
) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable, match=match) as caught:
        await deed(stores)
    assert caught.value.retry_after_seconds >= 1
    assert SECRET not in str(caught.value)
    return caught.value


async def all_refused(stores: Stores, count: int = 32) -> None:
    """So many at once, of every kind."""
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(refused, stores, DEEDS[number % len(DEEDS)])


async def back(stores: Stores) -> float:
    """Waits until everything is answered again; how many seconds that took."""
    began = time.monotonic()
    with within(BACK_SECONDS), trio.fail_after(3 * BACK_SECONDS):
        for deed in DEEDS:
            await answered(stores, deed)
    return time.monotonic() - began


async def answered(stores: Stores, deed: Callable[[Stores], Awaitable[None]]) -> None:
    """Asks again and again."""
    while True:
        with suppress(StoreUnavailable):
            return await deed(stores)
        await trio.sleep(0.01)


async def whole(stores: Stores, server: PostgresServer | NamedPostgres, database: str) -> None:
    """Every place is free and works, and the server holds no more connections than that."""
    pool = pool_of(stores)
    assert (pool.free_count, pool.lent_count, pool.waiting_count) == (pool.size, 0, 0)
    # The deadlines of these tests are short: a busy machine may miss one.
    with within(BACK_SECONDS), trio.fail_after(3 * BACK_SECONDS):
        async with trio.open_nursery() as nursery:
            for number in range(pool.size * 2):
                nursery.start_soon(answered, stores, DEEDS[number % len(DEEDS)])
    assert (pool.free_count, pool.lent_count, pool.waiting_count) == (pool.size, 0, 0)
    sql = f"""SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'visiona server' AND datname = '{database}'"""
    with trio.fail_after(5):
        while int(server.sql(sql)) > pool.size:  # noqa: ASYNC110 - nothing tells us
            await trio.sleep(0.01)
