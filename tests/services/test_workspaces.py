from dataclasses import replace

import pytest
from visiona.domain.access import Role
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from visiona.domain.ids import WorkspaceId
from visiona.domain.notices import NoticeKind, member_subject
from visiona.services import workspaces
from visiona.services.devices import unpair
from visiona.services.exchange_token import exchange
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens
from visiona.services.workspaces import (
    create_workspace,
    delete_workspace,
    get_workspace,
    list_workspaces,
    rename_workspace,
)
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, put
from tests.support.shared import deeds, joined, told


async def test_whoever_makes_a_workspace_owns_it(stores: Stores, home: Home) -> None:
    made = await create_workspace(stores, home.actor, " Lab ", NOW)
    assert (made.name, made.personal_of) == ("Lab", None)
    assert await list_workspaces(stores, home.actor) == [(home.workspace, Role.OWNER), (made, Role.OWNER)]
    assert await get_workspace(stores, home.actor, made.id) == (made, Role.OWNER)
    assert await told(stores) == [(NoticeKind.MEMBER_CHANGED, member_subject(made.id, home.user.id))]
    assert await deeds(stores) == [(Deed.WORKSPACE_CREATED, made.id)]


async def test_a_name_that_nobody_can_read_is_refused(stores: Stores, home: Home) -> None:
    with pytest.raises(Invalid, match="name"):
        await create_workspace(stores, home.actor, "\u200b ", NOW)
    with pytest.raises(Invalid, match="name"):
        await rename_workspace(stores, home.actor, home.workspace.id, "x" * 121, NOW)


async def test_one_is_in_so_many_workspaces_at_most(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspaces, "MAX_WORKSPACES_PER_USER", 3)
    for number in range(2):
        made = await create_workspace(stores, home.actor, f"Lab {number}", NOW)
    with pytest.raises(Conflict, match="3 workspaces"):
        await create_workspace(stores, home.actor, "Lab", NOW)
    await delete_workspace(stores, home.actor, made.id, NOW)
    await create_workspace(stores, home.actor, "Lab", NOW)


async def test_a_disabled_account_makes_none(stores: Stores, home: Home) -> None:
    await stores.write(lambda tx: tx.users.set_disabled(home.user.id, NOW))
    with pytest.raises(NotAllowed):
        await create_workspace(stores, home.actor, "Lab", NOW)


async def test_admins_rename_and_members_do_not(stores: Stores, home: Home) -> None:
    made = await create_workspace(stores, home.actor, "Lab", NOW)
    bob, carol = await a_home(stores, "bob@example.com"), await a_home(stores, "carol@example.com")
    await joined(stores, made.id, bob, Role.ADMIN)
    await joined(stores, made.id, carol, Role.MEMBER)
    renamed = replace(made, name="Roof", updated_at=LATER)
    assert await rename_workspace(stores, bob.actor, made.id, "Roof", LATER) == (renamed, Role.ADMIN)
    assert await rename_workspace(stores, bob.actor, made.id, "Roof", LATER) == (renamed, Role.ADMIN)
    assert [deed for deed, _ in await deeds(stores)] == [Deed.WORKSPACE_RENAMED, Deed.WORKSPACE_CREATED]
    with pytest.raises(NotAllowed):
        await rename_workspace(stores, carol.actor, made.id, "Cellar", LATER)


@pytest.mark.parametrize("name", ["none", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f", "theirs"])
async def test_h08_somebody_elses_workspace_does_not_exist(stores: Stores, home: Home, name: str) -> None:
    bob = await a_home(stores, "bob@example.com")
    which = bob.workspace.id if name == "theirs" else WorkspaceId(name)
    for act in (
        lambda: get_workspace(stores, home.actor, which),
        lambda: rename_workspace(stores, home.actor, which, "x", NOW),
        lambda: delete_workspace(stores, home.actor, which, NOW),
    ):
        with pytest.raises(NotFound) as caught:
            await act()
        assert caught.value.message == "no such workspace"


async def test_what_the_caller_was_a_moment_ago_counts_for_nothing(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    remembered = replace(bob.actor, workspaces={**bob.actor.workspaces, home.workspace.id: Role.OWNER})
    with pytest.raises(NotFound):
        await rename_workspace(stores, remembered, home.workspace.id, "x", NOW)


async def test_an_empty_workspace_is_deleted_with_what_waits_for_it(stores: Stores, home: Home) -> None:
    made = await create_workspace(stores, home.actor, "Lab", NOW)
    bob = await a_home(stores, "bob@example.com")
    await joined(stores, made.id, bob, Role.ADMIN)
    await put(stores, replace(home.invitation("a@b.c"), workspace_id=made.id))
    pairing = await create_pairing_token(stores, home.actor, NOW, workspace_id=made.id)
    with pytest.raises(NotAllowed):
        await delete_workspace(stores, bob.actor, made.id, NOW)
    assert set(await delete_workspace(stores, home.actor, made.id, LATER)) == {home.user.id, bob.user.id}
    assert [each.id for each, _ in await list_workspaces(stores, bob.actor)] == [bob.workspace.id]
    assert await stores.read(lambda tx: tx.invitations.list_of_workspace(made.id, 10)) == []
    token = await stores.read(lambda tx: tx.pairing_tokens.get_or_none(pairing.token.id))
    assert token is not None
    assert token.revoked_at == LATER
    assert set((await told(stores))[1:]) == {
        (NoticeKind.MEMBER_REMOVED, member_subject(made.id, who.user.id)) for who in (home, bob)
    }
    with pytest.raises(NotFound):
        await delete_workspace(stores, home.actor, made.id, LATER)


async def test_a_workspace_that_holds_something_stays(stores: Stores, home: Home) -> None:
    made = await create_workspace(stores, home.actor, "Lab", NOW)
    text = (await create_pairing_token(stores, home.actor, NOW, workspace_id=made.id)).text
    waiting = await create_pairing_token(stores, home.actor, NOW, workspace_id=made.id)
    device_id = (await exchange(stores, text, NOW)).device_id
    with pytest.raises(Conflict, match=r"devices \(1\) or models \(0\)"):
        await delete_workspace(stores, home.actor, made.id, NOW)
    listed = await list_pairing_tokens(stores, home.user.id)
    assert [each.revoked_at for each in listed if each.id == waiting.token.id] == [None]
    actor = replace(home.actor, workspaces={**home.actor.workspaces, made.id: Role.OWNER})
    await unpair(stores, actor, device_id, NOW)
    model = replace(home.model(), workspace_id=made.id)
    await stores.write(lambda tx: tx.models.add(model))
    with pytest.raises(Conflict, match=r"devices \(0\) or models \(1\)"):
        await delete_workspace(stores, home.actor, made.id, NOW)
    await stores.write(lambda tx: tx.models.delete(model.id, NOW))
    await delete_workspace(stores, home.actor, made.id, NOW)


async def test_a_personal_workspace_stays(stores: Stores, home: Home) -> None:
    with pytest.raises(Conflict, match="personal"):
        await delete_workspace(stores, home.actor, home.workspace.id, NOW)


async def test_what_is_done_is_in_the_log_of_its_workspace(stores: Stores, home: Home) -> None:
    made = await create_workspace(stores, home.actor, "Lab", NOW)
    await rename_workspace(stores, home.actor, made.id, "Roof", LATER)
    await delete_workspace(stores, home.actor, made.id, LATER + (LATER - NOW))
    found = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 10, None))
    assert {each.workspace_id for each in found} == {made.id}
    assert [dict(each.details) for each in found][1] == {"name": "Roof", "name_before": "Lab"}
