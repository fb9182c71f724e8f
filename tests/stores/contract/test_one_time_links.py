from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.ids import UserId
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL, LinkPurpose, OneTimeLink
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, new_hash


def a_link(user_id: UserId | None, ttl: timedelta = ONE_TIME_LINK_TTL) -> OneTimeLink:
    purpose = LinkPurpose.FIRST_ADMIN if user_id is None else LinkPurpose.SIGN_IN
    return OneTimeLink(new_hash(), purpose, user_id, NOW, NOW + ttl)


async def add(stores: Stores, *links: OneTimeLink) -> None:
    for link in links:
        await stores.write(lambda tx, link=link: tx.one_time_links.add(link))


async def found(stores: Stores, link: OneTimeLink) -> OneTimeLink | None:
    return await stores.read(lambda tx: tx.one_time_links.get_or_none(link.hash))


async def test_a_link_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    links = [a_link(None), a_link(home.user.id), replace(a_link(home.user.id), used_at=LATER)]
    await add(stores, *links)
    assert [await found(stores, link) for link in links] == links
    assert await found(stores, a_link(None)) is None


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"user_id": UserId("nobody"), "purpose": LinkPurpose.SIGN_IN}, "reference"),
        ({"expires_at": NOW}, "ttl"),
        ({"expires_at": NOW + ONE_TIME_LINK_TTL + timedelta(microseconds=1)}, "ttl"),
    ],
)
async def test_a_link_that_breaks_a_promise_is_refused(
    stores: Stores, change: dict[str, object], about: str
) -> None:
    with pytest.raises(StoreConflict) as caught:
        await add(stores, replace(a_link(None), **change))
    assert caught.value.about == about


async def test_a_link_exists_once(stores: Stores) -> None:
    link = a_link(None)
    await add(stores, link)
    with pytest.raises(StoreConflict) as caught:
        await add(stores, link)
    assert caught.value.about == "link"


async def test_a_link_is_consumed_once(stores: Stores) -> None:
    link = a_link(None)
    await add(stores, link)
    assert await stores.write(lambda tx: tx.one_time_links.consume(link.hash, LATER))
    assert not await stores.write(lambda tx: tx.one_time_links.consume(link.hash, LATER))
    assert not await stores.write(lambda tx: tx.one_time_links.consume("none", LATER))
    assert await found(stores, link) == replace(link, used_at=LATER)


@pytest.mark.parametrize(("microseconds", "consumed"), [(-1, True), (0, False), (1, False)])
async def test_a_link_is_not_consumed_after_its_time(
    stores: Stores, microseconds: int, consumed: bool
) -> None:
    link = a_link(None)
    await add(stores, link)
    now = link.expires_at + timedelta(microseconds=microseconds)
    assert await stores.write(lambda tx: tx.one_time_links.consume(link.hash, now)) is consumed


async def test_a_new_link_ends_those_of_the_same_person_and_purpose_alone(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    mine, used, his, first = (
        a_link(home.user.id),
        replace(a_link(home.user.id), used_at=NOW),
        a_link(bob.user.id),
        a_link(None),
    )
    await add(stores, mine, used, his, first)
    end = LinkPurpose.SIGN_IN, home.user.id, LATER
    assert await stores.write(lambda tx: tx.one_time_links.end(*end)) == 1
    assert await found(stores, mine) == replace(mine, used_at=LATER)
    assert [await found(stores, link) for link in (used, his, first)] == [used, his, first]
    end_first = LinkPurpose.FIRST_ADMIN, None, LATER
    assert await stores.write(lambda tx: tx.one_time_links.end(*end_first)) == 1
    assert await found(stores, his) == his


async def test_old_ones_are_forgotten(stores: Stores) -> None:
    old, young = a_link(None, ttl=timedelta(seconds=1)), a_link(None)
    await add(stores, old, young)
    assert await stores.write(lambda tx: tx.one_time_links.purge(old.expires_at, 10)) == 0
    assert await stores.write(lambda tx: tx.one_time_links.purge(young.expires_at, 10)) == 1
    assert await found(stores, old) is None
    assert await found(stores, young) == young
