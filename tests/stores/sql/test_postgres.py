from pathlib import Path

import pytest
import trio
from visiona.stores.interfaces import Tx
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.support.nouns import a_user, put
from tests.support.servers.postgres import NamedPostgres, PostgresServer


@pytest.fixture
def settings(postgres_server: PostgresServer | NamedPostgres, tmp_path: Path) -> StoreSettings:
    return StoreSettings(postgres_server.create_database(), tmp_path)


async def test_operations_go_across_and_their_answers_come_back(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        mark = await stores.change_mark()
        await put(stores, a_user())
        assert [user.email for user in await stores.read(lambda tx: tx.users.list_all(10))] == [
            "ada@example.com"
        ]
        assert await stores.change_mark() != mark
        assert await stores.pings["database"]() is None


async def test_what_an_operation_raises_comes_back_and_nothing_is_kept(settings: StoreSettings) -> None:
    async def fail(tx: Tx) -> None:
        await tx.users.add(a_user())
        raise KeyError

    async with open_stores(settings, exclusive=True) as stores:
        with pytest.raises(KeyError):
            await stores.write(fail)
        assert await stores.read(lambda tx: tx.users.list_all(10)) == []


async def test_after_the_end_there_is_nobody_to_ask(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await stores.change_mark()
