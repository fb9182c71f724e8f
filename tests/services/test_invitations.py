from dataclasses import replace

import pytest
from visiona.domain.access import Role
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.domain.errors import Conflict, Gone, Invalid, NotAllowed, NotFound
from visiona.domain.ids import InvitationId, WorkspaceId
from visiona.domain.invitations import INVITATION_TTL
from visiona.domain.notices import NoticeKind, member_subject
from visiona.domain.tokens import TokenKind, token_hash
from visiona.services import invitations, workspaces
from visiona.services.invitations import (
    NewInvitation,
    accept_invitation,
    invite,
    list_invitations,
    withdraw_invitation,
)
from visiona.services.members import list_members, remove_member
from visiona.services.workspaces import create_workspace, delete_workspace
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home
from tests.support.shared import a_team, deeds, told

BOB = "bob@example.com"


async def invited(stores: Stores, home: Home, workspace_id: WorkspaceId, email: str = BOB) -> NewInvitation:
    return await invite(stores, home.actor, workspace_id, email, Role.MEMBER, NOW)


async def emails(stores: Stores, home: Home, workspace_id: WorkspaceId) -> list[str]:
    return [each.user.email for each in await list_members(stores, home.actor, workspace_id)]


async def test_who_is_invited_is_in_once_they_say_so(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    made = await invite(stores, home.actor, lab.id, " Bob@Example.com ", Role.ADMIN, NOW)
    assert BOB not in await emails(stores, home, lab.id)
    assert made.invitation.hash == token_hash(made.text, TokenKind.INVITATION)
    assert made.text[12:] not in repr(made)
    assert await list_invitations(stores, home.actor, lab.id, NOW) == [made.invitation]
    assert await accept_invitation(stores, bob.actor, f" {made.text}\n", LATER) == (lab, Role.ADMIN)
    assert BOB in await emails(stores, home, lab.id)
    assert await list_invitations(stores, home.actor, lab.id, NOW) == []
    assert (await told(stores))[1:] == [(NoticeKind.MEMBER_CHANGED, member_subject(lab.id, bob.user.id))]
    assert (await deeds(stores))[0] == (Deed.MEMBER_JOINED, bob.user.id)
    with pytest.raises(Gone):
        await accept_invitation(stores, bob.actor, made.text, LATER)


async def test_an_invitation_is_for_one_address_alone_and_is_not_burnt(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    eve, bob = await a_home(stores, "eve@example.com"), await a_home(stores, BOB)
    made = await invited(stores, home, lab.id)
    with pytest.raises(NotAllowed, match="another address"):
        await accept_invitation(stores, eve.actor, made.text, NOW)
    await accept_invitation(stores, bob.actor, made.text, NOW)


async def test_nothing_is_told_of_whether_the_address_has_an_account(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    await a_home(stores, BOB)
    known, unknown = await invited(stores, home, lab.id), await invited(stores, home, lab.id, "x@example.com")
    same = {"id": unknown.invitation.id, "hash": unknown.invitation.hash, "email": unknown.invitation.email}
    assert replace(known.invitation, **same) == unknown.invitation


@pytest.mark.parametrize("text", ["", "vAi_", "vAi_" + "0" * 64, "vAc_" + "0" * 32, "VAI_" + "0" * 64])
async def test_what_is_no_invitation_is_answered_as_one_that_is_over(
    stores: Stores, home: Home, text: str
) -> None:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    over = await invited(stores, home, lab.id)
    messages = set()
    for tried, at in ((text, NOW), (over.text, NOW + INVITATION_TTL)):
        with pytest.raises(Gone) as caught:
            await accept_invitation(stores, bob.actor, tried, at)
        messages.add(caught.value.message)
    assert len(messages) == 1
    assert await list_invitations(stores, home.actor, lab.id, NOW + INVITATION_TTL) == []


async def test_a_second_one_for_an_address_ends_the_first(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    first, second = await invited(stores, home, lab.id), await invited(stores, home, lab.id)
    assert await list_invitations(stores, home.actor, lab.id, NOW) == [second.invitation]
    with pytest.raises(Gone):
        await accept_invitation(stores, bob.actor, first.text, NOW)
    await accept_invitation(stores, bob.actor, second.text, NOW)


async def test_one_that_was_withdrawn_is_over(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    made = await invited(stores, home, lab.id)
    await withdraw_invitation(stores, admin.actor, lab.id, made.invitation.id, LATER)
    assert (await deeds(stores))[0] == (Deed.INVITATION_REVOKED, made.invitation.id)
    with pytest.raises(Gone):
        await accept_invitation(stores, bob.actor, made.text, NOW)
    with pytest.raises(NotFound, match="no such invitation"):
        await withdraw_invitation(stores, admin.actor, lab.id, made.invitation.id, LATER)


async def test_h08_an_invitation_of_another_workspace_does_not_exist(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    other = await create_workspace(stores, home.actor, "Roof", NOW)
    made = await invited(stores, home, lab.id)
    for which in (made.invitation.id, InvitationId("none")):
        with pytest.raises(NotFound, match="no such invitation"):
            await withdraw_invitation(stores, home.actor, other.id, which, NOW)


async def test_it_goes_with_its_workspace_and_with_who_made_it(stores: Stores, home: Home) -> None:
    lab, admin, _ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    theirs = await invited(stores, admin, lab.id)
    await remove_member(stores, home.actor, lab.id, admin.user.id, NOW)
    with pytest.raises(Gone):
        await accept_invitation(stores, bob.actor, theirs.text, NOW)
    again = await invited(stores, home, lab.id)
    await delete_workspace(stores, home.actor, lab.id, NOW)
    with pytest.raises(Gone):
        await accept_invitation(stores, bob.actor, again.text, NOW)


async def test_who_may_invite_whom_where(stores: Stores, home: Home) -> None:
    lab, admin, member = await a_team(stores, home)
    stranger = await a_home(stores, "stranger@example.com")
    with pytest.raises(NotAllowed):
        await invited(stores, member, lab.id)
    with pytest.raises(NotAllowed):
        await list_invitations(stores, member.actor, lab.id, NOW)
    with pytest.raises(NotFound):
        await invited(stores, stranger, lab.id)
    with pytest.raises(NotFound):
        await list_invitations(stores, stranger.actor, lab.id, NOW)
    with pytest.raises(Conflict, match="personal"):
        await invited(stores, home, home.workspace.id)
    with pytest.raises(Conflict, match="member already"):
        await invited(stores, home, lab.id, admin.user.email)
    with pytest.raises(Invalid, match="email"):
        await invited(stores, home, lab.id, "bob")
    with pytest.raises(Invalid, match="role"):
        await invite(stores, home.actor, lab.id, BOB, Role.OWNER, NOW)


async def test_a_workspace_has_room_for_so_many(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MAX_PEOPLE_PER_WORKSPACE", 5)
    lab, *_ = await a_team(stores, home)
    await invited(stores, home, lab.id, "a@b.c")
    await invited(stores, home, lab.id, "d@e.f")
    with pytest.raises(Conflict, match="room for 5"):
        await invited(stores, home, lab.id)
    await invited(stores, home, lab.id, "d@e.f")


async def test_who_is_in_too_many_keeps_the_invitation(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    made = await invited(stores, home, lab.id)
    monkeypatch.setattr(workspaces, "MAX_WORKSPACES_PER_USER", 1)
    with pytest.raises(Conflict, match="1 workspaces"):
        await accept_invitation(stores, bob.actor, made.text, NOW)
    monkeypatch.undo()
    await accept_invitation(stores, bob.actor, made.text, NOW)


async def test_a_disabled_account_accepts_nothing(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    bob = await a_home(stores, BOB)
    made = await invited(stores, home, lab.id)
    await stores.write(lambda tx: tx.users.set_disabled(bob.user.id, NOW))
    with pytest.raises(NotAllowed):
        await accept_invitation(stores, bob.actor, made.text, NOW)


async def test_the_log_names_the_address_and_never_the_text(stores: Stores, home: Home) -> None:
    lab, *_ = await a_team(stores, home)
    made = await invite(stores, home.actor, lab.id, BOB, Role.MEMBER, LATER)
    entry, *_ = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 10, None))
    assert (entry.deed, entry.workspace_id, entry.subject) == (
        Deed.MEMBER_INVITED,
        lab.id,
        made.invitation.id,
    )
    assert dict(entry.details) == {"email": BOB, "role": "member"}


async def test_those_that_are_over_take_no_room(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are forgotten once an hour; until then nobody is to be kept out by them."""
    monkeypatch.setattr(invitations, "MAX_PEOPLE_PER_WORKSPACE", 4)
    lab, *_ = await a_team(stores, home)
    await invited(stores, home, lab.id)
    with pytest.raises(Conflict, match="room for 4"):
        await invited(stores, home, lab.id, "x@example.com")
    later = NOW + INVITATION_TTL
    made = await invite(stores, home.actor, lab.id, "x@example.com", Role.MEMBER, later)
    assert await list_invitations(stores, home.actor, lab.id, later) == [made.invitation]
