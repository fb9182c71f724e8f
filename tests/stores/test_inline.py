from collections.abc import Generator

import pytest
import trio
from visiona.stores.inline import run_inline


def test_what_never_waits_runs_to_its_end() -> None:
    async def inner() -> int:
        return 7

    async def operation() -> int:
        return await inner()

    assert run_inline(operation()) == 7


def test_what_it_raises_comes_through() -> None:
    async def operation() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        run_inline(operation())


def test_what_waits_is_stopped_and_cleans_up() -> None:
    cleaned = []

    async def operation() -> None:
        try:
            await trio.lowlevel.checkpoint()
        finally:
            cleaned.append(True)

    with pytest.raises(RuntimeError, match="nothing else"):
        run_inline(operation())
    assert cleaned == [True]


def test_an_awaitable_that_cannot_be_closed_is_refused_too() -> None:
    class Waiting:
        def __await__(self) -> Generator[None, None, None]:
            return iter([None])

    with pytest.raises(RuntimeError, match="nothing else"):
        run_inline(Waiting())
