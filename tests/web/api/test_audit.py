import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import trio
from visiona.domain.access import Role, Scope
from visiona.domain.audit import Deed
from visiona.domain.ids import WorkspaceId
from visiona.domain.listen import ListenAddress
from visiona.domain.workspaces import Membership
from visiona.relay.deadlines import Sweeper
from visiona.services import audit_export
from visiona.services.users import add_user
from visiona.web.door import open_door
from visiona.web.proxy import Proxy
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.settings import WebSettings

from tests.support.away import AwayStores
from tests.support.nouns import a_workspace, an_entry, put
from tests.web.world import START, Person, World


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The site at a port, as browsers reach it."""
    access, sweeper, stop = Access(world.callers, world.registry, world.stores), Sweeper(), trio.Event()
    settings = replace(WebSettings(), listen=ListenAddress("127.0.0.1", 0))
    proxy = Proxy(world.site, access, sweeper, outside=Outside.from_web(settings))

    async def no_agent(*_: object) -> None:
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        (url, *_) = await nursery.start(open_door, settings, proxy, access, sweeper, no_agent, stop)
        yield url
        nursery.cancel_scope.cancel()


async def deeds(person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await person.ask("GET", f"/api/audit{query}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.data["items"]
    return items


async def test_a_deed_is_on_record_with_who_from_where_and_what() -> None:
    world = World()
    ada = await world.person()
    world.now.forward(seconds=1)
    headers = {"X-Request-Id": "mine-1", "X-Forwarded-For": "192.0.2.99"}
    made = await ada.ask("POST", "/api/auth/tokens", json={"name": "a program"}, headers=headers)
    (entry, *_) = await deeds(ada)
    assert entry == {
        "id": entry["id"],
        "at": "2026-01-02T03:04:06Z",
        "deed": "token_created",
        "outcome": "ok",
        "user_id": ada.user_id,
        "email": ada.email,
        "credential_id": ada.token_id,
        "through": "token",
        "request_id": "mine-1",
        "subject": made.data["id"],
        "details": entry["details"],
        **({"address": entry["address"]} if "address" in entry else {}),
    }
    assert entry["details"]["name"] == "a program"
    # Nobody said that whoever forwarded this may be believed.
    assert entry.get("address") != "192.0.2.99"


async def test_members_see_their_own_deeds_and_who_looks_after_a_workspace_all_of_it() -> None:
    world = World()
    ada, bob, eve = [await world.person(f"{name}@example.com") for name in ("ada", "bob", "eve")]
    lab = a_workspace(name="Lab")
    await put(world.stores, lab)
    for person, role in ((ada, Role.OWNER), (bob, Role.ADMIN), (eve, Role.MEMBER)):
        await put(world.stores, Membership(lab.id, person.user_id, role, START))
    entries = [
        replace(an_entry(Deed.UNPAIRED, user_id=person.user_id, workspace_id=lab.id), at=START)
        for person in (ada, bob, eve)
    ]
    await put(world.stores, *entries)
    for person, seen in ((ada, 3), (bob, 3), (eve, 1)):
        assert len(await deeds(person, "?deed=unpaired")) == seen
        exported = await person.ask("GET", "/api/audit/export?deed=unpaired")
        assert len(exported.body.splitlines()) == seen
    assert await deeds(eve, f"?deed=unpaired&user={ada.user_id}") == []
    assert len(await deeds(bob, f"?deed=unpaired&user={ada.user_id}&workspace={lab.id}")) == 1


async def test_who_something_was_done_to_sees_by_whom_and_not_from_where() -> None:
    """Where an admin is, and which session or token they used, is no business of whom they remove."""
    world = World()
    ada, eve = [await world.person(f"{name}@example.com") for name in ("ada", "eve")]
    lab = (await ada.ask("POST", "/api/workspaces", json={"name": "Lab"})).data["id"]
    await put(world.stores, Membership(WorkspaceId(lab), eve.user_id, Role.MEMBER, START))
    path = f"/api/workspaces/{lab}/members/{eve.user_id}"
    for role in ("admin", "member"):
        await ada.ask("PATCH", path, json={"role": role}, headers={"X-Request-Id": "adas-own"})
    seen, whole = [await deeds(who, "?deed=role_changed") for who in (eve, ada)]
    hidden = {"address", "credential_id", "request_id"}
    assert [{**each, **dict.fromkeys(hidden)} for each in seen] == [
        {**each, **dict.fromkeys(hidden)} for each in whole
    ]
    assert all(each["email"] == ada.email for each in seen)
    assert not any(hidden & each.keys() for each in seen)
    assert all(each["request_id"] == "adas-own" for each in whole)
    exported = await eve.ask("GET", "/api/audit/export?deed=role_changed")
    assert ada.token_id not in exported.body.decode()


async def test_an_administrator_of_the_server_sees_everything() -> None:
    world = World()
    root, ada = await world.person("root@example.com"), await world.person()
    await ada.ask("POST", "/api/auth/tokens", json={"name": "x"})
    assert not await deeds(root, f"?user={ada.user_id}")
    admin = await add_user(world.stores, "admin@example.com", None, world.now(), is_admin=True)
    person = await world.token_of(admin)
    assert len(await deeds(person, f"?user={ada.user_id}")) == 1
    assert {entry["deed"] for entry in await deeds(person)} >= {"user_created", "token_created"}


async def test_pages_follow_each_other_and_times_narrow() -> None:
    world = World()
    ada = await world.person()
    for _ in range(5):
        world.now.forward(minutes=1)
        await ada.ask("POST", "/api/pairing/token", json={})
    mine = await deeds(ada, "?deed=pairing_token_created")
    assert len(mine) == 5
    first = (await ada.ask("GET", "/api/audit?deed=pairing_token_created&limit=3")).data
    second = (
        await ada.ask("GET", f"/api/audit?deed=pairing_token_created&limit=3&cursor={first['next_cursor']}")
    ).data
    assert first["items"] + second["items"] == mine
    assert second["next_cursor"] is None
    at = mine[2]["at"]
    assert await deeds(ada, f"?deed=pairing_token_created&since={at}") == mine[:3]
    assert await deeds(ada, f"?deed=pairing_token_created&until={at}") == mine[3:]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "deed=baking",
            "deed=",
            "limit=0",
            "limit=501",
            "cursor=x",
            "since=yesterday",
            "until=2026-01-02T03:04:05",
        ),
        *("user=", "subject=" + "x" * 129, "workspace=%0a"),
    ],
)
async def test_what_cannot_be_meant_is_refused(query: str) -> None:
    world = World()
    ada = await world.person()
    for path in ("/api/audit", "/api/audit/export"):
        if query.startswith(("limit", "cursor")) and path.endswith("export"):
            continue
        answer = await ada.ask("GET", f"{path}?{query}")
        assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert (await ada.ask("GET", "/api/audit/export?format=xls")).status == 400


async def test_it_takes_a_scope_of_its_own() -> None:
    world = World()
    ada = await world.person(scopes=[Scope.ACCOUNT, Scope.DEVICES_READ])
    for path in ("/api/audit", "/api/audit/export"):
        answer = await ada.ask("GET", path)
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
        assert "audit:read" in answer.json["error"]["message"]


async def test_the_export_is_a_file() -> None:
    world = World()
    ada = await world.person()
    await ada.ask("POST", "/api/auth/tokens", json={"name": "=cmd()"})
    lines = await ada.ask("GET", "/api/audit/export")
    assert lines.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert lines.headers["Content-Disposition"] == (
        'attachment; filename="visiona-audit-20260102T030405Z.ndjson"'
    )
    assert {json.loads(line)["deed"] for line in lines.body.splitlines()} >= {
        "token_created",
        "audit_exported",
    }
    table = await ada.ask("GET", "/api/audit/export?format=csv&deed=token_created")
    assert table.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.body.decode(), newline="")))
    assert len(rows) >= 1
    assert all(not (value or "").startswith(("=", "+", "@")) for row in rows for value in row.values())


def refused(world: World) -> list[tuple[str, str | None, str | None]]:
    return [(entry.deed, entry.email, entry.details.get("prefix")) for entry in world.refusals._waiting]


async def test_a_credential_that_is_no_good_is_on_record_once() -> None:
    """ASVS 16.3.1. Who brings none is only asked for one."""
    world = World()
    await world.ask("GET", "/api/auth/me")
    assert refused(world) == []
    for _ in range(3):
        for headers in (
            {"Authorization": "Bearer vAp_" + "0" * 64},
            {"Authorization": "Bearer hunter2-is-my-password"},
            {"Cookie": f"{world.cookie.name}=forged"},
        ):
            assert (await world.ask("GET", "/api/auth/me", headers=headers)).status == 401
    one, two, three = refused(world)
    assert one == ("credential_refused", None, "vAp_0000…")
    assert two == three == ("credential_refused", None, None)
    assert "hunter2" not in repr(world.refusals._waiting)
    assert [entry.details["kind"] for entry in world.refusals._waiting] == ["token", "token", "session"]


async def test_who_may_not_is_on_record() -> None:
    """ASVS 16.3.2, 16.3.3."""
    world = World()
    ada = await world.person(scopes=[Scope.ACCOUNT, Scope.AUDIT_READ])
    bob = await world.visitor("bob@example.com")
    await ada.ask("GET", "/api/devices")
    await bob.ask("POST", "/api/auth/tokens", json={"name": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    await world.ask("POST", "/api/pairing/exchange", json={"pairing_token": "vAc_" + "0" * 32})
    assert refused(world) == [
        ("access_refused", "ada@example.com", None),
        ("access_refused", "bob@example.com", None),
        ("pairing_refused", None, None),
    ]
    await world.refusals.write_out(world.stores)
    (entry,) = await deeds(ada, "?deed=access_refused")
    assert entry["outcome"] == "refused"
    assert entry["details"] == {"why": "this token lacks the scope devices:read", "code": "FORBIDDEN"}


async def test_s01_an_export_that_breaks_off_does_not_pass_for_whole(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is given half a log must know that it is half."""
    monkeypatch.setattr("visiona.services.audit_export.MAX_PAGE", 2)
    stores = AwayStores()
    world = World(stores=stores)
    ada = await world.person()
    for _ in range(5):
        await ada.ask("POST", "/api/pairing/token", json={})
    listing = audit_export.list_audit

    async def breaking(*args: Any, **kwargs: Any) -> Any:
        stores.database_is_away = "cursor" in kwargs
        return await listing(*args, **kwargs)

    monkeypatch.setattr(audit_export, "list_audit", breaking)
    async with served(world) as url, httpx.AsyncClient(trust_env=False, headers=ada.headers) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{url}/api/audit/export")
        stores.database_is_away = False
        monkeypatch.setattr(audit_export, "list_audit", listing)
        whole = await client.get(f"{url}/api/audit/export")
        assert whole.status_code == 200
        assert len(whole.text.splitlines()) == 8
    # It is no bug, and is said in one line.
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == [
        "an answer broke off: the store is away"
    ]
