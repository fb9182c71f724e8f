from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from visiona.stores.interfaces import Stores, Tx
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.support.nouns import a_user, put
from tests.support.servers.postgres import NamedPostgres, PostgresServer


@pytest.fixture
async def stores(postgres_server: PostgresServer | NamedPostgres, tmp_path: Path) -> AsyncIterator[Stores]:
    settings = StoreSettings(postgres_server.create_database(), tmp_path)
    async with open_stores(settings, exclusive=True) as opened:
        yield opened


async def test_every_commit_changes_the_mark_and_nothing_else_does(stores: Stores) -> None:
    mark = await stores.change_mark()
    await stores.read(lambda tx: tx.users.list_all(10))
    assert await stores.change_mark() == mark
    await put(stores, a_user())
    assert await stores.change_mark() != mark


async def test_an_operation_that_reads_may_not_write(stores: Stores) -> None:
    async def write(tx: Tx) -> None:
        await tx.users.add(a_user())

    with pytest.raises(RuntimeError, match="may not write"):
        await stores.read(write)
    assert await stores.read(lambda tx: tx.users.list_all(10)) == []
