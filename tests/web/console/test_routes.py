import pytest
from visiona.stores.errors import StoreUnavailable
from visiona.web.console.files import load_assets
from visiona.web.settings import WebSettings

from tests.web.world import Answer, World

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}
DEVICE = "/devices/01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
WORKSPACE = "/workspaces/01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
PATHS = ("/", "/devices/new", DEVICE, "/models", "/pairing", "/activity", "/workspaces", WORKSPACE)
OTHER_PATHS = ("/tokens", "/sessions", "/invitation", "/reference")


async def opened(world: World, path: str, **headers: str) -> Answer:
    """A page as somebody who is signed in opens it."""
    visitor = await world.visitor()
    return await world.ask("GET", path, headers={**NAVIGATION, "Cookie": visitor.cookie, **headers})


@pytest.mark.parametrize("path", [*PATHS, *OTHER_PATHS])
async def test_a_page_is_html_that_is_held_to_its_policy(path: str) -> None:
    answer = await opened(World(), path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers.getlist("Content-Security-Policy") == [answer.headers["Content-Security-Policy"]]


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/", "./api/auth/login?return_to=/"),
        ("/pairing", "./api/auth/login?return_to=/pairing"),
        (DEVICE, f"../api/auth/login?return_to={DEVICE}"),
    ],
)
async def test_a_12_who_is_not_signed_in_is_sent_to_sign_in_and_back(path: str, way: str) -> None:
    answer = await World().ask("GET", path, headers=NAVIGATION)
    assert (answer.status, answer.headers["Location"]) == (302, way)


async def test_below_a_path_the_way_back_is_below_it_too() -> None:
    world = World(settings=WebSettings(public_url="https://one.example/visiona"))
    answer = await world.ask("GET", "/pairing", headers={**NAVIGATION, "Host": "one.example"})
    assert answer.headers["Location"] == "./api/auth/login?return_to=/visiona/pairing"


async def test_a_12_a_script_is_told_and_not_sent_anywhere() -> None:
    answer = await World().ask("GET", "/", headers={"Sec-Fetch-Mode": "cors"})
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


async def test_a_link_from_elsewhere_opens_a_page() -> None:
    answer = await opened(World(), DEVICE, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 200


async def test_a_page_comes_also_while_the_store_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    async def down(credentials: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(world.callers, "identify", down)
    assert (await world.ask("GET", "/", headers=NAVIGATION)).status == 200


async def test_a_page_that_the_browser_has_is_not_sent_again() -> None:
    world = World()
    etag = (await opened(world, "/")).headers["ETag"]
    again = await opened(world, "/", **{"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")
    other = await opened(world, "/", **{"If-None-Match": etag, "Accept-Language": "zh-TW"})
    assert other.status == 200
    assert b'lang="zh-TW"' in other.body


async def test_each_asset_may_be_kept_for_ever_under_its_name() -> None:
    world, assets = World(), load_assets()
    for name, asset in assets.by_name.items():
        path = f"/console/{assets.version}/{name}"
        answer = await world.ask("GET", path)
        assert (answer.status, answer.body) == (200, asset.body)
        assert answer.headers["Content-Type"] == asset.content_type
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        known = await world.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
        assert known.status == 304


@pytest.mark.parametrize(
    "name",
    [
        "../files.py",
        "%2e%2e/files.py",
        "..%2ffiles.py",
        "text/../app.js",
        "App.js",
        "app.js/",
        "/etc/passwd",
        "app.js%00",
        "",
    ],
)
async def test_h07_no_other_file_is_reached(name: str) -> None:
    world = World()
    answer = await world.ask("GET", f"/console/{load_assets().version}/{name}")
    assert answer.status == 404


async def test_an_asset_of_another_release_is_404_and_never_kept() -> None:
    answer = await World().ask("GET", "/console/0000000000000000/app.js")
    assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize("path", ["/nothing", "/a/b/c", "/devices/x/y", "/pairing/"])
async def test_an_unknown_address_is_a_page_for_people(path: str) -> None:
    world = World()
    answer = await world.ask("GET", path, headers={**NAVIGATION, "Accept-Language": "zh-TW"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "這裡什麼都沒有".encode() in answer.body
    assert b"<script" not in answer.body
    assert answer.headers.get("ETag") is None


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/nothing", {}),
        ("GET", "/nothing", {"Sec-Fetch-Mode": "cors", "Accept": "text/html"}),
        ("POST", "/nothing", NAVIGATION),
        ("GET", "/api/nothing", NAVIGATION),
        ("GET", "/console/x/y", NAVIGATION),
    ],
)
async def test_an_unknown_address_is_the_envelope_for_programs(
    method: str, path: str, headers: dict[str, str]
) -> None:
    answer = await World().ask(method, path, headers=headers)
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_h03_nothing_of_the_address_is_written_into_a_page() -> None:
    answer = await World().ask("GET", '/x"><script>alert(1)</script>', headers=NAVIGATION)
    assert answer.status == 404
    assert b"alert" not in answer.body
