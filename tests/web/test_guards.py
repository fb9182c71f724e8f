"""H-20: every route of the table, every method, with and without a credential."""

from collections.abc import Iterator

import pytest
from visiona.web.guards import PUBLIC, is_public

from tests.web.world import World

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "TRACK", "PROPFIND", "FOO")
OWN_CREDENTIAL = {"/idp/userinfo"}
"""Public routes that ask for a credential which is none of ours: the provider's access token."""

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"


def routes(world: World) -> Iterator[tuple[str, str, str]]:
    """Every (method, rule, path) of the table."""
    for rule in world.site.url_map.iter_rules():
        path = "/".join(NOWHERE if part.startswith("<") else part for part in rule.rule.split("/"))
        for method in sorted(rule.methods or ()):
            yield method, rule.rule, path


async def test_h20_every_route_but_the_public_ones_answers_401_without_a_credential() -> None:
    world = World()
    checked = 0
    for method, rule, path in routes(world):
        answer = await world.ask(method, path)
        if is_public(method, rule):
            assert (answer.status == 401) is (rule in OWN_CREDENTIAL), (method, rule)
            continue
        checked += 1
        assert answer.status == 401, (method, rule)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        if method != "HEAD":
            assert answer.code == "UNAUTHENTICATED"
    assert checked > 15


async def test_the_public_list_names_only_routes_that_exist() -> None:
    world = World()
    assert {(method, rule) for method, rule, _ in routes(world)} >= PUBLIC


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer vAp_" + "0" * 64,
        "Bearer vAc_" + "0" * 32,
        "Bearer vAs_" + "0" * 64,
        "Bearer " + "x" * 8000,
        "Bearer vAp_\u0660" + "0" * 63,
        "bearer null",
    ],
)
async def test_t05_whatever_is_no_token_of_ours_is_401(authorization: str) -> None:
    world = World()
    refused = await world.ask(
        "GET", "/api/devices", headers={"Authorization": authorization.encode().decode("latin-1")}
    )
    assert (refused.status, refused.code) == (401, "UNAUTHENTICATED")


async def test_two_authorization_headers_are_none() -> None:
    world = World()
    ada = await world.person()
    headers = [("Authorization", f"Bearer {ada.token}"), ("Authorization", f"Bearer {ada.token}")]
    assert (await world.ask("GET", "/api/devices", headers=headers)).status == 401


async def test_a_token_in_the_query_or_a_cookie_is_none() -> None:
    world = World()
    ada = await world.person()
    assert (await world.ask("GET", f"/api/devices?token={ada.token}")).status == 401
    assert (
        await world.ask("GET", "/api/devices", headers={"Cookie": f"visiona_session={ada.token}"})
    ).status == 401


@pytest.mark.parametrize("method", METHODS)
async def test_h20_a_method_that_a_route_lacks_is_405_with_what_it_has(method: str) -> None:
    world = World()
    ada = await world.person()
    for path, has in (
        ("/api/pairing/exchange", {"POST"}),
        ("/api/devices", {"GET", "HEAD"}),
        ("/livez", {"GET", "HEAD"}),
    ):
        if method in has:
            continue
        answer = await ada.ask(method, path)
        assert answer.status == 405, (method, path)
        assert answer.code == "METHOD_NOT_ALLOWED"
        assert set(answer.headers["Allow"].split(", ")) == has


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api",
        "/api/",
        "/api/devices/",
        "/api//devices",
        "/API/devices",
        "/api/devices/x/y/z",
    ],
)
async def test_h20_an_unknown_path_is_404_whoever_asks(method: str, path: str) -> None:
    world = World()
    ada = await world.person()
    for answer in (await world.ask(method, path), await ada.ask(method, path)):
        assert answer.status in {404, 405}, (method, path)
        if method != "HEAD":
            assert answer.code in {"NOT_FOUND", "METHOD_NOT_ALLOWED"}


async def test_a_disabled_users_token_is_401_once_the_notice_came() -> None:
    from visiona.domain.notices import NoticeKind
    from visiona.services.users import disable_user

    world = World()
    ada = await world.person()
    assert (await ada.ask("GET", "/api/devices")).status == 200
    await disable_user(world.stores, ada.user_id, world.now())
    world.revoking.at_once(NoticeKind.USER_DISABLED, ada.user_id)
    assert (await ada.ask("GET", "/api/devices")).status == 401
