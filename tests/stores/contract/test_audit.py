from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from visiona.domain.audit import (
    EVERY_ENTRY,
    EVERYTHING,
    AuditEntry,
    AuditFilter,
    Deed,
    Outcome,
    Sight,
    Through,
)
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.pages import Position
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, an_entry, put

ME, YOU = UserId("me"), UserId("you")
LAB, SHOP = WorkspaceId("lab"), WorkspaceId("shop")


async def found(
    stores: Stores,
    sight: Sight = EVERYTHING,
    wanted: AuditFilter = EVERY_ENTRY,
    limit: int = 100,
    before: Position | None = None,
) -> list[AuditEntry]:
    return await stores.read(lambda tx: tx.audit.list_in(sight, wanted, limit, before))


async def test_an_entry_comes_back_as_it_went_in(stores: Stores) -> None:
    whole = replace(
        an_entry(Deed.PAIRED, user_id=ME, workspace_id=LAB, subject="d"),
        outcome=Outcome.REFUSED,
        email="ada@example.com",
        credential_id="c",
        through=Through.AGENT,
        address="2001:db8::7",
        request_id="r-1",
        details={"name": 'a "b" 雨', "count": "7"},
    )
    bare = an_entry()
    await put(stores, whole, bare)
    assert await found(stores) == [bare, whole]


async def test_a_word_of_a_newer_server_is_shown_as_it_is(stores: Stores) -> None:
    """After a rollback, what the newer server wrote is still there to be read."""
    entry = replace(an_entry(), deed="brewed_coffee", outcome="spilt", through="pigeon")
    await put(stores, entry)
    assert await found(stores) == [entry]


async def test_the_log_refers_to_nothing_and_outlives_everything(stores: Stores) -> None:
    entry = an_entry(user_id=UserId("nobody"), workspace_id=WorkspaceId("nowhere"), subject="nothing")
    await put(stores, entry)
    assert await found(stores, Sight(UserId("nobody"))) == [entry]


async def test_the_log_runs_backwards_and_continues_where_it_ended(stores: Stores) -> None:
    entries = [an_entry(user_id=ME, at=NOW + timedelta(seconds=n // 3)) for n in range(7)]
    await put(stores, *entries)
    for sight in (EVERYTHING, Sight(ME)):
        walked: list[AuditEntry] = []
        while True:
            before = Position(walked[-1].at, walked[-1].id) if walked else None
            page = await found(stores, sight, limit=2, before=before)
            walked += page
            if not page:
                break
        assert walked == entries[::-1]


def every_kind() -> list[AuditEntry]:
    return [
        an_entry(deed, user_id=user, subject=subject, workspace_id=workspace, at=at)
        for deed, user, subject, workspace, at in product(
            (Deed.PAIRED, Deed.SIGN_IN), (None, ME, YOU), (None, ME, "x"), (None, LAB, SHOP), (NOW, LATER)
        )
    ]


@pytest.mark.parametrize(
    "sight", [EVERYTHING, Sight(ME), Sight(ME, (LAB,)), Sight(ME, (LAB, SHOP, LAB)), Sight(UserId("other"))]
)
async def test_sight_and_every_mixture_of_filters_find_just_what_they_should(
    stores: Stores, sight: Sight
) -> None:
    entries = every_kind()
    await put(stores, *entries)
    for deed, user, subject, workspace, since, until in product(
        (None, "paired"), (None, ME, YOU), (None, ME, "x"), (None, LAB), (None, LATER), (None, LATER)
    ):
        wanted = AuditFilter(deed, user, subject, workspace, since, until)
        right = [each for each in entries if sight.takes(each) and wanted.takes(each)]
        right.sort(key=lambda each: (each.at, each.id), reverse=True)
        assert await found(stores, sight, wanted, limit=500) == right
        assert await found(stores, sight, wanted, limit=3) == right[:3]


async def test_old_entries_are_forgotten_in_batches(stores: Stores) -> None:
    young = an_entry(at=LATER)
    await put(stores, *[an_entry() for _ in range(3)], young)
    assert await stores.write(lambda tx: tx.audit.purge(LATER, 2)) == 2
    assert await stores.write(lambda tx: tx.audit.purge(LATER, 2)) == 1
    assert await stores.write(lambda tx: tx.audit.purge(LATER, 2)) == 0
    assert await found(stores) == [young]


async def test_several_entries_are_put_down_at_once(stores: Stores) -> None:
    await stores.write(lambda tx: tx.audit.append())
    await stores.write(lambda tx: tx.audit.append(an_entry(), an_entry()))
    assert len(await found(stores)) == 2
