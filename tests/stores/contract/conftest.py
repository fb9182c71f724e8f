"""Each test of this folder runs on each engine: what one promises, all keep.

A Redis beside the database is only seen by sessions and what goes with them; those modules name it themselves.
"""

from collections.abc import AsyncIterator

import pytest
from visiona.stores.interfaces import Stores

from tests.support.engines import ENGINES, Place, opened
from tests.support.nouns import Home, a_home


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def stores(place: Place) -> AsyncIterator[Stores]:
    async with opened(place) as opened_stores:
        yield opened_stores


@pytest.fixture
async def home(stores: Stores) -> Home:
    return await a_home(stores)
