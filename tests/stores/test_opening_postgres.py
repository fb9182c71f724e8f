from pathlib import Path

import pytest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.opening import migrate_up, open_stores, schema_status
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.migrate import known_migrations

from tests.support.nouns import a_user, put
from tests.support.servers.postgres import NamedPostgres, PostgresServer


@pytest.fixture
def settings(postgres_server: PostgresServer | NamedPostgres, tmp_path: Path) -> StoreSettings:
    return StoreSettings(postgres_server.create_database(), tmp_path)


async def test_what_was_written_is_there_the_next_time(settings: StoreSettings) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
    async with open_stores(settings, exclusive=False) as stores:
        (user,) = await stores.read(lambda tx: tx.users.list_all(10))
    assert user.email == "ada@example.com"


async def test_the_schemas_status_is_told_without_touching_anything(settings: StoreSettings) -> None:
    status = await schema_status(settings)
    assert status is not None
    assert (status.applied, status.pending) == ((), known_migrations())
    assert await migrate_up(settings) == status
    after = await schema_status(settings)
    assert after is not None
    assert after.pending == ()


async def test_s01_a_database_that_is_not_there_is_told_in_a_sentence(
    postgres_server: PostgresServer | NamedPostgres, settings: StoreSettings, tmp_path: Path
) -> None:
    url = (settings.url or "").replace(settings.postgres.database, "nowhere")
    with pytest.raises(
        StoreUnavailable, match=r"the database is not there \(postgresql://.*/nowhere"
    ) as caught:
        async with open_stores(StoreSettings(url, tmp_path), exclusive=True):
            pass
    assert "CREATE DATABASE" in caught.value.advice
