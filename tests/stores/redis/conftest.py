from collections.abc import AsyncIterator, Iterator

import pytest
from visiona.stores.interfaces import Stores

from tests.stores.redis.beside import beside
from tests.support.nouns import Home, a_home
from tests.support.servers.redis import RedisServer


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own, to do with what it likes."""
    with RedisServer() as started:
        yield started


@pytest.fixture
async def stores(server: RedisServer) -> AsyncIterator[Stores]:
    async with beside(server) as opened:
        yield opened


@pytest.fixture
async def home(stores: Stores) -> Home:
    return await a_home(stores)
