"""Every engine that stores can run on, opened for a test."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

ENGINES = ("memory", "sqlite")


@contextlib.asynccontextmanager
async def opened(engine: str, folder: Path) -> AsyncIterator[Stores]:
    """Fresh stores of the engine."""
    url = "memory:" if engine == "memory" else None
    async with open_stores(StoreSettings(url, folder), exclusive=True) as stores:
        yield stores
