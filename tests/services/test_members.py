from dataclasses import replace

import pytest
from visiona.domain.access import Role
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, NotAllowed, NotFound
from visiona.domain.ids import UserId
from visiona.domain.notices import NoticeKind, member_subject
from visiona.services.exchange_token import exchange
from visiona.services.identify import RevokedToken, TunnelSession, identify_session_token
from visiona.services.members import change_role, list_members, remove_member
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens, revoke_pairing_token
from visiona.services.users import disable_user
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, put
from tests.support.shared import a_team, deeds, told

NOBODY = UserId("01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f")


async def roles(stores: Stores, home: Home) -> dict[str, Role]:
    workspace = (await stores.read(lambda tx: tx.workspaces.list_of_user(home.user.id, 10)))[1][0]
    members = await list_members(stores, home.actor, workspace.id)
    return {each.user.name: each.membership.role for each in members}


async def test_members_see_who_is_there_and_strangers_see_nothing(stores: Stores, home: Home) -> None:
    lab, admin, member = await a_team(stores, home)
    for who in (home, admin, member):
        found = await list_members(stores, who.actor, lab.id)
        assert {each.user.email: each.membership.role for each in found} == {
            "ada@example.com": Role.OWNER,
            "admin@example.com": Role.ADMIN,
            "member@example.com": Role.MEMBER,
        }
    stranger = await a_home(stores, "stranger@example.com")
    with pytest.raises(NotFound):
        await list_members(stores, stranger.actor, lab.id)


# Who makes whom what → whether they may.
CHANGES = [
    ("admin", "member", Role.ADMIN, True),
    ("admin", "admin", Role.MEMBER, True),
    ("admin", "member", Role.OWNER, False),
    ("admin", "admin", Role.OWNER, False),
    ("admin", "ada", Role.MEMBER, False),
    ("member", "member", Role.ADMIN, False),
    ("member", "admin", Role.MEMBER, False),
    ("ada", "member", Role.OWNER, True),
    ("ada", "admin", Role.MEMBER, True),
]


@pytest.mark.parametrize(("who", "whom", "role", "may"), CHANGES)
async def test_admins_change_roles_and_owners_alone_those_of_owners(
    stores: Stores, home: Home, who: str, whom: str, role: Role, may: bool
) -> None:
    lab, admin, member = await a_team(stores, home)
    people = {"ada": home, "admin": admin, "member": member}
    before = await roles(stores, home)
    change = people[who].actor, lab.id, people[whom].user.id, role, LATER
    if not may:
        with pytest.raises(NotAllowed):
            await change_role(stores, *change)
        assert await roles(stores, home) == before
        return
    assert await change_role(stores, *change) is before[whom]
    assert await roles(stores, home) == {**before, whom: role}
    subject = member_subject(lab.id, people[whom].user.id)
    assert (await told(stores))[1:] == [(NoticeKind.MEMBER_CHANGED, subject)]
    assert (await deeds(stores))[0] == (Deed.ROLE_CHANGED, people[whom].user.id)


