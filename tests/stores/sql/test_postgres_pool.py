import asyncio  # noqa: TID251  the pool's loop

import pytest
from visiona.stores.sql.postgres_pool import PostgresPool

from tests.support.asyncio_tests import on_asyncio


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


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


@on_asyncio
async def test_a_connection_is_used_again() -> None:
    pool = PostgresPool(connect, 2)
    first = await pool.acquire(soon())
    pool.release(first)
    assert await pool.acquire(soon()) is first
    assert (pool.lent_count, pool.idle_count, pool.free_count) == (1, 0, 1)


@on_asyncio
async def test_who_waits_too_long_for_a_place_is_told() -> None:
    pool = PostgresPool(connect, 1)
    await pool.acquire(soon())
    with pytest.raises(TimeoutError):
        await pool.acquire(soon(0.01))
