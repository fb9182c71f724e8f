"""No byte of anybody's request or answer is lost, changed or given to somebody else.

A reused head parser once sent requests out with the previous request's method and URL; wrk, 200 MB transfers and
seventeen functional checks passed all the same. This comparison of everything failed at once.
"""

import pytest
import trio
import trio.testing

from tests.e2e.integrity import converse, open_device

CONNECTIONS = 16
REQUESTS_EACH = 70

GO = pytest.mark.interop
KINDS = ["python", pytest.param("new", marks=GO), pytest.param("old", marks=GO)]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_each_answer_belongs_to_its_request_byte_for_byte(layer: str, kind: str) -> None:
    done: list[int] = []

    async def one_client(seed: int) -> None:
        done.append(await converse(port.number, seed, REQUESTS_EACH))

    async with open_device(layer, kind) as port:
        async with trio.open_nursery() as nursery:
            for seed in range(CONNECTIONS):
                nursery.start_soon(one_client, seed)
        assert sum(done) >= CONNECTIONS * REQUESTS_EACH
        await trio.testing.wait_all_tasks_blocked(0.1)
        port.sweeper.tick(1)
        assert len(port.registry.calls) == 0
