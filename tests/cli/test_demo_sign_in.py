"""The check of the sign-in must be able to fail: each test has a server with one fault."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from visiona.cli import demo_sign_in
from visiona.cli.demo_browser import Shown
from visiona.cli.demo_client import Unexpected
from visiona.cli.demo_sign_in import WAY, sign_in, sign_out, use_session

LINK = "http://127.0.0.1:1/idp/link/vAo_secret"
GOOD = frozenset({"httponly", "samesite=lax", "path=/"})


@dataclass
class Site:
    """A server that does everything right, save for what a test changes."""

    page: str = "<form>"
    page_status: int = 200
    cookie_at_once: bool = False
    way: tuple[str, ...] = WAY
    console_status: int = 200
    attributes: frozenset[str] = GOOD
    second_time: int = 410
    devices: list[str] = field(default_factory=lambda: ["d1"])
    asks_header: bool = True
    keeps_session: bool = False
    used: bool = False
    over: bool = False


class FakeBrowser:
    def __init__(self, site: Site, cookies: dict[str, tuple[str, frozenset[str]]] | None = None) -> None:
        self.site = site
        self.cookies = cookies if cookies is not None else {}

    async def open(self, url: str) -> Shown:
        await trio.lowlevel.checkpoint()
        assert url == LINK
        status = self.site.second_time if self.site.used else self.site.page_status
        if self.site.cookie_at_once:
            self.cookies["visiona_session"] = ("s", self.site.attributes)
        return Shown("/idp/link/x", status, self.site.page, ("/idp/link/x",))

    async def submit(self, page: Shown, fields: dict[str, str]) -> Shown:
        await trio.lowlevel.checkpoint()
        self.site.used = True
        self.cookies["visiona_session"] = ("s", self.site.attributes)
        return Shown("/", self.site.console_status, "", (page.path, *self.site.way))

    async def fetch(self, method: str, path: str, *, csrf: bool = False, expect: int = 200) -> Any:
        await trio.lowlevel.checkpoint()
        status = 200
        if self.site.over and not self.site.keeps_session:
            status = 401
        elif method == "POST" and not csrf and self.site.asks_header:
            status = 403
        if status != expect:
            raise Unexpected(f"{method} {path} answered {status}")
        if path == "/api/auth/logout":
            self.site.over = True
            self.cookies.pop("visiona_session")
        return self.site.devices if path == "/api/devices" else {"email": "demo@x"}


async def whole(site: Site) -> str:
    browser: Any = FakeBrowser(site)
    return "; ".join(
        [await sign_in(browser, LINK), await use_session(browser, "/api/devices/d1"), await sign_out(browser)]
    )


@pytest.fixture(autouse=True)
def other_browsers_are_fakes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_sign_in, "Browser", FakeBrowser)


async def test_a_server_that_does_all_right_passes_and_no_secret_is_said() -> None:
    said = await whole(Site())
    assert "demo@x" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("site", "why"),
    [
        (Site(page_status=500), "link answered 500"),
        (Site(page="<script>"), "script"),
        (Site(cookie_at_once=True), "looking at the link"),
        (Site(way=("/idp/link/x",)), "led by /idp/link/x"),
        (Site(console_status=404), "console answered 404"),
        (Site(attributes=GOOD - {"httponly"}), "careless"),
        (Site(second_time=200), "was used"),
        (Site(devices=[]), "no device"),
        (Site(asks_header=False), "scan answered 200"),
        (Site(keeps_session=True), "me answered 200"),
    ],
)
async def test_each_fault_is_found(site: Site, why: str) -> None:
    with pytest.raises(Unexpected, match=why) as found:
        await whole(site)
    assert "secret" not in str(found.value)
