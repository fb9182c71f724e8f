"""S-01 with a way to PostgreSQL that is spoilt: slow, in pieces, silent, reset, or losing the one answer that counts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.support.lateness import within
from tests.support.nouns import a_user, put
from tests.support.postgres_calls import (
    AT_ONCE_SECONDS,
    DEEDS,
    all_refused,
    back,
    emails,
    refused,
    whole,
)
from tests.support.servers.postgres import NamedPostgres, PostgresServer
from tests.support.toxics import ToxicRelay

TIMEOUT_SECONDS = 1.5

Server = PostgresServer | NamedPostgres


@pytest.fixture
def way(postgres_url: str, tmp_path: Path) -> Iterator[ToxicRelay]:
    ((host, port),) = StoreSettings(postgres_url, tmp_path).postgres.hosts
    if host != "127.0.0.1":
        pytest.skip("the server that is named is not on the loopback")
    with ToxicRelay(port) as relay:
        yield relay


@pytest.fixture
def settings(way: ToxicRelay, postgres_url: str, tmp_path: Path) -> StoreSettings:
    straight = StoreSettings(postgres_url, tmp_path, timeout_seconds=TIMEOUT_SECONDS)
    ((host, port),) = straight.postgres.hosts
    return replace(straight, url=postgres_url.replace(f"{host}:{port}", f"127.0.0.1:{way.port}"))


@pytest.mark.parametrize("spoil", [ToxicRelay.swallow, ToxicRelay.vanish], ids=["no answer", "no connection"])
async def test_s01_a_black_hole_costs_one_deadline_and_is_then_refused_at_once(
    way: ToxicRelay, settings: StoreSettings, postgres_server: Server, spoil: Callable[[ToxicRelay], None]
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await put(stores, a_user())
        await whole(stores, postgres_server, settings.postgres.database)
        spoil(way)
        with within(TIMEOUT_SECONDS + AT_ONCE_SECONDS):
            await all_refused(stores)
        with within(AT_ONCE_SECONDS):
            for deed in DEEDS * 10:
                await refused(stores, deed, "the database does not answer")
        way.heal()
        await back(stores)
        assert await emails(stores) == ["ada@example.com"]
        await whole(stores, postgres_server, settings.postgres.database)


async def test_s01_a_way_that_takes_longer_than_anybody_waits_is_as_good_as_none(
    way: ToxicRelay, settings: StoreSettings, postgres_server: Server
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        await whole(stores, postgres_server, settings.postgres.database)
        way.delay(3.0)
        with within(TIMEOUT_SECONDS + AT_ONCE_SECONDS):
            await all_refused(stores)
        way.heal()
        await back(stores)
        await whole(stores, postgres_server, settings.postgres.database)


async def test_a_long_way_in_small_pieces_is_gone_all_the_same(
    way: ToxicRelay, settings: StoreSettings, postgres_server: Server
) -> None:
    way.slice(1)
    way.delay(0.005)
    async with open_stores(replace(settings, timeout_seconds=10.0), exclusive=True) as stores:
        await put(stores, *[a_user(f"{number}@example.com") for number in range(5)])
        assert len(await emails(stores)) == 5
        for deed in DEEDS:
            await deed(stores)


@pytest.mark.parametrize("spoil", [ToxicRelay.reset, ToxicRelay.refuse], ids=["reset", "refused"])
async def test_s01_connections_that_are_reset_are_replaced(
    way: ToxicRelay, settings: StoreSettings, postgres_server: Server, spoil: Callable[[ToxicRelay], None]
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        for _ in range(3):
            await whole(stores, postgres_server, settings.postgres.database)
            spoil(way)
            if spoil is ToxicRelay.refuse:
                with within(AT_ONCE_SECONDS):
                    await all_refused(stores)
            way.heal()
            await back(stores)
        await whole(stores, postgres_server, settings.postgres.database)


@pytest.mark.parametrize("then", [ToxicRelay.reset, None], ids=["reset", "silence"])
async def test_s01_a_commit_whose_answer_is_lost_is_in_doubt_and_may_have_been_kept(
    way: ToxicRelay, settings: StoreSettings, then: Callable[[ToxicRelay], None] | None
) -> None:
    async def reset_later() -> None:
        if then is not None:
            await trio.sleep(TIMEOUT_SECONDS / 3)
            then(way)

    async with open_stores(settings, exclusive=True) as stores:
        way.lose_the_answer_to(b"COMMIT\x00")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reset_later)
            with pytest.raises(StoreUnavailable, match="whether that was kept is not known") as caught:
                await put(stores, a_user())
        assert caught.value.is_in_doubt
        way.heal()
        await back(stores)
        assert await emails(stores) == ["ada@example.com"]


async def test_s01_a_begin_whose_answer_is_lost_is_in_no_doubt(
    way: ToxicRelay, settings: StoreSettings
) -> None:
    async with open_stores(settings, exclusive=True) as stores:
        way.lose_the_answer_to(b"BEGIN")
        with pytest.raises(StoreUnavailable, match="too long") as caught:
            await put(stores, a_user())
        assert not caught.value.is_in_doubt
        way.heal()
        await back(stores)
        assert await emails(stores) == []
