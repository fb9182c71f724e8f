"""Workspaces over the API: what changes is true in the next request, and what runs on the old truth is ended."""

from typing import Any

import pytest
import trio
from visiona.domain.access import Scope
from visiona.domain.ids import WorkspaceId
from visiona.domain.notices import DeviceMove, Notice, NoticeKind
from visiona.relay.notices import follow_notices
from visiona.services.exchange_token import Exchanged
from visiona.services.members import remove_member

from tests.web.world import Answer, Person, World

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"


async def lab_of(person: Person, name: str = "Lab") -> str:
    made = await person.ask("POST", "/api/workspaces", json={"name": name})
    assert made.status == 201
    workspace_id: str = made.data["id"]
    return workspace_id


async def invited(world: World, owner: Person, lab: str, guest: Person, role: str = "member") -> Answer:
    asked = await owner.ask(
        "POST", f"/api/workspaces/{lab}/members", json={"email": guest.email, "role": role}
    )
    assert asked.status == 201
    return await guest.ask("POST", "/api/invitations/accept", json={"token": asked.data["token"]})


async def paired_in(world: World, person: Person, lab: str) -> Exchanged:
    made = (await person.ask("POST", "/api/pairing/token", json={"workspace_id": lab})).data
    done = await world.ask("POST", "/api/pairing/exchange", json={"pairing_token": made["token"]})
    return Exchanged(
        done.data["session_token"],
        done.data["account"],
        world.now(),
        done.data["device_id"],
        person.user_id,
        made["id"],
    )


def watching(world: World, person: Person, device_id: Any) -> list[str]:
    """Something of a person's that runs over a device; says how it ended."""
    ended: list[str] = []
    world.registry.calls.add(person.user_id, person.token_id, device_id, ended.append)
    return ended


async def test_a_workspace_that_was_just_made_is_there_in_the_next_request() -> None:
    """The credential was checked before there was one."""
    world = World()
    ada = await world.person()
    assert (await ada.ask("GET", "/api/devices")).status == 200
    lab = await lab_of(ada)
    assert (await ada.ask("POST", "/api/pairing/token", json={"workspace_id": lab})).status == 200
    me = (await ada.ask("GET", "/api/auth/me")).data
    assert lab in {each["id"] for each in me["workspaces"]}


async def test_an_invitation_is_shown_once_as_a_link_behind_a_fragment() -> None:
    world = World()
    ada = await world.person()
    lab = await lab_of(ada)
    asked = (await ada.ask("POST", f"/api/workspaces/{lab}/members", json={"email": "Bob@example.com"})).data
    assert asked["link"] == f"http://localhost/invitation#{asked['token']}"
    assert (asked["email"], asked["role"]) == ("bob@example.com", "member")
    listed = await ada.ask("GET", f"/api/workspaces/{lab}/invitations")
    assert listed.data["items"] == [
        {name: value for name, value in asked.items() if name not in {"link", "token", "mail"}}
    ]
    assert asked["token"][8:] not in listed.body.decode()


async def test_who_accepts_sees_the_devices_in_the_next_request() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = await lab_of(ada)
    device = await paired_in(world, ada, lab)
    assert (await bob.ask("GET", "/api/devices")).data == []
    joined = await invited(world, ada, lab, bob)
    assert joined.data == {"workspace_id": lab, "name": "Lab", "role": "member"}
    assert [each["id"] for each in (await bob.ask("GET", "/api/devices")).data] == [device.device_id]


async def test_a_role_holds_from_the_next_request_on() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = await lab_of(ada)
    await invited(world, ada, lab, bob)
    of_bob, token = f"/api/workspaces/{lab}/members/{bob.user_id}", {"workspace_id": lab}
    assert (await bob.ask("POST", "/api/pairing/token", json=token)).status == 403
    changed = await ada.ask("PATCH", of_bob, json={"role": "admin"})
    assert changed.data == {"user_id": bob.user_id, "role": "admin"}
    assert (await bob.ask("POST", "/api/pairing/token", json=token)).status == 200
    await ada.ask("PATCH", of_bob, json={"role": "member"})
    assert (await bob.ask("POST", "/api/pairing/token", json=token)).status == 403


@pytest.mark.parametrize("role", ["", "OWNER", "guest"])
async def test_a_role_that_is_none_is_refused_with_those_there_are(role: str) -> None:
    world = World()
    ada = await world.person()
    lab = await lab_of(ada)
    answer = await ada.ask("PATCH", f"/api/workspaces/{lab}/members/{ada.user_id}", json={"role": role})
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert "member, admin, owner" in answer.json["error"]["message"]