async def test_a_role_that_is_so_already_changes_nothing(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    before = await told(stores)
    assert await change_role(stores, home.actor, lab.id, admin.user.id, Role.ADMIN, NOW) is Role.ADMIN
    assert await told(stores) == before


async def test_the_last_owner_stays_one(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    for act in (
        lambda: change_role(stores, home.actor, lab.id, home.user.id, Role.ADMIN, NOW),
        lambda: remove_member(stores, home.actor, lab.id, home.user.id, NOW),
    ):
        with pytest.raises(Conflict, match="owner"):
            await act()
    await change_role(stores, home.actor, lab.id, admin.user.id, Role.OWNER, NOW)
    await remove_member(stores, home.actor, lab.id, home.user.id, NOW)
    with pytest.raises(Conflict, match="owner"):
        await remove_member(stores, admin.actor, lab.id, admin.user.id, NOW)


async def test_the_owner_of_a_personal_workspace_stays(stores: Stores, home: Home) -> None:
    with pytest.raises(Conflict):
        await remove_member(stores, home.actor, home.workspace.id, home.user.id, NOW)


@pytest.mark.parametrize(
    ("who", "whom", "may"),
    [
        ("admin", "member", True),
        ("admin", "ada", False),
        ("member", "admin", False),
        ("member", "member", True),
        ("admin", "admin", True),
        ("ada", "admin", True),
    ],
)
async def test_admins_remove_and_anybody_leaves(
    stores: Stores, home: Home, who: str, whom: str, may: bool
) -> None:
    lab, admin, member = await a_team(stores, home)
    people = {"ada": home, "admin": admin, "member": member}
    remove = people[who].actor, lab.id, people[whom].user.id, LATER
    if not may:
        with pytest.raises(NotAllowed):
            await remove_member(stores, *remove)
        assert whom in await roles(stores, home)
        return
    await remove_member(stores, *remove)
    assert whom not in await roles(stores, home)
    subject = member_subject(lab.id, people[whom].user.id)
    assert (await told(stores))[1:] == [(NoticeKind.MEMBER_REMOVED, subject)]
    assert (await deeds(stores))[0] == (Deed.MEMBER_REMOVED, people[whom].user.id)
    with pytest.raises(NotFound):
        await remove_member(stores, *remove)


async def test_who_is_no_member_is_not_found(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    with pytest.raises(NotFound, match="no such member"):
        await change_role(stores, home.actor, lab.id, NOBODY, Role.ADMIN, NOW)
    with pytest.raises(NotFound, match="no such member"):
        await remove_member(stores, home.actor, lab.id, NOBODY, NOW)
    stranger = await a_home(stores, "stranger@example.com")
    for whom in (stranger, home):
        with pytest.raises(NotFound, match="no such workspace"):
            await remove_member(stores, stranger.actor, lab.id, whom.user.id, NOW)


@pytest.mark.parametrize("is_removed", [True, False])
async def test_what_they_could_only_give_out_as_an_admin_goes_with_that(
    stores: Stores, home: Home, is_removed: bool
) -> None:
    lab, admin, _ = await a_team(stores, home)
    theirs = replace(admin.invitation("a@b.c"), workspace_id=lab.id)
    other = replace(home.invitation("d@e.f"), workspace_id=lab.id)
    await put(stores, theirs, other)
    here = (await create_pairing_token(stores, admin.actor, NOW, workspace_id=lab.id)).token
    own = (await create_pairing_token(stores, admin.actor, NOW)).token
    if is_removed:
        await remove_member(stores, home.actor, lab.id, admin.user.id, LATER)
    else:
        await change_role(stores, home.actor, lab.id, admin.user.id, Role.MEMBER, LATER)
    assert await stores.read(lambda tx: tx.invitations.list_of_workspace(lab.id, 10)) == [other]
    tokens = [await stores.read(lambda tx, t=t: tx.pairing_tokens.get_or_none(t.id)) for t in (here, own)]
    assert [token.revoked_at for token in tokens if token is not None] == [LATER, None]


async def test_devices_stay_when_who_has_paired_them_goes(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    text = (await create_pairing_token(stores, admin.actor, NOW, workspace_id=lab.id)).text
    made = await exchange(stores, text, NOW)
    await disable_user(stores, admin.user.id, NOW)
    assert isinstance(await identify_session_token(stores, made.session_token, NOW), RevokedToken)
    await remove_member(stores, home.actor, lab.id, admin.user.id, NOW)
    found = await identify_session_token(stores, made.session_token, NOW)
    assert isinstance(found, TunnelSession)
    assert found.workspace_id == lab.id


async def test_p09_who_is_gone_neither_sees_nor_ends_what_they_have_paired(
    stores: Stores, home: Home
) -> None:
    lab, admin, _ = await a_team(stores, home)
    text = (await create_pairing_token(stores, admin.actor, NOW, workspace_id=lab.id)).text
    made = await exchange(stores, text, NOW)
    listed = await list_pairing_tokens(stores, admin.user.id)
    assert len(listed) == 2
    await remove_member(stores, home.actor, lab.id, admin.user.id, NOW)
    assert await list_pairing_tokens(stores, admin.user.id) == []
    for name in (*(each.id for each in listed), text, made.session_token):
        with pytest.raises(NotFound):
            await revoke_pairing_token(stores, admin.user.id, name, NOW)
    assert isinstance(await identify_session_token(stores, made.session_token, NOW), TunnelSession)


@pytest.mark.parametrize("text", ["", "x\x00", "\ud800", "../x"])
async def test_p09_what_is_no_id_is_no_member(stores: Stores, home: Home, text: str) -> None:
    """PostgreSQL holds no NUL, and what it is asked for must be spelled in UTF-8."""
    lab, *_ = await a_team(stores, home)
    with pytest.raises(NotFound, match="no such member"):
        await change_role(stores, home.actor, lab.id, UserId(text), Role.ADMIN, NOW)
    with pytest.raises(NotFound, match="no such member"):
        await remove_member(stores, home.actor, lab.id, UserId(text), NOW)
