from datetime import timedelta

import pytest
from visiona.domain.access import Scope
from visiona.domain.causes import Cause
from visiona.services.identify import identify_session_token
from visiona.stores.devices import Sighting
from visiona.stores.interfaces import Tx

from tests.web.world import START, World

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"


async def test_a_device_is_shown_with_its_live_tunnel() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada, name="press 4", serial_number="SN1", device_type="kneo")
    path = f"/api/devices/{done.device_id}"
    fresh = (await ada.ask("GET", path)).data
    assert (fresh["remote_status"], fresh["tunnel_online"], fresh["status"]) == ("unknown", False, "unknown")
    assert "last_seen_at" not in fresh
    live = await world.connected(done)
    world.now.forward(seconds=10)
    online = (await ada.ask("GET", path)).data
    assert (online["remote_status"], online["tunnel_online"]) == ("online", True)
    assert online["last_connected_at"] == "2026-01-02T03:04:05Z"
    assert online["last_seen_at"] == "2026-01-02T03:04:15Z"
    assert online["agent_version"] == "edge/1.2"
    assert "offline_cause" not in online
    world.registry.depart(live, Cause.KEEPALIVE_TIMEOUT)
    gone = (await ada.ask("GET", path)).data
    assert (gone["remote_status"], gone["tunnel_online"]) == ("offline", False)
    assert gone["offline_cause"] == "keepalive_timeout"
    assert gone["last_seen_at"] == "2026-01-02T03:04:15Z"
    assert {
        "id",
        "name",
        "device_type",
        "serial_number",
        "accelerators",
        "tags",
        "created_at",
        "updated_at",
    } <= set(gone)


async def test_what_a_scan_has_just_found_is_waited_for() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    await ada.ask("GET", f"/api/devices/{done.device_id}")
    await ada.ask("GET", "/api/devices")
    assert world.waited_for == [(ada.user_id, done.device_id), (ada.user_id, None)]


async def test_a_tunnel_that_takes_no_streams_is_not_online() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    live = await world.connected(done)
    live.tunnel.close("write_timeout")
    item = (await ada.ask("GET", "/api/devices")).data[0]
    assert (item["remote_status"], item["offline_cause"]) == ("offline", "write_timeout")


async def test_the_list_is_an_array_unless_a_limit_is_given() -> None:
    world = World()
    ada = await world.person()
    for number in range(5):
        world.now.forward(seconds=1)
        await world.paired(ada, name=f"unit {number}")
    everything = (await ada.ask("GET", "/api/devices")).data
    assert [item["name"] for item in everything] == [f"unit {number}" for number in (4, 3, 2, 1, 0)]
    first = (await ada.ask("GET", "/api/devices?limit=3")).data
    rest = (await ada.ask("GET", f"/api/devices?limit=3&cursor={first['next_cursor']}")).data
    assert [item["id"] for item in first["items"] + rest["items"]] == [item["id"] for item in everything]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "limit=-1", "limit=%D9%A3", "limit=99999", "limit=1&cursor=x"],
)
async def test_a_wrong_limit_or_cursor_is_400(query: str) -> None:
    world = World()
    ada = await world.person()
    refused = await ada.ask("GET", f"/api/devices?{query}")
    assert (refused.status, refused.code) == (400, "VALIDATION_FAILED")


async def test_h08_somebody_elses_device_is_as_one_that_does_not_exist() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    done = await world.paired(ada)
    await world.connected(done)
    asked = [
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("POST", "/unpair", None),
        ("GET", "/events", None),
    ]
    for method, tail, body in asked:
        answers = []
        for name in (
            done.device_id,
            NOWHERE,
            done.device_id.upper(),
            done.device_id.replace("-", ""),
            "x",
            "０" * 36,
        ):
            options = {"json": body} if body else {}
            answer = await bob.ask(
                method, f"/api/devices/{name}{tail}", headers={"X-Request-Id": "same"}, **options
            )
            answers.append((answer.status, answer.body))
        assert answers[0][0] == 404
        assert len(set(answers)) == 1
    assert (await bob.ask("GET", "/api/devices")).data == []
    assert (await ada.ask("GET", "/api/devices")).data[0]["tunnel_online"] is True


