import asyncio  # noqa: TID251  the pool's loop
import random

import pytest
from visiona.stores.sql import postgres_pool
from visiona.stores.sql.postgres_pool import PostgresPool

from tests.support.asyncio_tests import on_asyncio, until

FAR = 3600.0


class FakeConnection:
    """A connection that was opened and can be cut."""

    def __init__(self) -> None:
        self.has_been_cut = False
        self.is_busy = False

    def is_closed(self) -> bool:
        return self.has_been_cut

    def is_in_transaction(self) -> bool:
        return self.is_busy

    def terminate(self) -> None:
        self.has_been_cut = True


async def connect(_: float) -> FakeConnection:
    await asyncio.sleep(0)
    return FakeConnection()


async def refuse(_: float) -> FakeConnection:
    await asyncio.sleep(0)
    raise ConnectionRefusedError


def after(seconds: float = FAR) -> float:
    return asyncio.get_running_loop().time() + seconds


@on_asyncio
async def test_none_is_opened_before_somebody_asks() -> None:
    pool = PostgresPool(connect, 2)
    assert (pool.lent_count, pool.idle_count, pool.free_count) == (0, 0, 2)


@on_asyncio
async def test_a_connection_is_used_again_the_last_one_first() -> None:
    pool = PostgresPool(connect, 3)
    one, two = await pool.acquire(after()), await pool.acquire(after())
    assert (pool.lent_count, pool.idle_count, pool.free_count) == (2, 0, 1)
    pool.release(one)
    pool.release(two)
    assert (pool.lent_count, pool.idle_count, pool.free_count) == (0, 2, 3)
    assert await pool.acquire(after()) is two
    assert await pool.acquire(after()) is one


@on_asyncio
async def test_one_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    pool = PostgresPool(connect, 1)
    one = await pool.acquire(after())
    pool.release(one)
    one.terminate()
    two = await pool.acquire(after())
    assert two is not one
    two.terminate()
    pool.release(two)
    assert pool.idle_count == 0


@on_asyncio
async def test_one_in_the_middle_of_a_transaction_is_cut_and_not_kept() -> None:
    pool = PostgresPool(connect, 1)
    one = await pool.acquire(after())
    one.is_busy = True
    pool.release(one)
    assert one.has_been_cut
    assert (pool.idle_count, pool.free_count) == (0, 1)


@on_asyncio
async def test_places_are_given_in_the_order_of_asking() -> None:
    pool = PostgresPool(connect, 1)
    held = await pool.acquire(after())
    order: list[int] = []

    async def ask(number: int) -> None:
        connection = await pool.acquire(after())
        order.append(number)
        await asyncio.sleep(0)
        pool.release(connection)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(ask(number))
        await until(lambda: pool.waiting_count == 5)
        pool.release(held)
    assert order == [0, 1, 2, 3, 4]
    assert (pool.lent_count, pool.idle_count, pool.free_count) == (0, 1, 1)


@on_asyncio
async def test_s01_who_waits_too_long_for_a_place_is_told_and_forgotten() -> None:
    pool = PostgresPool(connect, 1)
    held = await pool.acquire(after())
    with pytest.raises(TimeoutError):
        await pool.acquire(after(0.01))
    assert pool.waiting_count == 0
    pool.release(held)
    assert await pool.acquire(after()) is held


@on_asyncio
async def test_who_waits_can_be_turned_away_before_the_time() -> None:
    pool = PostgresPool(connect, 1)
    held = await pool.acquire(after())
    waiting = [asyncio.create_task(pool.acquire(after())) for _ in range(3)]
    await until(lambda: pool.waiting_count == 3)
    pool.turn_away()
    pool.release(held)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [TimeoutError] * 3
    assert (pool.waiting_count, pool.free_count) == (0, 1)
    assert await pool.acquire(after()) is held


@on_asyncio
async def test_a_connection_is_opened_within_what_is_left_of_the_deadline() -> None:
    given: list[float] = []

    async def slow(within_seconds: float) -> FakeConnection:
        given.append(within_seconds)
        return FakeConnection()

    pool = PostgresPool(slow, 1)
    await pool.acquire(after(5.0))
    assert 4.0 < given[0] <= 5.0


