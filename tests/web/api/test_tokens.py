from datetime import timedelta

import pytest
from visiona.domain.access import Scope

from tests.web.world import Person, World


async def test_a_token_is_shown_once_and_works() -> None:
    world = World()
    ada = await world.person()
    made = await ada.ask("POST", "/api/auth/tokens", json={"name": "script", "scopes": ["devices:read"]})
    assert made.status == 201
    assert made.data["token"].startswith("vAp_")
    assert made.data["scopes"] == ["devices:read"]
    script = Person(ada.user_id, ada.email, made.data["token"], made.data["id"], world)
    assert (await script.ask("GET", "/api/devices")).status == 200
    listed = await ada.ask("GET", "/api/auth/tokens")
    assert set(listed.data) == {"items", "next_cursor"}
    assert len(listed.data["items"]) == 2
    assert made.data["token"] not in listed.body.decode()
    assert "token" not in listed.data["items"][0]


async def test_a_revoked_token_ends_at_once_with_what_runs_on_it() -> None:
    world = World()
    ada = await world.person()
    made = (await ada.ask("POST", "/api/auth/tokens", json={"name": "script"})).data
    script = Person(ada.user_id, ada.email, made["token"], made["id"], world)
    assert (await script.ask("GET", "/api/auth/me")).status == 200
    done = await world.paired(ada)
    causes: list[str] = []
    world.registry.calls.add(ada.user_id, made["id"], done.device_id, causes.append)
    world.registry.calls.add(ada.user_id, ada.token_id, done.device_id, lambda cause: causes.append("wrong"))
    assert (await ada.ask("DELETE", f"/api/auth/tokens/{made['id']}")).status == 204
    assert causes == ["revoked"]
    refused = await script.ask("GET", "/api/auth/me")
    assert (refused.status, refused.code) == (401, "UNAUTHENTICATED")
    assert (await ada.ask("GET", "/api/auth/me")).status == 200


async def test_a_token_ends_at_its_expiry_even_while_it_is_remembered() -> None:
    world = World()
    ada = await world.person()
    made = (await ada.ask("POST", "/api/auth/tokens", json={"name": "short", "ttl_seconds": 60})).data
    short = Person(ada.user_id, ada.email, made["token"], made["id"], world)
    world.now.forward(seconds=59.9)
    assert (await short.ask("GET", "/api/auth/me")).status == 200
    world.now.forward(seconds=0.1)
    assert (await short.ask("GET", "/api/auth/me")).status == 401


async def test_a_token_gives_no_scope_that_it_lacks() -> None:
    world = World()
    ada = await world.person(scopes=[Scope.ACCOUNT])
    refused = await ada.ask("POST", "/api/auth/tokens", json={"name": "more", "scopes": ["devices:proxy"]})
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    made = (await ada.ask("POST", "/api/auth/tokens", json={"name": "same"})).data
    assert made["scopes"] == ["account"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "account"},
        {"name": "x", "ttl_seconds": 0},
        {"name": "x", "ttl_seconds": -1},
        {"name": "x", "ttl_seconds": 10**12},
        {"name": "x", "ttl_seconds": 1.5},
        {"name": "x", "ttl_seconds": True},
    ],
)
async def test_a_wrong_wish_is_400(body: dict[str, object]) -> None:
    world = World()
    ada = await world.person()
    refused = await ada.ask("POST", "/api/auth/tokens", json=body)
    assert (refused.status, refused.code) == (400, "VALIDATION_FAILED")


async def test_an_explicit_null_is_for_ever() -> None:
    world = World()
    ada = await world.visitor()
    made = (await ada.ask("POST", "/api/auth/tokens", json={"name": "x", "ttl_seconds": None})).data
    assert "expires_at" not in made
    world.now.forward(days=timedelta(days=4000).days)
    for_ever = Person(ada.done.user.id, ada.done.user.email, made["token"], made["id"], world)
    assert (await for_ever.ask("GET", "/api/auth/me")).status == 200
    # And so is what it makes.
    child = (await for_ever.ask("POST", "/api/auth/tokens", json={"name": "x", "ttl_seconds": None})).data
    assert "expires_at" not in child


async def test_a_token_makes_none_that_outlives_it() -> None:
    world = World()
    ada = await world.person()
    short = (await ada.ask("POST", "/api/auth/tokens", json={"name": "short", "ttl_seconds": 60})).data
    thief = Person(ada.user_id, ada.email, short["token"], short["id"], world)
    world.now.forward(seconds=10)
    for seconds in (51, 90 * 86400, None):
        wish = {"name": "long", "ttl_seconds": seconds}
        refused = await thief.ask("POST", "/api/auth/tokens", json=wish)
        assert (refused.status, refused.code) == (403, "FORBIDDEN")
        assert "50 seconds" in refused.json["error"]["message"]
    assert (await thief.ask("POST", "/api/auth/tokens", json={"name": "x", "ttl_seconds": 50})).status == 201
    unasked = (await thief.ask("POST", "/api/auth/tokens", json={"name": "x"})).data
    assert unasked["expires_at"] == short["expires_at"]


async def test_with_a_token_ends_what_runs_on_those_made_with_it() -> None:
    world = World()
    ada = await world.visitor()
    parent = (await ada.ask("POST", "/api/auth/tokens", json={"name": "leaked"})).data
    user = ada.done.user
    thief = Person(user.id, user.email, parent["token"], parent["id"], world)
    child = (await thief.ask("POST", "/api/auth/tokens", json={"name": "x"})).data
    heir = Person(user.id, user.email, child["token"], child["id"], world)
    assert (await heir.ask("GET", "/api/auth/me")).status == 200
    causes: list[str] = []
    world.registry.calls.add(user.id, child["id"], None, causes.append)
    assert (await ada.ask("DELETE", f"/api/auth/tokens/{parent['id']}")).status == 204
    assert causes == ["revoked"]
    for who in (thief, heir):
        assert (await who.ask("GET", "/api/auth/me")).status == 401


async def test_p09_somebody_elses_token_is_404() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    for name in (ada.token_id, "x", ada.token_id.upper()):
        assert (await bob.ask("DELETE", f"/api/auth/tokens/{name}")).status == 404
    assert (await ada.ask("GET", "/api/auth/me")).status == 200
