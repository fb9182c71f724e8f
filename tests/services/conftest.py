"""Services are tried on the memory engine; what depends on transactions, on every engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from visiona.stores.interfaces import Stores

from tests.support.engines import ENGINES, opened
from tests.support.nouns import Home, a_home


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with opened("memory", tmp_path) as opened_stores:
        yield opened_stores


@pytest.fixture(params=ENGINES)
async def every_stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    async with opened(request.param, tmp_path) as opened_stores:
        yield opened_stores


@pytest.fixture
async def home(stores: Stores) -> Home:
    return await a_home(stores)