async def test_t45_who_is_removed_loses_what_runs_over_the_workspaces_devices_alone() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = await lab_of(ada)
    await invited(world, ada, lab, bob)
    here = await world.connected(await paired_in(world, ada, lab))
    own = await world.connected(await world.paired(bob))
    theirs, elsewhere = watching(world, bob, here.device_id), watching(world, bob, own.device_id)
    adas = watching(world, ada, here.device_id)
    gone = await ada.ask("DELETE", f"/api/workspaces/{lab}/members/{bob.user_id}")
    assert gone.data == {"user_id": bob.user_id, "sockets_closed": 1}
    assert (theirs, elsewhere, adas) == (["revoked"], [], [])
    assert (await bob.ask("GET", f"/api/devices/{here.device_id}")).status == 404
    assert here.tunnel.is_open


async def test_who_joins_or_leaves_has_their_console_begin_anew() -> None:
    """It is told of the devices of the workspaces they were in when it began."""
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = await lab_of(ada)
    console, others = watching(world, bob, None), watching(world, ada, None)
    await invited(world, ada, lab, bob)
    assert (console, others) == (["revoked"], [])
    console = watching(world, bob, None)
    assert (await bob.ask("DELETE", f"/api/workspaces/{lab}/members/{bob.user_id}")).status == 200
    assert console == ["revoked"]


async def test_a_device_that_moves_is_the_other_workspaces_at_once_and_keeps_its_tunnel() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab, roof = await lab_of(ada), await lab_of(ada, "Roof")
    await invited(world, ada, lab, bob)
    live = await world.connected(await paired_in(world, ada, lab))
    ended = [watching(world, who, live.device_id) for who in (ada, bob)]
    path = f"/api/devices/{live.device_id}"
    moved = await ada.ask("POST", f"{path}/transfer", json={"workspace_id": roof})
    assert moved.data["sockets_closed"] == 1
    assert (moved.data["device"]["workspace_id"], moved.data["device"]["tunnel_online"]) == (roof, True)
    assert ended == [[], ["revoked"]]
    assert live.tunnel.is_open
    assert (live.session.workspace_id, live.session.user_id) == (roof, ada.user_id)
    assert (await bob.ask("GET", path)).status == 404
    assert (await ada.ask("GET", path)).data["tunnel_online"] is True


async def test_t45_a_move_ends_what_those_run_who_lose_the_device_and_nobody_else() -> None:
    """Who is in both workspaces goes on watching; who has the device of an older truth is ended with those who lose it."""
    world = World()
    ada, both, source, gone = [
        await world.person(f"{name}@example.com") for name in ("ada", "both", "source", "gone")
    ]
    lab, roof = await lab_of(ada), await lab_of(ada, "Roof")
    for guest, where in ((both, (lab, roof)), (source, (lab,)), (gone, (lab,))):
        for each in where:
            await invited(world, ada, each, guest)
    live = await world.connected(await paired_in(world, ada, lab))
    ended = [watching(world, who, live.device_id) for who in (ada, both, source, gone)]
    # Taken out by another process, of which this one has not heard yet.
    await remove_member(world.stores, await ada.actor(), WorkspaceId(lab), gone.user_id, world.now())
    world.now.forward(seconds=1)
    transfer = f"/api/devices/{live.device_id}/transfer"
    assert (await ada.ask("POST", transfer, json={"workspace_id": roof})).data["sockets_closed"] == 2
    assert ended == [[], [], ["revoked"], ["revoked"]]
    for notice in await world.stores.read(lambda tx: tx.notices.after(0, 100)):
        world.revoking.apply(notice)
    assert ended == [[], [], ["revoked"], ["revoked"]]


async def test_a_move_that_is_told_late_does_not_undo_the_next_one() -> None:
    """The follower of notices comes after the routes that have done it already."""
    world = World()
    ada = await world.person()
    lab, roof = await lab_of(ada), await lab_of(ada, "Roof")
    live = await world.connected(await paired_in(world, ada, lab))
    first, second = (
        DeviceMove(live.device_id, WorkspaceId(where), ada.user_id, frozenset({ada.user_id}))
        for where in (roof, lab)
    )
    world.now.forward(seconds=1)
    early = world.now()
    world.now.forward(seconds=1)
    world.revoking.at_once(NoticeKind.DEVICE_MOVED, second.subject, world.now())
    world.revoking.at_once(NoticeKind.DEVICE_MOVED, first.subject, early)
    assert live.session.workspace_id == lab


