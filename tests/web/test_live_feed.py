import json

import pytest
import trio
from visiona.domain.access import Scope
from visiona.domain.causes import Cause
from visiona.domain.errors import TooMany
from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.domain.notices import NoticeKind, member_subject
from visiona.web import live_feed
from visiona.web.live_feed import MAX_WAITING_EVENTS, Events, spoken

from tests.web.world import START, World


def heard(events: Events) -> list[tuple[str, dict[str, object]]]:
    """What waits to be read, as (kind, facts)."""
    found = []
    while True:
        try:
            text = events.receive_nowait().decode()
        except (trio.WouldBlock, trio.EndOfChannel):
            return found
        kind, data = text.removesuffix("\n\n").split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))


def has_ended(events: Events) -> bool:
    try:
        events.receive_nowait()
    except trio.WouldBlock:
        return False
    except trio.EndOfChannel:
        return True
    raise AssertionError("there is something to read")


async def test_a_device_that_comes_and_goes_is_told_with_its_cause() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    with world.feed.listen(await ada.actor()) as events:
        live = await world.connected(done)
        world.registry.depart(live, Cause.KEEPALIVE_TIMEOUT)
        up, down = heard(events)
    assert up[0] == down[0] == "device"
    assert up[1]["id"] == down[1]["id"] == done.device_id
    assert (up[1]["tunnel_online"], up[1]["remote_status"]) == (True, "online")
    assert (down[1]["tunnel_online"], down[1]["offline_cause"]) == (False, "keepalive_timeout")


async def test_a_device_that_replaces_itself_did_not_go() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    await world.connected(done)
    with world.feed.listen(await ada.actor()) as events:
        await world.connected(done)
        told = heard(events)
    assert [facts["tunnel_online"] for _, facts in told] == [True]


async def test_h08_nobody_hears_of_another_workspaces_devices() -> None:
    world = World()
    ada, eve = await world.person(), await world.person("eve@example.com")
    done = await world.paired(ada)
    with world.feed.listen(await eve.actor()) as events:
        live = await world.connected(done)
        world.feed.answered(live)
        world.feed.redeemed(ada.user_id, done.pairing_token_id, done.device_id)
        world.feed.changed(live.session.workspace_id, done.device_id)
        world.registry.depart(live, Cause.TCP_RESET)
        assert heard(events) == []


async def test_a_token_without_the_scope_hears_no_pairing() -> None:
    world = World()
    ada = await world.person()
    reader = await world.person("reader@example.com", [Scope.DEVICES_READ])
    for person, expected in ((ada, ["redeemed"]), (reader, [])):
        with world.feed.listen(await person.actor()) as events:
            world.feed.redeemed(person.user_id, ada.token_id, DeviceId("d"))
            assert [kind for kind, _ in heard(events)] == expected


async def test_each_step_of_a_pairing_is_told_in_order() -> None:
    world = World()
    ada = await world.person()
    made = (await ada.ask("POST", "/api/pairing/token")).data
    with world.feed.listen(await ada.actor()) as events:
        body = {"pairing_token": made["token"]}
        done = (await world.ask("POST", "/api/pairing/exchange", json=body)).data
        assert heard(events) == [("redeemed", {"token_id": made["id"], "device_id": done["device_id"]})]


async def test_a_rename_and_an_unpairing_are_told() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    with world.feed.listen(await ada.actor()) as events:
        await ada.ask("PATCH", f"/api/devices/{done.device_id}", json={"name": "gate"})
        await ada.ask("POST", f"/api/devices/{done.device_id}/unpair")
        assert heard(events) == [
            ("changed", {"id": done.device_id}),
            ("changed", {"id": done.device_id, "removed": True}),
        ]


async def test_whatever_a_device_says_an_event_is_one_event() -> None:
    text = spoken("changed", {"name": "a\n\nevent: device\r\ndata: {}\u2028"})
    assert text.count(b"\n") == 3
    assert text.startswith(b"event: changed\ndata: {")


async def test_who_does_not_read_is_ended_at_the_limit_and_not_waited_for() -> None:
    world = World()
    ada = await world.person()
    actor = await ada.actor()
    with world.feed.listen(actor) as events:
        for _ in range(MAX_WAITING_EVENTS):
            world.feed.changed(actor.personal_workspace, DeviceId("d"))
        world.feed.changed(actor.personal_workspace, DeviceId("one too many"))
        assert len(heard(events)) == MAX_WAITING_EVENTS
        assert has_ended(events)


async def test_an_ended_credential_ends_its_listener_and_no_other() -> None:
    world = World()
    ada, eve = await world.person(), await world.person("eve@example.com")
    with world.feed.listen(await ada.actor()) as adas, world.feed.listen(await eve.actor()) as eves:
        assert world.revoking.at_once(NoticeKind.SESSION_ENDED, ada.token_id).sockets == 1
        assert has_ended(adas)
        assert not has_ended(eves)
        world.revoking.at_once(NoticeKind.USER_DISABLED, eve.user_id)
        assert has_ended(eves)


async def test_who_is_no_longer_a_member_must_ask_again() -> None:
    world = World()
    ada = await world.person()
    with world.feed.listen(await ada.actor()) as events:
        subject = member_subject(WorkspaceId("any"), ada.user_id)
        world.revoking.at_once(NoticeKind.MEMBER_REMOVED, subject)
        assert has_ended(events)


async def test_a_listener_ends_with_its_credentials_time() -> None:
    world = World()
    ada = await world.person()
    actor = await ada.actor()
    assert actor.expires_at is not None
    with world.feed.listen(actor) as events:
        assert world.registry.calls.expire(START) == 0
        assert world.registry.calls.expire(actor.expires_at) == 1
        assert has_ended(events)


@pytest.mark.parametrize("limit", ["MAX_LISTENERS", "MAX_LISTENERS_PER_USER"])
async def test_listeners_are_bounded(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, limit, 1)
    world = World()
    actor = await (await world.person()).actor()
    with world.feed.listen(actor), pytest.raises(TooMany), world.feed.listen(actor):
        pass
    with world.feed.listen(actor):
        pass
    assert len(world.feed) == 0


async def test_a_server_that_stops_ends_all_and_takes_none() -> None:
    world = World()
    actor = await (await world.person()).actor()
    with world.feed.listen(actor) as events:
        world.feed.close()
        assert has_ended(events)
    with pytest.raises(TooMany):
        world.feed.need_room(actor)