async def test_rename_and_tag_change_only_what_is_given() -> None:
    world = World()
    ada = await world.person()
    path = f"/api/devices/{(await world.paired(ada, name='old')).device_id}"
    world.now.forward(seconds=1)
    renamed = (await ada.ask("PATCH", path, json={"name": "  new\u202e name "})).data
    assert renamed["name"] == "new name"
    tagged = (await ada.ask("PATCH", path, json={"tags": ["hall 2", "hall 2", "press"]})).data
    assert (tagged["name"], tagged["tags"]) == ("new name", ["hall 2", "press"])
    assert tagged["updated_at"] == "2026-01-02T03:04:06Z"
    for body in (
        {"name": ""},
        {"name": 3},
        {"tags": "x"},
        {"tags": [1]},
        {"tags": ["x"] * 33},
        {"name": "n" * 121},
    ):
        assert (await ada.ask("PATCH", path, json=body)).status == 400


@pytest.mark.parametrize(("method", "tail"), [("POST", "/unpair"), ("DELETE", "")])
async def test_t45_unpairing_revokes_cuts_and_counts(method: str, tail: str) -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)
    live = await world.connected(done, streams=3)
    causes: list[str] = []
    for _ in range(2):
        world.registry.calls.add(ada.user_id, ada.token_id, done.device_id, causes.append)
    ended = await ada.ask(method, f"/api/devices/{done.device_id}{tail}")
    assert ended.status == 200
    assert ended.data == {
        "device_id": done.device_id,
        "tokens_revoked": 1,
        "tunnels_closed": 1,
        "streams_closed": 3,
        "sockets_closed": 2,
    }
    assert live.tunnel.closed is not None
    assert live.tunnel.closed.cause == "device_deleted"
    assert len(causes) == 2
    assert (await ada.ask("GET", "/api/devices")).data == []
    assert (await ada.ask(method, f"/api/devices/{done.device_id}{tail}")).status == 404
    refusal = await identify_session_token(world.stores, done.session_token, world.now())
    assert getattr(refusal, "code", None) == "SESSION_TOKEN_REVOKED"


async def test_p12_a_serial_is_free_again_after_unpairing_and_the_same_device_before() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    first = await world.paired(ada, serial_number="SN1")
    again = await world.paired(ada, serial_number="SN1")
    assert again.device_id == first.device_id
    other = await world.paired(bob, serial_number="SN1")
    assert other.device_id != first.device_id
    await ada.ask("DELETE", f"/api/devices/{first.device_id}")
    assert (await world.paired(ada, serial_number="SN1")).device_id != first.device_id


async def test_the_timeline_is_paged() -> None:
    world = World()
    ada = await world.person()
    path = f"/api/devices/{(await world.paired(ada)).device_id}"
    for number in range(3):
        world.now.forward(seconds=1)
        await ada.ask("PATCH", path, json={"name": f"name {number}"})
    whole = (await ada.ask("GET", f"{path}/events")).data
    assert [event["kind"] for event in whole["items"]] == ["renamed"] * 3 + ["paired"]
    assert whole["items"][0]["detail"] == "name 2"
    first = (await ada.ask("GET", f"{path}/events?limit=3")).data
    rest = (await ada.ask("GET", f"{path}/events?limit=3&cursor={first['next_cursor']}")).data
    assert first["items"] + rest["items"] == whole["items"]


async def test_scopes_bound_what_a_token_may_do() -> None:
    world = World()
    ada = await world.person(scopes=[Scope.DEVICES_READ])
    assert (await ada.ask("GET", "/api/devices")).status == 200
    for method, path in (
        ("DELETE", f"/api/devices/{NOWHERE}"),
        ("POST", "/api/pairing/token"),
        ("GET", "/api/pairing/tokens"),
        ("GET", "/api/auth/tokens"),
    ):
        refused = await ada.ask(method, path)
        assert (refused.status, refused.code) == (403, "FORBIDDEN")


async def test_a_device_seen_before_a_restart_is_offline_with_the_stored_cause() -> None:
    world = World()
    ada = await world.person()
    done = await world.paired(ada)

    async def remember(tx: Tx) -> None:
        ended = Sighting(done.device_id, START + timedelta(seconds=5), Cause.SERVER_DRAIN)
        await tx.devices.note_sightings([Sighting(done.device_id, START), ended])

    await world.stores.write(remember)
    item = (await ada.ask("GET", "/api/devices")).data[0]
    assert (item["remote_status"], item["offline_cause"]) == ("offline", "server_drain")
    assert item["last_seen_at"] == "2026-01-02T03:04:10Z"