async def test_who_comes_after_a_move_is_not_ended_when_it_is_told_again() -> None:
    world = World()
    ada = await world.person()
    lab, roof = await lab_of(ada), await lab_of(ada, "Roof")
    live = await world.connected(await paired_in(world, ada, lab))
    await ada.ask("POST", f"/api/devices/{live.device_id}/transfer", json={"workspace_id": roof})
    ended = watching(world, ada, live.device_id)
    for notice in await world.stores.read(lambda tx: tx.notices.after(0, 10)):
        if notice.kind is NoticeKind.DEVICE_MOVED:
            world.revoking.apply(notice)
    assert ended == []
    assert live.session.workspace_id == roof


async def test_another_process_learns_it_from_the_notices() -> None:
    """Two servers on one database: the one that did nothing of it."""
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab, roof = await lab_of(ada), await lab_of(ada, "Roof")
    await invited(world, ada, lab, bob)
    done = await paired_in(world, ada, lab)
    other = World(stores=world.stores, now=world.now)
    live = await other.connected(done)
    device = f"/api/devices/{done.device_id}"
    headers = bob.headers
    assert (await other.ask("GET", device, headers=headers)).status == 200
    told, heard = trio.open_memory_channel[NoticeKind](10)

    def apply(notice: Notice) -> None:
        other.revoking.apply(notice)
        told.send_nowait(notice.kind)

    async with trio.open_nursery() as nursery:
        await nursery.start(follow_notices, world.stores, apply, other.callers.doubt_sessions, 0.01)
        world.now.forward(seconds=1)
        await ada.ask("POST", f"{device}/transfer", json={"workspace_id": roof})
        with trio.fail_after(5):
            assert await heard.receive() is NoticeKind.DEVICE_MOVED
            assert live.session.workspace_id == roof
            await ada.ask("DELETE", f"/api/workspaces/{lab}/members/{bob.user_id}")
            assert await heard.receive() is NoticeKind.MEMBER_REMOVED
            assert (await other.ask("GET", f"/api/workspaces/{lab}", headers=headers)).status == 404
        nursery.cancel_scope.cancel()
    assert (await other.ask("GET", device, headers=headers)).status == 404


async def test_a_workspace_that_holds_something_says_what_to_do() -> None:
    world = World()
    ada = await world.person()
    lab = await lab_of(ada)
    await paired_in(world, ada, lab)
    answer = await ada.ask("DELETE", f"/api/workspaces/{lab}")
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert "devices (1)" in answer.json["error"]["message"]


async def test_a_workspace_that_was_deleted_is_nobodys() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = await lab_of(ada)
    await invited(world, ada, lab, bob)
    assert (await ada.ask("DELETE", f"/api/workspaces/{lab}")).status == 204
    for who in (ada, bob):
        assert (await who.ask("GET", f"/api/workspaces/{lab}")).status == 404
        assert (await who.ask("POST", "/api/pairing/token", json={"workspace_id": lab})).status == 404


async def test_it_takes_the_scope() -> None:
    world = World()
    ada = await world.person(scopes=[scope for scope in Scope if scope is not Scope.WORKSPACES])
    assert (await ada.ask("GET", "/api/workspaces")).status == 200
    for method, path in (
        ("POST", "/api/workspaces"),
        ("GET", f"/api/workspaces/{NOWHERE}"),
        ("PATCH", f"/api/workspaces/{NOWHERE}"),
        ("DELETE", f"/api/workspaces/{NOWHERE}"),
        ("GET", f"/api/workspaces/{NOWHERE}/members"),
        ("POST", f"/api/workspaces/{NOWHERE}/members"),
        ("PATCH", f"/api/workspaces/{NOWHERE}/members/{NOWHERE}"),
        ("DELETE", f"/api/workspaces/{NOWHERE}/members/{NOWHERE}"),
        ("GET", f"/api/workspaces/{NOWHERE}/invitations"),
        ("DELETE", f"/api/workspaces/{NOWHERE}/invitations/{NOWHERE}"),
        ("POST", "/api/invitations/accept"),
    ):
        answer = await ada.ask(method, path, json={})
        assert (answer.status, answer.code) == (403, "FORBIDDEN"), (method, path)
        assert "workspaces" in answer.json["error"]["message"]
    mover = await world.person("bob@example.com", scopes=[Scope.DEVICES_READ, Scope.WORKSPACES])
    assert (await mover.ask("POST", f"/api/devices/{NOWHERE}/transfer", json={})).status == 403
