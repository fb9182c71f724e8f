from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.ids import InvitationId, UserId, WorkspaceId
from visiona.domain.invitations import INVITATION_TTL, Invitation
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, new_hash, put

NONE = WorkspaceId("none")


async def of(stores: Stores, home: Home) -> list[Invitation]:
    return await stores.read(lambda tx: tx.invitations.list_of_workspace(home.workspace.id, 10))


async def test_an_invitation_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    one = home.invitation("bob@example.com")
    await put(stores, one)
    assert await stores.read(lambda tx: tx.invitations.get_or_none(one.id)) == one
    assert await stores.read(lambda tx: tx.invitations.by_hash_or_none(one.hash)) == one
    assert await stores.read(lambda tx: tx.invitations.get_or_none(InvitationId("none"))) is None
    assert await stores.read(lambda tx: tx.invitations.by_hash_or_none(new_hash())) is None


async def test_they_are_listed_the_newest_first_and_one_workspaces_alone(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    old, young = home.invitation("a@b.c"), home.invitation("d@e.f", created_at=LATER)
    await put(stores, young, old, bob.invitation("a@b.c"))
    assert await of(stores, home) == [young, old]
    listed = await stores.read(lambda tx: tx.invitations.list_of_workspace(home.workspace.id, 1))
    assert listed == [young]


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"hash": new_hash(), "id": InvitationId("other")}, "invitation"),
        ({"email": "d@e.f", "id": InvitationId("other")}, "token"),
        ({"email": "d@e.f", "hash": new_hash()}, "token"),
        ({"email": "d@e.f", "hash": new_hash(), "id": InvitationId("o"), "workspace_id": NONE}, "reference"),
        (
            {"email": "d@e.f", "hash": new_hash(), "id": InvitationId("o"), "invited_by": UserId("none")},
            "reference",
        ),
        ({"email": "d@e.f", "hash": new_hash(), "id": InvitationId("o"), "expires_at": NOW}, "ttl"),
        (
            {
                "email": "d@e.f",
                "hash": new_hash(),
                "id": InvitationId("o"),
                "expires_at": NOW + INVITATION_TTL + timedelta(microseconds=1),
            },
            "ttl",
        ),
    ],
)
async def test_one_that_breaks_a_promise_is_refused(
    stores: Stores, home: Home, change: dict[str, object], about: str
) -> None:
    first = home.invitation("a@b.c")
    await put(stores, first)
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(first, **change))
    assert caught.value.about == about
    assert await of(stores, home) == [first]


async def test_one_is_taken_away_once(stores: Stores, home: Home) -> None:
    one, other = home.invitation("a@b.c"), home.invitation("d@e.f")
    await put(stores, one, other)
    assert await stores.write(lambda tx: tx.invitations.remove(one.id))
    assert not await stores.write(lambda tx: tx.invitations.remove(one.id))
    assert await of(stores, home) == [other]


async def test_the_one_for_an_address_makes_room(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    one, his = home.invitation("a@b.c"), bob.invitation("a@b.c")
    await put(stores, one, his)
    assert not await stores.write(lambda tx: tx.invitations.remove_of_address(home.workspace.id, "other@b.c"))
    assert await stores.write(lambda tx: tx.invitations.remove_of_address(home.workspace.id, "a@b.c"))
    assert await of(stores, home) == []
    assert await of(stores, bob) == [his]


async def test_those_of_an_inviter_or_of_a_whole_workspace_go_together(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    mine, his, elsewhere = home.invitation("a@b.c"), home.invitation("d@e.f"), bob.invitation("a@b.c")
    his = replace(his, invited_by=bob.user.id)
    await put(stores, mine, his, elsewhere)
    assert (
        await stores.write(lambda tx: tx.invitations.remove_of_inviter(home.workspace.id, bob.user.id)) == 1
    )
    assert await of(stores, home) == [mine]
    assert await stores.write(lambda tx: tx.invitations.remove_of_workspace(home.workspace.id)) == 1
    assert await of(stores, home) == []
    assert await of(stores, bob) == [elsewhere]


async def test_old_ones_are_forgotten(stores: Stores, home: Home) -> None:
    old, young = home.invitation("a@b.c"), home.invitation("d@e.f", created_at=LATER)
    await put(stores, old, young)
    assert await stores.write(lambda tx: tx.invitations.purge(old.expires_at, 10)) == 0
    assert await stores.write(lambda tx: tx.invitations.purge(young.expires_at, 10)) == 1
    assert await of(stores, home) == [young]
