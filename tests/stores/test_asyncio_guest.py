import asyncio  # noqa: TID251  the loop under test

import pytest
import trio
from visiona.stores.asyncio_guest import open_guest


async def give_back(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def test_a_coroutine_of_asyncios_is_run_and_its_answer_given() -> None:
    async with open_guest() as guest:
        assert await guest.run(give_back, 3) == 3


async def test_what_it_raises_comes_out() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.001)
        raise KeyError("x")

    async with open_guest() as guest:
        with pytest.raises(KeyError):
            await guest.run(fail)


async def test_after_its_end_nothing_runs_any_more() -> None:
    async with open_guest() as guest:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await guest.run(give_back, 3)
