from datetime import timedelta

import pytest
import trio
from visiona.domain.errors import Conflict, Gone, Invalid, NotFound
from visiona.domain.ids import UserId
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL
from visiona.services.one_time_links import (
    is_first_admin_link,
    mint_first_admin_link,
    mint_sign_in_link,
    redeem_first_admin_link,
    redeem_sign_in_link,
    user_of_link,
)
from visiona.services.users import add_user, disable_user, find_user, list_users
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, a_home

OVER = NOW + ONE_TIME_LINK_TTL


async def first_link(stores: Stores) -> str:
    minted = await mint_first_admin_link(stores, NOW)
    assert minted is not None
    assert minted.text not in repr(minted)
    return minted.text


async def test_the_first_administrator_is_made_once(stores: Stores) -> None:
    text = await first_link(stores)
    assert await is_first_admin_link(stores, text, NOW)
    user = await redeem_first_admin_link(stores, text, "Ada@Example.com", "hash", LATER, name="Ada L")
    assert (user.email, user.name, user.is_admin) == ("ada@example.com", "Ada L", True)
    assert await find_user(stores, "ada@example.com") == user
    assert not await is_first_admin_link(stores, text, LATER)
    with pytest.raises(Gone):
        await redeem_first_admin_link(stores, text, "bob@example.com", "hash", LATER)
    assert await mint_first_admin_link(stores, LATER) is None


async def test_a_hundred_at_once_make_one_account(stores: Stores) -> None:
    text = await first_link(stores)
    gone = 0

    async def race(number: int) -> None:
        nonlocal gone
        try:
            await redeem_first_admin_link(stores, text, f"user{number}@example.com", "hash", LATER)
        except Gone:
            gone += 1

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(race, number)
    assert gone == 99
    assert len(await list_users(stores)) == 1


async def test_a_refused_address_leaves_the_link_as_it_was(stores: Stores) -> None:
    home = await a_home(stores)
    text = await first_link(stores)
    with pytest.raises(Conflict, match="account"):
        await redeem_first_admin_link(stores, text, home.user.email, "hash", LATER)
    with pytest.raises(Invalid):
        await redeem_first_admin_link(stores, text, "nonsense", "hash", LATER)
    assert await redeem_first_admin_link(stores, text, "bob@example.com", "hash", LATER)


async def test_a_new_first_link_ends_the_one_before_and_a_password_ends_them_all(stores: Stores) -> None:
    old, new = await first_link(stores), await first_link(stores)
    assert not await is_first_admin_link(stores, old, NOW)
    assert await is_first_admin_link(stores, new, NOW)
    assert not await is_first_admin_link(stores, new, OVER)
    await add_user(stores, "ada@example.com", "hash", NOW)
    assert not await is_first_admin_link(stores, new, NOW)
    with pytest.raises(Gone):
        await redeem_first_admin_link(stores, new, "bob@example.com", "hash", NOW)


async def test_a_sign_in_link_works_once(stores: Stores) -> None:
    user = await add_user(stores, "ada@example.com", "old", NOW)
    text = (await mint_sign_in_link(stores, user.id, NOW)).text
    assert await user_of_link(stores, text, LATER) == user
    assert await redeem_sign_in_link(stores, text, None, LATER) == user
    assert await user_of_link(stores, text, LATER) is None
    with pytest.raises(Gone):
        await redeem_sign_in_link(stores, text, None, LATER)


async def test_a_sign_in_link_can_bring_a_new_password(stores: Stores) -> None:
    home = await a_home(stores)
    await stores.sessions.create(home.session())
    keeps = (await mint_sign_in_link(stores, home.user.id, NOW)).text
    await redeem_sign_in_link(stores, keeps, None, NOW)
    assert len(await stores.sessions.list_of_user(home.user.id, NOW)) == 1
    text = (await mint_sign_in_link(stores, home.user.id, NOW)).text
    assert (await redeem_sign_in_link(stores, text, "new", LATER)).password_hash == "new"
    assert (await find_user(stores, home.user.id)).password_hash == "new"
    # Perhaps somebody knew the old one.
    assert await stores.sessions.list_of_user(home.user.id, NOW) == []


async def test_a_link_is_good_for_its_own_purpose_alone(stores: Stores) -> None:
    home = await a_home(stores)
    sign_in = (await mint_sign_in_link(stores, home.user.id, NOW)).text
    first = await first_link(stores)
    assert not await is_first_admin_link(stores, sign_in, NOW)
    assert await user_of_link(stores, first, NOW) is None
    with pytest.raises(Gone):
        await redeem_first_admin_link(stores, sign_in, "bob@example.com", "hash", NOW)
    with pytest.raises(Gone):
        await redeem_sign_in_link(stores, first, None, NOW)
    assert await user_of_link(stores, sign_in, NOW) == home.user


@pytest.mark.parametrize("after", [timedelta(0), timedelta(days=1)])
async def test_a_link_is_over_after_fifteen_minutes(after: timedelta, stores: Stores) -> None:
    home = await a_home(stores)
    text = (await mint_sign_in_link(stores, home.user.id, NOW)).text
    assert await user_of_link(stores, text, OVER - timedelta(microseconds=1))
    assert await user_of_link(stores, text, OVER + after) is None
    with pytest.raises(Gone):
        await redeem_sign_in_link(stores, text, None, OVER + after)


async def test_a_disabled_account_has_no_link_and_its_old_one_does_not_work(stores: Stores) -> None:
    home = await a_home(stores)
    text = (await mint_sign_in_link(stores, home.user.id, NOW)).text
    await disable_user(stores, home.user.id, NOW)
    assert await user_of_link(stores, text, NOW) is None
    with pytest.raises(Gone):
        await redeem_sign_in_link(stores, text, None, NOW)
    with pytest.raises(Conflict, match="disabled"):
        await mint_sign_in_link(stores, home.user.id, NOW)
    with pytest.raises(NotFound):
        await mint_sign_in_link(stores, UserId("nobody"), NOW)


@pytest.mark.parametrize(
    "text", ["", "x", "vAo_" + "0" * 64, "vAo_" + "0" * 65, "vAp_" + "0" * 64, "é" * 9999]
)
async def test_what_is_no_link_is_found_nowhere(text: str, stores: Stores) -> None:
    await first_link(stores)
    assert await user_of_link(stores, text, NOW) is None
    assert not await is_first_admin_link(stores, text, NOW)
    with pytest.raises(Gone):
        await redeem_first_admin_link(stores, text, "bob@example.com", "hash", NOW)
