from collections.abc import Iterator
from dataclasses import replace

import pytest
from visiona.domain.access import Role, Via
from visiona.domain.audit import (
    EVERY_ENTRY,
    EVERYTHING,
    MAX_DETAILS,
    AuditEntry,
    AuditFilter,
    Deed,
    Sight,
    Through,
)
from visiona.domain.errors import Invalid
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.workspaces import Membership
from visiona.services.audit import (
    NOWHERE,
    Origin,
    current_origin,
    list_audit,
    note,
    set_caller,
    set_origin,
    sight_of,
)
from visiona.stores.interfaces import Stores, Tx

from tests.support.nouns import LATER, NOW, Home, a_home, a_user, a_workspace, an_entry, put


@pytest.fixture(autouse=True)
def no_origin() -> Iterator[None]:
    yield
    set_origin(NOWHERE)


async def log_of(stores: Stores) -> list[AuditEntry]:
    return await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 1000))


async def test_a_note_says_who_from_where_and_what(stores: Stores, home: Home) -> None:
    """Also where the transaction runs in another event loop than whoever said so."""
    set_origin(Origin(address="192.0.2.7", request_id="r-1"))
    set_caller(home.actor)

    async def do(tx: Tx) -> None:
        await note(
            tx,
            NOW,
            Deed.PAIRED,
            workspace_id=home.workspace.id,
            subject="d",
            name="Gate",
            count=3,
            nothing=None,
        )

    await stores.write(do)
    (entry,) = await log_of(stores)
    assert entry == AuditEntry(
        entry.id,
        NOW,
        Deed.PAIRED,
        user_id=home.user.id,
        email=home.user.email,
        credential_id=home.actor.credential_id,
        through=Through.TOKEN,
        address="192.0.2.7",
        request_id="r-1",
        workspace_id=home.workspace.id,
        subject="d",
        details={"name": "Gate", "count": "3"},
    )


async def test_a_session_and_a_token_are_told_apart(home: Home) -> None:
    for via in Via:
        set_caller(replace(home.actor, via=via))
        assert current_origin().through == via.value


async def test_whoever_does_it_without_being_signed_in_is_named(stores: Stores, home: Home) -> None:
    set_origin(Origin(address="192.0.2.7"))
    bob = a_user("bob@example.com")
    await stores.write(lambda tx: note(tx, NOW, Deed.SIGN_IN, by=bob, through=Through.AGENT))
    (entry,) = await log_of(stores)
    assert (entry.user_id, entry.email, entry.through) == (bob.id, "bob@example.com", "agent")


async def test_an_entry_has_a_size(stores: Stores) -> None:
    set_origin(Origin(address="x" * 1000))
    many = {f"d{number}": "y" * 10_000 for number in range(50)}
    await stores.write(lambda tx: note(tx, NOW, Deed.SIGN_IN, **many))
    (entry,) = await log_of(stores)
    assert len(entry.details) == MAX_DETAILS
    assert sum(map(len, entry.details.values())) <= 200 * MAX_DETAILS
    assert len(entry.address) <= 64


async def test_who_sees_what(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    lab, shop = a_workspace(name="Lab"), a_workspace(name="Shop")
    await put(stores, lab, shop)
    for place, role in ((lab, Role.ADMIN), (shop, Role.MEMBER)):
        await put(stores, Membership(place.id, bob.user.id, role, NOW))
    roles = {bob.workspace.id: Role.OWNER, lab.id: Role.ADMIN, shop.id: Role.MEMBER}
    actor = replace(bob.actor, workspaces=roles)
    sight = await stores.read(lambda tx: sight_of(tx, actor))
    assert sight == Sight(bob.user.id, (bob.workspace.id, lab.id))
    seen = [
        an_entry(user_id=bob.user.id, workspace_id=shop.id),
        an_entry(user_id=home.user.id, workspace_id=lab.id),
        an_entry(subject=bob.user.id),
    ]
    hidden = [an_entry(user_id=home.user.id, workspace_id=shop.id), an_entry(user_id=home.user.id)]
    await put(stores, *seen, *hidden)
    page = await list_audit(stores, actor, EVERY_ENTRY, limit=10)
    assert list(page.items) == seen[::-1]
    everything = await list_audit(stores, None, EVERY_ENTRY, limit=10)
    assert len(everything.items) == 5


async def test_an_administrator_of_the_server_sees_everything(stores: Stores, home: Home) -> None:
    root = replace(a_user("root@example.com"), is_admin=True)
    await put(stores, root, an_entry(user_id=home.user.id))
    actor = replace(home.actor, user_id=root.id, workspaces={})
    assert len((await list_audit(stores, actor, EVERY_ENTRY, limit=10)).items) == 1


async def test_pages_follow_each_other(stores: Stores, home: Home) -> None:
    entries = [an_entry(user_id=home.user.id) for _ in range(5)]
    await put(stores, *entries, an_entry(Deed.PAIRED, user_id=home.user.id, at=LATER))
    wanted = AuditFilter(deed=Deed.SIGN_IN)
    walked: list[AuditEntry] = []
    cursor = None
    while True:
        page = await list_audit(stores, home.actor, wanted, limit=2, cursor=cursor)
        walked += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert walked == entries[::-1]


@pytest.mark.parametrize(("limit", "cursor"), [(0, None), (501, None), (10, "nonsense")])
async def test_a_wrong_limit_or_cursor_is_refused(
    stores: Stores, home: Home, limit: int, cursor: str | None
) -> None:
    with pytest.raises(Invalid):
        await list_audit(stores, home.actor, EVERY_ENTRY, limit=limit, cursor=cursor)


def test_ids_are_text() -> None:
    assert AuditFilter(user_id=UserId("u"), workspace_id=WorkspaceId("w")) != EVERY_ENTRY
