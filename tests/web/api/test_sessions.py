from datetime import timedelta

import pytest

from tests.web.world import START, World


async def test_a_person_sees_the_own_sign_ins_the_newest_first_and_which_is_this_one() -> None:
    world = World()
    first = await world.visitor()
    world.now.forward(minutes=5)
    second = await world.visitor()
    await world.visitor("bob@example.com")
    items = (await first.ask("GET", "/api/auth/sessions")).data["items"]
    assert [item["id"] for item in items] == [second.done.session.id, first.done.session.id]
    assert [item["current"] for item in items] == [False, True]
    assert items[1] == {
        "id": first.done.session.id,
        "current": True,
        "created_at": "2026-01-02T03:04:05Z",
        "last_seen_at": "2026-01-02T03:09:05Z",
        "expires_at": "2026-01-02T11:09:05Z",
        "absolute_expires_at": "2026-01-03T03:04:05Z",
        "idle_seconds": 28800,
        "user_agent": "Browser/1",
        "address": "192.0.2.7",
        "issuer": "https://id.example",
    }
    page = (await first.ask("GET", "/api/auth/sessions?limit=1")).data
    assert [item["id"] for item in page["items"]] == [second.done.session.id]
    rest = (await first.ask("GET", f"/api/auth/sessions?limit=1&cursor={page['next_cursor']}")).data
    assert [item["id"] for item in rest["items"]] == [first.done.session.id]


async def test_ending_a_session_ends_it_and_what_runs_on_it_at_once() -> None:
    world = World()
    here, there = await world.visitor(), await world.visitor()
    assert (await there.ask("GET", "/api/auth/me")).status == 200
    causes: list[str] = []
    user, session = there.done.user.id, there.done.session.id
    world.registry.calls.add(user, session, None, causes.append)
    world.registry.calls.add(user, here.done.session.id, None, lambda cause: causes.append("wrong"))
    assert (await here.ask("DELETE", f"/api/auth/sessions/{session}")).status == 204
    assert causes == ["revoked"]
    assert (await there.ask("GET", "/api/auth/me")).status == 401
    assert (await here.ask("GET", "/api/auth/me")).status == 200
    assert (await here.ask("DELETE", f"/api/auth/sessions/{session}")).status == 404


async def test_a_person_may_end_the_session_that_asks() -> None:
    world = World()
    here = await world.visitor()
    assert (await here.ask("DELETE", f"/api/auth/sessions/{here.done.session.id}")).status == 204
    assert (await here.ask("GET", "/api/auth/me")).status == 401


@pytest.mark.parametrize("asked", ["theirs", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f", "no-id"])
async def test_h08_somebody_elses_session_is_none(asked: str) -> None:
    world = World()
    ada, bob = await world.visitor(), await world.visitor("bob@example.com")
    path = f"/api/auth/sessions/{bob.done.session.id if asked == 'theirs' else asked}"
    refused = await ada.ask("DELETE", path)
    assert (refused.status, refused.code) == (404, "NOT_FOUND")
    assert refused.json["error"]["message"] == "there is no such session"
    assert (await bob.ask("GET", "/api/auth/me")).status == 200


async def test_me_says_until_when_the_session_is_good() -> None:
    world = World()
    ada = await world.visitor()
    world.now.forward(hours=1)
    me = (await ada.ask("GET", "/api/auth/me")).data
    assert me["email"] == "ada@example.com"
    assert me["expires_at"] == "2026-01-02T12:04:05Z"
    assert me["session"] == {
        "id": ada.done.session.id,
        "expires_at": "2026-01-02T12:04:05Z",
        "absolute_expires_at": "2026-01-03T03:04:05Z",
        "idle_seconds": 28800,
    }


async def test_me_of_a_program_has_no_session() -> None:
    world = World()
    person = await world.person()
    me = (await person.ask("GET", "/api/auth/me")).data
    assert "session" not in me
    assert me["expires_at"] == (START + timedelta(days=90)).isoformat().replace("+00:00", "Z")


async def test_p08_no_answer_holds_a_session_s_text_or_hash() -> None:
    world = World()
    ada = await world.visitor()
    for path in ("/api/auth/sessions", "/api/auth/me"):
        body = (await ada.ask("GET", path)).body.decode()
        assert ada.done.text not in body
        assert ada.done.session.token_hash not in body