@on_asyncio
async def test_one_that_cannot_be_opened_costs_no_place() -> None:
    pool = PostgresPool(refuse, 2)
    answers = await asyncio.gather(*(pool.acquire(after()) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ConnectionRefusedError}
    assert (pool.free_count, pool.waiting_count) == (2, 0)


@on_asyncio
async def test_who_is_cancelled_while_waiting_leaves_the_place_to_the_next() -> None:
    pool = PostgresPool(connect, 1)
    held = await pool.acquire(after())
    first = asyncio.create_task(pool.acquire(after()))
    second = asyncio.create_task(pool.acquire(after()))
    await until(lambda: pool.waiting_count == 2)
    first.cancel()
    pool.release(held)
    assert await second is held
    assert first.cancelled()


@on_asyncio
async def test_a_place_that_is_given_at_the_moment_of_the_cancellation_is_not_lost() -> None:
    pool = PostgresPool(connect, 1)
    held = await pool.acquire(after())
    first = asyncio.create_task(pool.acquire(after()))
    await until(lambda: pool.waiting_count == 1)
    pool.release(held)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    assert (pool.free_count, pool.lent_count) == (1, 0)


@on_asyncio
async def test_who_is_cancelled_while_connecting_gives_the_place_back() -> None:
    async def never(_: float) -> FakeConnection:
        await asyncio.sleep(FAR)
        return FakeConnection()

    pool = PostgresPool(never, 1)
    asking = asyncio.create_task(pool.acquire(after()))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking})
    assert pool.free_count == 1


@on_asyncio
async def test_what_is_forgotten_is_cut_now_or_when_it_comes_back() -> None:
    pool = PostgresPool(connect, 2)
    lent, idle = await pool.acquire(after()), await pool.acquire(after())
    pool.release(idle)
    pool.forget()
    assert idle.has_been_cut
    assert not lent.has_been_cut
    pool.release(lent)
    assert lent.has_been_cut
    fresh = await pool.acquire(after())
    pool.release(fresh)
    assert await pool.acquire(after()) is fresh


@on_asyncio
async def test_s01_one_that_was_being_opened_when_all_was_forgotten_is_not_kept() -> None:
    """It may have come in before the server changed, as those that were open."""
    come_in = asyncio.Event()

    async def slowly(_: float) -> FakeConnection:
        await come_in.wait()
        return FakeConnection()

    pool = PostgresPool(slowly, 1)
    asking = asyncio.create_task(pool.acquire(after()))
    await asyncio.sleep(0)
    pool.forget()
    come_in.set()
    connection = await asking
    assert not connection.is_closed()
    pool.release(connection)
    assert connection.is_closed()
    assert (pool.idle_count, pool.free_count) == (0, 1)


@on_asyncio
async def test_what_nobody_used_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_pool, "IDLE_SECONDS", 0.02)
    pool = PostgresPool(connect, 2)
    one, two = await pool.acquire(after()), await pool.acquire(after())
    pool.release(one)
    await until(lambda: not pool.idle_count)
    assert one.has_been_cut
    pool.release(two)
    await until(lambda: not pool.idle_count)
    assert two.has_been_cut
    assert pool.free_count == 2


@on_asyncio
async def test_a_closed_pool_keeps_nothing() -> None:
    pool = PostgresPool(connect, 2)
    lent, idle = await pool.acquire(after()), await pool.acquire(after())
    pool.release(idle)
    pool.close()
    pool.release(lent)
    assert idle.has_been_cut
    assert lent.has_been_cut


@on_asyncio
async def test_no_place_is_lost_however_callers_are_cancelled_or_refused() -> None:
    chance = random.Random(7)

    async def sometimes(_: float) -> FakeConnection:
        await asyncio.sleep(chance.choice([0, 0.0005]))
        if chance.random() < 0.2:
            raise ConnectionRefusedError
        return FakeConnection()

    pool = PostgresPool(sometimes, 4)

    async def ask() -> None:
        connection = await pool.acquire(after(chance.uniform(0.001, 0.05)))
        try:
            await asyncio.sleep(chance.choice([0, 0.001]))
            connection.is_busy = chance.random() < 0.2
        finally:
            pool.release(connection)

    tasks = [asyncio.create_task(ask()) for _ in range(600)]
    for task in tasks:
        if chance.random() < 0.5:
            await asyncio.sleep(0)
        if chance.random() < 0.6:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (pool.free_count, pool.lent_count, pool.waiting_count) == (4, 0, 0)
    assert pool.idle_count <= 4
