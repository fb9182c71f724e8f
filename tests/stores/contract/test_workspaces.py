import pytest
from visiona.domain.access import Role
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.workspaces import Membership
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, a_user, a_workspace, put

NONE = WorkspaceId("none")


async def test_a_workspace_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    shared = a_workspace()
    await put(stores, shared)
    assert await stores.read(lambda tx: tx.workspaces.get_or_none(shared.id)) == shared
    assert await stores.read(lambda tx: tx.workspaces.get_or_none(home.workspace.id)) == home.workspace
    assert await stores.read(lambda tx: tx.workspaces.get_or_none(NONE)) is None


async def test_the_personal_workspace_is_listed_first_then_the_oldest(stores: Stores, home: Home) -> None:
    young, old = a_workspace(created_at=LATER), a_workspace(created_at=NOW)
    memberships = [Membership(each.id, home.user.id, Role.MEMBER, NOW) for each in (young, old)]
    await put(stores, young, old, *memberships)
    listed = await stores.read(lambda tx: tx.workspaces.list_of_user(home.user.id, 10))
    assert listed == [(home.workspace, Role.OWNER), (old, Role.MEMBER), (young, Role.MEMBER)]
    assert await stores.read(lambda tx: tx.workspaces.list_of_user(home.user.id, 1)) == listed[:1]


async def test_a_user_has_one_personal_workspace(stores: Stores, home: Home) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, a_workspace(home.user.id))
    assert caught.value.about == "workspace"


async def test_a_personal_workspace_belongs_to_somebody(stores: Stores) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, a_workspace(UserId("nobody")))
    assert caught.value.about == "reference"


async def test_a_deleted_workspace_is_nobodys(stores: Stores, home: Home) -> None:
    shared = a_workspace()
    await put(stores, shared, Membership(shared.id, home.user.id, Role.OWNER, NOW))
    assert await stores.read(lambda tx: tx.workspaces.role_or_none(shared.id, home.user.id)) is Role.OWNER
    assert await stores.write(lambda tx: tx.workspaces.delete(shared.id, LATER))
    assert not await stores.write(lambda tx: tx.workspaces.delete(shared.id, LATER))
    assert not await stores.write(lambda tx: tx.workspaces.rename(shared.id, "x", LATER))
    assert await stores.read(lambda tx: tx.workspaces.role_or_none(shared.id, home.user.id)) is None
    listed = await stores.read(lambda tx: tx.workspaces.list_of_user(home.user.id, 10))
    assert [each.id for each, _ in listed] == [home.workspace.id]
    found = await stores.read(lambda tx: tx.workspaces.get_or_none(shared.id))
    assert found is not None
    assert found.deleted_at == LATER


async def test_a_personal_workspace_stays(stores: Stores, home: Home) -> None:
    assert not await stores.write(lambda tx: tx.workspaces.delete(home.workspace.id, LATER))


async def test_renaming_notes_when(stores: Stores, home: Home) -> None:
    assert await stores.write(lambda tx: tx.workspaces.rename(home.workspace.id, "New", LATER))
    found = await stores.read(lambda tx: tx.workspaces.get_or_none(home.workspace.id))
    assert found is not None
    assert (found.name, found.created_at, found.updated_at) == ("New", NOW, LATER)
    assert not await stores.write(lambda tx: tx.workspaces.rename(NONE, "New", LATER))


async def test_members_come_and_go(stores: Stores, home: Home) -> None:
    bob = a_user("bob@example.com")
    await put(stores, bob, Membership(home.workspace.id, bob.id, Role.MEMBER, LATER))
    members = await stores.read(lambda tx: tx.workspaces.members(home.workspace.id, 10))
    assert [(each.user_id, each.role) for each in members] == [
        (home.user.id, Role.OWNER),
        (bob.id, Role.MEMBER),
    ]
    assert await stores.read(lambda tx: tx.workspaces.members(home.workspace.id, 1)) == members[:1]
    assert await stores.write(lambda tx: tx.workspaces.set_role(home.workspace.id, bob.id, Role.ADMIN))
    assert await stores.read(lambda tx: tx.workspaces.role_or_none(home.workspace.id, bob.id)) is Role.ADMIN
    assert await stores.write(lambda tx: tx.workspaces.remove_member(home.workspace.id, bob.id))
    assert not await stores.write(lambda tx: tx.workspaces.remove_member(home.workspace.id, bob.id))
    assert not await stores.write(lambda tx: tx.workspaces.set_role(home.workspace.id, bob.id, Role.ADMIN))
    assert await stores.read(lambda tx: tx.workspaces.role_or_none(home.workspace.id, bob.id)) is None


async def test_the_people_of_a_workspace_are_its_members_with_who_they_are(
    stores: Stores, home: Home
) -> None:
    bob = a_user("bob@example.com")
    await put(stores, bob, Membership(home.workspace.id, bob.id, Role.MEMBER, LATER))
    people = await stores.read(lambda tx: tx.workspaces.people(home.workspace.id, 10))
    members = await stores.read(lambda tx: tx.workspaces.members(home.workspace.id, 10))
    assert people == list(zip(members, (home.user, bob), strict=True))
    assert await stores.read(lambda tx: tx.workspaces.people(home.workspace.id, 1)) == people[:1]
    assert await stores.read(lambda tx: tx.workspaces.people(NONE, 10)) == []


async def test_a_user_is_a_member_once(stores: Stores, home: Home) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, Membership(home.workspace.id, home.user.id, Role.MEMBER, NOW))
    assert caught.value.about == "member"


async def test_both_sides_of_a_membership_exist(stores: Stores, home: Home) -> None:
    other = await a_home(stores, "bob@example.com")
    for nobody in (
        Membership(NONE, home.user.id, Role.MEMBER, NOW),
        Membership(other.workspace.id, UserId("nobody"), Role.MEMBER, NOW),
    ):
        with pytest.raises(StoreConflict) as caught:
            await put(stores, nobody)
        assert caught.value.about == "reference"


async def test_a_workspace_that_is_held_is_given_as_it_is(stores: Stores, home: Home) -> None:
    assert await stores.write(lambda tx: tx.workspaces.lock_or_none(home.workspace.id)) == home.workspace
    assert await stores.write(lambda tx: tx.workspaces.lock_or_none(WorkspaceId("none"))) is None
