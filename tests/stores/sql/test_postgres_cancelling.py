"""Callers of PostgreSQL that go away: nothing is half done, nothing runs on, and the pool is as good as before."""

import functools
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from visiona.domain.ids import UserId
from visiona.stores.interfaces import Tx
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import postgres_visits
from visiona.stores.sql.postgres import PostgresStores
from visiona.stores.sql.postgres_engine import PostgresEngine

from tests.support.nouns import a_user, put
from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.waiting import until

PURSES = 20
CANCELS = 400


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreSettings:
    # A machine that is busy with other tests is no fault; whoever is cut instead goes on until the deadline.
    monkeypatch.setattr(postgres_visits, "CANCEL_SECONDS", 20.0)
    return StoreSettings(postgres_url, tmp_path, timeout_seconds=30.0)


@pytest.fixture
async def stores(settings: StoreSettings) -> AsyncIterator[PostgresStores]:
    async with open_stores(settings, exclusive=True) as opened:
        assert isinstance(opened, PostgresStores)
        await opened.write(make_purses)
        yield opened


def engine_of(stores: PostgresStores) -> PostgresEngine:
    return stores._engine


async def make_purses(tx: Tx) -> None:
    port = tx.users._tx
    await port.execute("CREATE TABLE purses (id BIGINT PRIMARY KEY, coins BIGINT NOT NULL)")
    await port.execute(f"INSERT INTO purses SELECT n, 100 FROM generate_series(1, {PURSES}) n")


async def move(giver: int, taker: int, tx: Tx) -> None:
    """One coin from purse to purse; what is half done would show in the sum."""
    port = tx.users._tx
    await port.execute("UPDATE purses SET coins = coins - 1 WHERE id = $1", giver)
    await port.fetch_one("SELECT coins FROM purses WHERE id = $1", taker)
    await port.execute("UPDATE purses SET coins = coins + 1 WHERE id = $1", taker)


async def count(tx: Tx) -> tuple[int, int]:
    port = tx.users._tx
    total, purses = await port.fetch_one("SELECT sum(coins), count(*) FROM purses")
    return int(total), int(purses)


async def sleep_there(tx: Tx) -> None:
    await tx.users._tx.fetch_one("SELECT pg_sleep(60)")


async def all_is_well(stores: PostgresStores, server: PostgresServer | NamedPostgres, database: str) -> None:
    """The sum is what it was, every place in the pool is free and works, and the server does nothing more."""
    pool = engine_of(stores).pool
    assert (pool.free_count, pool.lent_count, pool.waiting_count) == (pool.size, 0, 0)
    async with trio.open_nursery() as nursery:
        for _ in range(pool.size * 3):
            nursery.start_soon(stores.write, functools.partial(move, 1, 2))
    assert await stores.read(count) == (PURSES * 100, PURSES)
    sql = f"""SELECT count(*), count(*) FILTER (WHERE state <> 'idle')
        FROM pg_stat_activity WHERE datname = '{database}'"""
    await until(lambda: server.sql(sql).endswith("|0"))
    assert int(server.sql(sql).partition("|")[0]) <= pool.size


async def test_400_random_cancellations_leave_everything_whole(
    stores: PostgresStores, settings: StoreSettings, postgres_server: PostgresServer | NamedPostgres
) -> None:
    chance = random.Random(11)
    cancelled = 0

    async def move_or_leave(seconds: float) -> None:
        nonlocal cancelled
        giver, taker = chance.sample(range(1, PURSES + 1), 2)
        with trio.move_on_after(seconds) as scope:
            await stores.write(functools.partial(move, giver, taker))
        cancelled += scope.cancelled_caught

    began = time.monotonic()
    for _ in range(10):
        await stores.write(functools.partial(move, 1, 2))
    usual = (time.monotonic() - began) / 10
    while cancelled < CANCELS:
        async with trio.open_nursery() as nursery:
            for _ in range(40):
                # Some are over in time, some wait for a place, most are in the midst of it.
                nursery.start_soon(move_or_leave, chance.uniform(0, usual * 4))
    await all_is_well(stores, postgres_server, settings.postgres.database)


async def test_128_operations_that_are_cancelled_at_once_end_at_once(
    stores: PostgresStores, settings: StoreSettings, postgres_server: PostgresServer | NamedPostgres
) -> None:
    pool = engine_of(stores).pool
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for number in range(128):
                nursery.start_soon(stores.read if number % 2 else stores.write, sleep_there)
            await until(lambda: (pool.lent_count, pool.waiting_count) == (pool.size, 128 - pool.size))
            nursery.cancel_scope.cancel()
    await all_is_well(stores, postgres_server, settings.postgres.database)


async def test_a_question_that_nobody_waits_for_any_more_is_stopped_on_the_server(
    stores: PostgresStores, settings: StoreSettings, postgres_server: PostgresServer | NamedPostgres
) -> None:
    """At once, and its connection is used again; not at the deadline, which is half a minute away."""
    for ask in (stores.read, stores.write):
        with trio.move_on_after(0.1):
            await ask(sleep_there)
        await all_is_well(stores, postgres_server, settings.postgres.database)
    assert engine_of(stores).pool.idle_count > 0


async def test_a_caller_that_is_cancelled_while_it_connects_costs_nothing(
    stores: PostgresStores, settings: StoreSettings, postgres_server: PostgresServer | NamedPostgres
) -> None:
    engine_of(stores).pool.forget()
    for microseconds in range(0, 5000, 100):
        with trio.move_on_after(microseconds / 1e6):
            await stores.read(count)
        if microseconds % 500 == 0:
            engine_of(stores).pool.forget()
    await all_is_well(stores, postgres_server, settings.postgres.database)


async def test_what_was_kept_before_the_cancellation_came_is_kept(stores: PostgresStores) -> None:
    """Told or not, each is there or not there as a whole; whoever was told that it is kept finds it."""
    told: list[str] = []

    async def add(number: int) -> None:
        user = a_user(f"{number}@example.com")
        await put(stores, user)
        told.append(user.id)

    for number in range(60):
        with trio.move_on_after(number / 10_000):
            await add(number)
    kept = {user.id for user in await stores.read(lambda tx: tx.users.list_all(1000))}
    assert {UserId(user_id) for user_id in told} <= kept
    # The answer of a commit that was sent is waited for, so nobody was left in doubt.
    assert kept == set(told)


async def test_a_program_that_ends_in_the_midst_of_it_leaves_nothing_behind(
    settings: StoreSettings, postgres_server: PostgresServer | NamedPostgres
) -> None:
    with trio.fail_after(10):
        async with trio.open_nursery() as program:

            async def serve() -> None:
                async with open_stores(settings, exclusive=True) as stores, trio.open_nursery() as callers:
                    for _ in range(20):
                        callers.start_soon(stores.read, sleep_there)
                    assert isinstance(stores, PostgresStores)
                    pool = engine_of(stores).pool
                    await until(lambda: pool.lent_count == pool.size)
                    program.cancel_scope.cancel()

            program.start_soon(serve)
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{settings.postgres.database}'"
    await until(lambda: postgres_server.sql(sql) == "0")
