from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.access import Role
from visiona.domain.devices import EventKind
from visiona.domain.errors import Invalid, NotAllowed, NotFound
from visiona.domain.ids import DeviceId
from visiona.domain.notices import NoticeKind
from visiona.domain.workspaces import Membership
from visiona.services import devices
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, Home, a_home, a_workspace, an_event, put

NONE = DeviceId("01890a5d-ac96-774b-bcce-b302099a8057")


async def test_the_callers_devices_are_listed_the_newest_first(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    old, young = home.device(created_at=NOW), home.device(created_at=LATER)
    await put(stores, young, old, bob.device())
    page = await devices.list_devices(stores, home.actor)
    assert (page.items, page.next_cursor) == ((young, old), None)
    assert len(await devices.list_all_devices(stores)) == 3


async def test_a_list_is_walked_by_its_cursor(stores: Stores, home: Home) -> None:
    mine = [home.device(created_at=NOW + timedelta(seconds=n)) for n in range(5)]
    await put(stores, *mine)
    walked, cursor, sizes = [], None, []
    while True:
        page = await devices.list_devices(stores, home.actor, limit=2, cursor=cursor)
        walked += page.items
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert walked == mine[::-1]
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize(("limit", "cursor"), [(0, None), (501, None), (1, "nonsense")])
async def test_a_limit_or_cursor_that_is_none_is_refused(
    stores: Stores, home: Home, limit: int, cursor: str | None
) -> None:
    with pytest.raises(Invalid):
        await devices.list_devices(stores, home.actor, limit=limit, cursor=cursor)
    with pytest.raises(Invalid):
        await devices.device_events(stores, home.actor, NONE, limit=limit, cursor=cursor)


async def test_h08_somebody_elses_device_does_not_exist(stores: Stores) -> None:
    home = await a_home(stores)
    bob = await a_home(stores, "bob@example.com")
    foreign, deleted = bob.device(), home.device()
    await put(stores, foreign, deleted)
    await devices.remove_device(stores, deleted.id, NOW)
    refusals = set()
    for device_id in (foreign.id, deleted.id, NONE, DeviceId(foreign.id.upper()), DeviceId("\ud800")):
        for attempt in (
            devices.get_device(stores, home.actor, device_id),
            devices.rename_and_tag(stores, home.actor, device_id, NOW, name="x"),
            devices.unpair(stores, home.actor, device_id, NOW),
            devices.device_events(stores, home.actor, device_id),
        ):
            with pytest.raises(NotFound) as caught:
                await attempt
            refusals.add(str(caught.value))
    assert len(refusals) == 1
    assert await devices.get_device(stores, bob.actor, foreign.id) == foreign


async def test_members_see_and_admins_change(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    shared = a_workspace()
    device = replace(home.device(), workspace_id=shared.id)
    await put(stores, shared, Membership(shared.id, bob.user.id, Role.MEMBER, NOW), device)
    member = replace(bob.actor, workspaces={**bob.actor.workspaces, shared.id: Role.MEMBER})
    assert await devices.get_device(stores, member, device.id) == device
    with pytest.raises(NotAllowed):
        await devices.rename_and_tag(stores, member, device.id, NOW, name="x")
    with pytest.raises(NotAllowed):
        await devices.unpair(stores, member, device.id, NOW)
    admin = replace(member, workspaces={shared.id: Role.ADMIN})
    assert (await devices.rename_and_tag(stores, admin, device.id, NOW, name="x")).name == "x"


async def test_a_name_and_tags_change_apart_or_together(stores: Stores, home: Home) -> None:
    device = home.device(name="Gate")
    await put(stores, device)
    renamed = await devices.rename_and_tag(stores, home.actor, device.id, LATER, name=" Door ")
    assert renamed == replace(device, name="Door", updated_at=LATER)
    tagged = await devices.rename_and_tag(stores, home.actor, device.id, LATER, tags=["b", "a", "b"])
    assert (tagged.name, tagged.tags) == ("Door", ("b", "a"))
    cleared = await devices.rename_and_tag(stores, home.actor, device.id, LATER, name="Door", tags=[])
    assert (cleared.name, cleared.tags) == ("Door", ())
    timeline = await devices.device_events(stores, home.actor, device.id)
    assert [(event.kind, event.detail) for event in timeline.items] == [(EventKind.RENAMED, "Door")]


async def test_a_name_or_tag_that_nobody_can_read_changes_nothing(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    with pytest.raises(Invalid):
        await devices.rename_and_tag(stores, home.actor, device.id, NOW, name="", tags=["x"])
    with pytest.raises(Invalid):
        await devices.rename_and_tag(stores, home.actor, device.id, NOW, name="x", tags=[""])
    assert await devices.get_device(stores, home.actor, device.id) == device


async def test_unpairing_ends_every_token_and_says_how_many(stores: Stores) -> None:
    home = await a_home(stores)
    device, other = home.device(serial_number="S1"), home.device()
    pairing = home.pairing_token()
    sessions = [home.session_token(device, pairing_token_id=pairing.id), home.session_token(device)]
    await put(stores, device, other, pairing, *sessions, home.session_token(other))
    await stores.write(lambda tx: tx.pairing_tokens.set_device(pairing.id, device.id))
    ended = await devices.unpair(stores, home.actor, device.id, LATER)
    assert (ended.device_id, set(ended.session_tokens)) == (device.id, {token.id for token in sessions})
    (listed,) = await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 10))
    assert listed.revoked_at == LATER
    notices = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert {(notice.kind, notice.subject) for notice in notices} == {
        (NoticeKind.DEVICE_DELETED, device.id),
        *((NoticeKind.SESSION_TOKEN_REVOKED, token.id) for token in sessions),
    }
    assert [each.id for each in await devices.list_all_devices(stores)] == [other.id]
    with pytest.raises(NotFound):
        await devices.unpair(stores, home.actor, device.id, LATER)


@pytest.mark.parametrize("fail_at", range(7))
async def test_unpairing_is_all_or_nothing(stores: Stores, fail_at: int) -> None:
    home = await a_home(stores)
    device = home.device()
    token = home.session_token(device)
    await put(stores, device, token)
    with pytest.raises(StoreUnavailable):
        await devices.unpair(FailingStores(stores, fail_at=fail_at), home.actor, device.id, NOW)
    assert await devices.get_device(stores, home.actor, device.id) == device
    assert await stores.read(lambda tx: tx.session_tokens.get_or_none(token.id)) == token
    assert await stores.read(lambda tx: tx.notices.last_id()) == 0


async def test_the_operator_removes_anybodys_device(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    assert await devices.get_any_device(stores, device.id) == device
    assert (await devices.remove_device(stores, device.id, NOW)).device_id == device.id
    for attempt in (devices.remove_device(stores, device.id, NOW), devices.get_any_device(stores, device.id)):
        with pytest.raises(NotFound):
            await attempt


async def test_a_timeline_is_walked_by_its_cursor(stores: Stores, home: Home) -> None:
    device = home.device()
    events = [an_event(device, at=NOW + timedelta(seconds=n)) for n in range(5)]
    await put(stores, device, *events)
    first = await devices.device_events(stores, home.actor, device.id, limit=3)
    assert first.items == tuple(events[:1:-1])
    rest = await devices.device_events(stores, home.actor, device.id, limit=3, cursor=first.next_cursor)
    assert (rest.items, rest.next_cursor) == (tuple(events[1::-1]), None)
