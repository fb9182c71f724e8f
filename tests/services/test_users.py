from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from visiona.domain.access import Role
from visiona.domain.errors import Conflict, Invalid, NotFound
from visiona.domain.ids import UserId
from visiona.domain.notices import NoticeKind
from visiona.services import users
from visiona.services.one_time_links import mint_sign_in_link, user_of_link
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, Home

T = TypeVar("T")

NOBODY = UserId("nobody")


async def notices(stores: Stores) -> list[tuple[NoticeKind, str]]:
    found = await stores.read(lambda tx: tx.notices.after(0, 100))
    return [(notice.kind, notice.subject) for notice in found]


async def test_a_new_user_has_a_personal_workspace(stores: Stores) -> None:
    user = await users.add_user(stores, " Ada@Example.com", "hash", NOW, is_admin=True)
    assert (user.email, user.name, user.is_admin, user.disabled_at) == ("ada@example.com", "ada", True, None)
    ((workspace, role),) = await stores.read(lambda tx: tx.workspaces.list_of_user(user.id, 10))
    assert (workspace.personal_of, workspace.name, role) == (user.id, "ada", Role.OWNER)


async def test_a_name_is_cleaned_and_may_be_given(stores: Stores) -> None:
    user = await users.add_user(stores, "ada@example.com", None, NOW, name="Ada\n Lovelace")
    assert user.name == "Ada Lovelace"


async def test_an_address_has_one_account(stores: Stores, home: Home) -> None:
    with pytest.raises(Conflict, match=r"ada@example\.com"):
        await users.add_user(stores, "ADA@example.com", None, NOW)
    assert len(await users.list_users(stores)) == 1


async def test_what_is_no_address_makes_no_account(stores: Stores) -> None:
    with pytest.raises(Invalid):
        await users.add_user(stores, "ada", None, NOW)
    assert await users.list_users(stores) == []


@pytest.mark.parametrize("fail_at", range(3))
async def test_a_user_and_its_workspace_are_made_together_or_not_at_all(stores: Stores, fail_at: int) -> None:
    with pytest.raises(StoreUnavailable):
        await users.add_user(FailingStores(stores, fail_at=fail_at), "ada@example.com", None, NOW)
    assert await users.list_users(stores) == []
    await users.add_user(stores, "ada@example.com", None, NOW)


async def test_another_conflict_is_not_taken_for_a_known_address(stores: Stores) -> None:
    class Colliding(FailingStores):
        def count(self) -> None:
            raise StoreConflict("no", about="workspace")

    with pytest.raises(StoreConflict):
        await users.add_user(Colliding(stores), "ada@example.com", None, NOW)


async def test_all_users_are_listed_however_many(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MAX_ROWS", 3)
    assert MAX_ROWS > 3
    for number in range(7):
        await users.add_user(stores, f"{number}@example.com", None, NOW)
    assert [user.email[0] for user in await users.list_users(stores)] == list("0123456")


async def test_a_user_is_found_by_address_or_id(stores: Stores, home: Home) -> None:
    for name in (" ADA@example.com ", home.user.id):
        assert await users.find_user(stores, name) == home.user
    for name in ("bob@example.com", "bob", "", "\ud800", NOBODY, home.workspace.id):
        with pytest.raises(NotFound):
            await users.find_user(stores, name)


async def test_t45_disabling_tells_whoever_serves_once(stores: Stores, home: Home) -> None:
    assert (await users.disable_user(stores, home.user.id, NOW)).changed
    assert not (await users.disable_user(stores, home.user.id, LATER)).changed
    assert await notices(stores) == [(NoticeKind.USER_DISABLED, home.user.id)]
    assert (await users.find_user(stores, home.user.id)).disabled_at == NOW


async def test_enabling_undoes_it(stores: Stores, home: Home) -> None:
    await users.disable_user(stores, home.user.id, NOW)
    assert await users.enable_user(stores, home.user.id, LATER)
    assert not await users.enable_user(stores, home.user.id, LATER)
    assert await users.find_user(stores, home.user.id) == home.user


async def test_a_password_is_replaced(stores: Stores, home: Home) -> None:
    await stores.sessions.create(home.session())
    await users.set_password(stores, home.user.id, "hash", NOW)
    assert await stores.sessions.list_of_user(home.user.id, NOW) == []
    assert (await users.find_user(stores, home.user.id)).password_hash == "hash"


async def test_a_new_password_ends_a_link_that_is_still_unused(stores: Stores, home: Home) -> None:
    link = await mint_sign_in_link(stores, home.user.id, NOW)
    await users.set_password(stores, home.user.id, "hash", NOW)
    assert await user_of_link(stores, link.text, NOW) is None
    assert await user_of_link(stores, (await mint_sign_in_link(stores, home.user.id, NOW)).text, NOW)


async def test_nobody_cannot_be_changed(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await users.disable_user(stores, NOBODY, NOW)
    with pytest.raises(NotFound):
        await users.enable_user(stores, NOBODY, NOW)
    with pytest.raises(NotFound):
        await users.set_password(stores, NOBODY, "hash", NOW)


async def test_a_session_that_begins_while_the_password_is_replaced_ends_too(
    stores: Stores, home: Home
) -> None:
    """Somebody who knows the old password may be on the way in."""

    class Meanwhile(FailingStores):
        async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
            await self.sessions.create(home.session())
            return await super().write(operation, waits=waits)

    await users.set_password(Meanwhile(stores), home.user.id, "hash", NOW)
    assert await stores.sessions.list_of_user(home.user.id, NOW) == []
