"""A workspace with somebody in it who can sign in has an owner who can, whatever becomes of accounts."""

import pytest
from visiona.domain.access import Role
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.domain.errors import Conflict, Gone
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.workspaces import Workspace
from visiona.services.invitations import accept_invitation, invite
from visiona.services.members import change_role, remove_member
from visiona.services.owners import Heir
from visiona.services.users import disable_user, enable_user
from visiona.services.workspaces import create_workspace
from visiona.stores.interfaces import Stores

from tests.services.test_races import ROUNDS, no_circles, race
from tests.support.nouns import LATER, NOW, Home, a_home
from tests.support.shared import a_team, joined, told

__all__ = ["no_circles"]


async def able_owners(stores: Stores, lab: Workspace) -> set[str]:
    people = await stores.read(lambda tx: tx.workspaces.people(lab.id, 100))
    return {user.email for each, user in people if each.role is Role.OWNER and user.disabled_at is None}


async def test_an_owner_who_cannot_sign_in_is_none_to_leave_it_to(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    await change_role(stores, home.actor, lab.id, admin.user.id, Role.OWNER, NOW)
    await disable_user(stores, admin.user.id, NOW)
    for act in (
        lambda: change_role(stores, home.actor, lab.id, home.user.id, Role.MEMBER, NOW),
        lambda: remove_member(stores, home.actor, lab.id, home.user.id, NOW),
    ):
        with pytest.raises(Conflict, match="owner who can sign in"):
            await act()
    # But of two, the one who cannot may be taken out.
    await remove_member(stores, home.actor, lab.id, admin.user.id, NOW)


async def test_when_the_last_owner_is_disabled_the_oldest_admin_becomes_one(
    stores: Stores, home: Home
) -> None:
    lab, admin, _ = await a_team(stores, home)
    disabled = await disable_user(stores, home.user.id, LATER)
    assert disabled.heirs == (Heir(lab.id, "Lab", admin.user.id, "admin@example.com"),)
    assert await able_owners(stores, lab) == {"admin@example.com"}
    assert (NoticeKind.MEMBER_CHANGED, member_subject(lab.id, admin.user.id)) in await told(stores)
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 10))
    (passed,) = [each for each in entries if each.deed == Deed.ROLE_CHANGED]
    assert (passed.workspace_id, passed.subject) == (lab.id, admin.user.id)
    assert passed.details == {"role": "owner", "role_before": "admin", "how": "no owner could sign in"}


async def test_without_an_admin_it_is_the_oldest_member_and_nobody_of_one_who_is_alone(
    stores: Stores, home: Home
) -> None:
    lab, admin, _ = await a_team(stores, home)
    alone = await create_workspace(stores, home.actor, "Alone", NOW)
    await disable_user(stores, admin.user.id, NOW)
    assert [heir.email for heir in (await disable_user(stores, home.user.id, LATER)).heirs] == [
        "member@example.com"
    ]
    assert (await able_owners(stores, lab), await able_owners(stores, alone)) == (
        {"member@example.com"},
        set(),
    )


async def test_another_owner_stays_the_only_one(stores: Stores, home: Home) -> None:
    lab, admin, member = await a_team(stores, home)
    await change_role(stores, home.actor, lab.id, member.user.id, Role.OWNER, NOW)
    assert (await disable_user(stores, home.user.id, NOW)).heirs == ()
    assert await able_owners(stores, lab) == {"member@example.com"}
    assert (await disable_user(stores, admin.user.id, NOW)).heirs == ()


async def test_who_is_enabled_again_is_what_they_were(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    await disable_user(stores, home.user.id, NOW)
    await enable_user(stores, home.user.id, LATER)
    assert await able_owners(stores, lab) == {"ada@example.com", "admin@example.com"}


async def test_where_all_were_disabled_the_first_who_is_enabled_becomes_owner(
    stores: Stores, home: Home
) -> None:
    lab, admin, member = await a_team(stores, home)
    for who in (member, admin, home):
        await disable_user(stores, who.user.id, NOW)
    assert await able_owners(stores, lab) == set()
    await enable_user(stores, member.user.id, LATER)
    assert await able_owners(stores, lab) == {"member@example.com"}


async def test_what_the_disabled_have_given_their_word_for_is_withdrawn(stores: Stores, home: Home) -> None:
    """Or they would come back by an invitation for another address of theirs."""
    lab, admin, _ = await a_team(stores, home)
    bob = await a_home(stores, "bob@example.com")
    theirs = await invite(stores, admin.actor, lab.id, bob.user.email, Role.ADMIN, NOW)
    own = await invite(stores, home.actor, lab.id, "eve@example.com", Role.MEMBER, NOW)
    await disable_user(stores, admin.user.id, NOW)
    assert await stores.read(lambda tx: tx.invitations.list_of_workspace(lab.id, 9)) == [own.invitation]
    with pytest.raises(Gone):
        await accept_invitation(stores, bob.actor, theirs.text, NOW)


async def test_of_owners_who_are_disabled_at_once_the_workspace_is_left_to_who_is_not(
    stores: Stores, home: Home
) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, f"Lab {number}", NOW)
        owner, heir, other = [await a_home(stores, f"{name}{number}@example.com") for name in "abc"]
        for who, role in ((owner, Role.OWNER), (heir, Role.ADMIN), (other, Role.MEMBER)):
            await joined(stores, lab.id, who, role)
        await race(
            lambda: disable_user(stores, home.user.id, NOW),
            lambda owner=owner: disable_user(stores, owner.user.id, NOW),
            lambda heir=heir: disable_user(stores, heir.user.id, NOW),
        )
        assert await able_owners(stores, lab) == {other.user.email}
        await enable_user(stores, home.user.id, LATER)


async def test_an_owner_who_leaves_while_the_other_is_disabled_leaves_one(stores: Stores, home: Home) -> None:
    for number in range(ROUNDS):
        lab = await create_workspace(stores, home.actor, f"Lab {number}", NOW)
        owner, other = [await a_home(stores, f"{name}{number}@example.com") for name in "ab"]
        for who, role in ((owner, Role.OWNER), (other, Role.MEMBER)):
            await joined(stores, lab.id, who, role)
        await race(
            lambda lab=lab: remove_member(stores, home.actor, lab.id, home.user.id, NOW),
            lambda owner=owner: disable_user(stores, owner.user.id, NOW),
        )
        assert len(await able_owners(stores, lab)) == 1
