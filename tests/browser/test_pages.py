"""Each page in each size and scheme: accessible, and no wider than the window."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from visiona.web.console.languages import LANGUAGES, dictionary

from tests.browser.conftest import Opened
from tests.browser.console import NARROW, WIDE, Console
from tests.browser.models import announced, brought
from tests.e2e.client import Caller
from tests.e2e.server import Server

SCHEMES = ("light", "dark")
SIZES = {"wide": WIDE, "narrow": NARROW}

HOLES = {hole for words in dictionary("en").values() for hole in re.findall(r"{\w+}", words)}
"""Where a sentence has a place for something."""

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "{{constructor}} ${alert(3)} javascript:alert(4)",
    "\u202egnp.exe \u2066 " + "very-long-name-without-a-space" * 3,
)
"""What a device may call itself; a text, wherever it is shown."""


@pytest.fixture(scope="module")
def owner(server: Server) -> Caller:
    return Caller(server.web, server.token("ada@example.org", "pages"))


@pytest.fixture(scope="module")
def device_id(server: Server, owner: Caller) -> str:
    """A device that was never connected, among others with names to be afraid of, and two tokens."""
    made = []
    for number, name in enumerate(("Gate 3", *HOSTILE)):
        token = owner.ask("POST", "/api/pairing/token", {"name": name[:100]}).data["token"]
        body = {
            "pairing_token": token,
            "name": name,
            "serial_number": f"S-{number}",
            "agent_version": name[:60],
        }
        made.append(owner.ask("POST", "/api/pairing/exchange", body).data["device_id"])
        owner.ask("PATCH", f"/api/devices/{made[-1]}", {"tags": [name[:30], "hall-2"]})
    owner.ask("POST", "/api/pairing/token", {"name": HOSTILE[0]})
    return str(made[0])


@pytest.fixture(scope="module")
def workspace_id(owner: Caller) -> str:
    """A workspace with an invitation and a model for each such name, one of them without its file."""
    made = [owner.ask("POST", "/api/workspaces", {"name": name[:120]}).data["id"] for name in HOSTILE]
    owner.ask(
        "POST", f"/api/workspaces/{made[0]}/members", {"email": "x" * 60 + "@example.org", "role": "admin"}
    )
    announced(owner, "No file yet", b"x", workspace_id=made[0])
    for name in HOSTILE:
        more: dict[str, Any] = {
            "description": name * 4,
            "license": name[:100],
            "metrics": {name[:40]: 0.5},
            "version": name[:60],
        }
        brought(owner, name[:120], workspace_id=made[0], **more)
    return str(made[0])


def views(device_id: str, workspace_id: str) -> Iterator[tuple[str, str, Callable[[Console], None]]]:
    """Each page as (name, path, what to do on it first)."""

    def nothing(console: Console) -> None:
        pass

    def new_token(console: Console) -> None:
        console.page.get_by_role("button", name="New token").first.click()

    def unpair(console: Console) -> None:
        console.page.get_by_role("button", name="Unpair").click()

    def edit(console: Console) -> None:
        console.page.get_by_role("button", name="Edit").click()

    def offer(console: Console) -> None:
        console.page.get_by_role("button", name="Make the line").click()
        console.wait_loaded(".qr")
        console.page.get_by_role("button", name="Cancel this token").wait_for()

    def menu(console: Console) -> None:
        button = console.page.get_by_role("button", name="Account and language")
        if button.is_visible():
            button.click()

    def opened_routes(console: Console) -> None:
        console.page.get_by_role("searchbox").fill("tokens")
        for route in console.page.locator("details.route summary").all():
            route.click()
        expect(console.page.locator(".answers").first).to_be_visible()

    def upload(console: Console) -> None:
        console.page.get_by_role("button", name="Upload a model").click()

    def all_details(console: Console) -> None:
        for each in console.page.locator("summary").all():
            each.click()

    def delete(console: Console) -> None:
        console.page.get_by_role("button", name="Delete").last.click()

    def invite(console: Console) -> None:
        console.page.get_by_role("button", name="Invite somebody").click()

    def new_workspace(console: Console) -> None:
        console.page.get_by_role("button", name="New workspace").click()

    def chosen(console: Console) -> None:
        console.page.get_by_label("What", exact=True).select_option("Workspace made")
        expect(console.page.get_by_role("button", name="Clear")).to_be_visible()

    yield "devices", "/", nothing
    yield "menu", "/", menu
    yield "device-never", f"/devices/{device_id}", nothing
    yield "device-edit", f"/devices/{device_id}", edit
    yield "device-unpair", f"/devices/{device_id}", unpair
    yield "device-gone", "/devices/01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f", nothing
    yield "models", "/models", nothing
    yield "models-details", "/models", all_details
    yield "models-upload", "/models", upload
    yield "models-delete", "/models", delete
    yield "activity", "/activity", nothing
    yield "activity-chosen", "/activity", chosen
    yield "workspaces", "/workspaces", nothing
    yield "workspaces-new", "/workspaces", new_workspace
    yield "workspace", f"/workspaces/{workspace_id}", nothing
    yield "workspace-invite", f"/workspaces/{workspace_id}", invite
    yield "workspace-delete", f"/workspaces/{workspace_id}", delete
    yield "workspace-gone", "/workspaces/01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f", nothing
    yield "add", "/devices/new", nothing
    yield "add-offer", "/devices/new", offer
    yield "pairing", "/pairing", nothing
    yield "tokens", "/tokens", nothing
    yield "tokens-new", "/tokens", new_token
    yield "sessions", "/sessions", nothing
    yield "invitation", "/invitation", nothing
    yield "reference", "/reference", opened_routes


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible_and_fits(
    opened: Opened, device_id: str, workspace_id: str, size: str, scheme: str
) -> None:
    console = opened(*SIZES[size], color_scheme=scheme)
    found = []
    for name, path, first in views(device_id, workspace_id):
        console.open(path)
        first(console)
        console.picture(f"{name}-{size}-{scheme}")
        found += [f"{name}: {violation}" for violation in console.violations()]
        if (wider := console.overflow()) > 0:
            found.append(f"{name}: {wider} pixels wider than the window")
        if name == "add-offer":
            console.page.get_by_role("button", name="Cancel this token").click()
            console.page.get_by_role("button", name="Make the line").wait_for()
    assert found == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_address_where_nothing_is_and_a_console_without_a_session_are_accessible(
    opened: Opened, server: Server, scheme: str
) -> None:
    console = opened(*NARROW, color_scheme=scheme)
    console.page.goto(server.web + "/nothing/here")
    assert "There is nothing here" in console.page.inner_text("main")
    console.picture(f"nothing-here-narrow-{scheme}")
    assert console.violations() == []
    console.page.get_by_role("link", name="To your devices").click()
    console.settled()
    console.context.clear_cookies()
    console.page.get_by_role("link", name="Pairing").click()
    expect(console.page.locator("h1")).to_have_text("Your session has ended")
    console.picture(f"session-ended-narrow-{scheme}")
    assert console.violations() == []


def test_h03_what_a_device_calls_itself_is_a_text_everywhere(
    opened: Opened, device_id: str, server: Server
) -> None:
    console = opened()
    console.open("/")
    names = console.page.locator(".card h2 a").all_inner_texts()
    for hostile in HOSTILE[:3]:
        assert hostile in names
        console.open("/")
        console.page.get_by_role("link", name=hostile).click()
        expect(console.page.locator("h1")).to_have_text(hostile)
        expect(console.page.locator(".timeline > li").first).to_be_visible()
        console.page.get_by_role("button", name="Unpair").click()
        assert hostile in console.page.get_by_role("dialog").inner_text()
    assert console.page.locator("#console img[src=x], #console script").count() == 0


def test_h03_what_a_model_and_a_workspace_are_called_is_a_text_everywhere(
    opened: Opened, workspace_id: str
) -> None:
    console = opened()
    page = console.page
    console.open("/models")
    names = page.locator("[data-model] strong").all_inner_texts()
    for hostile in HOSTILE[:3]:
        assert hostile in names
        row = page.locator("[data-model]").filter(has=page.locator("strong", has_text=hostile))
        row.get_by_role("button", name="Load").click()
        assert hostile in page.get_by_role("dialog").inner_text()
        page.keyboard.press("Escape")
    console.open(f"/workspaces/{workspace_id}")
    expect(page.locator("h1")).to_have_text(HOSTILE[0])
    page.get_by_role("button", name="Delete").click()
    assert HOSTILE[0] in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Activity").click()
    expect(page.locator(".timeline")).to_contain_text(HOSTILE[0])
    assert page.locator("#console img[src=x], #console script").count() == 0


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_page_speaks_the_language_and_fits(
    opened: Opened, device_id: str, workspace_id: str, language: str
) -> None:
    console = opened(*NARROW, locale=language)
    keys = set(dictionary(language))
    for name, path, _ in views(device_id, workspace_id):
        console.open(path)
        assert console.page.evaluate("document.documentElement.lang") == language
        assert console.overflow() <= 0, name
        shown = set(console.page.locator("#console").inner_text().split())
        assert shown & keys == set(), name
        assert shown & HOLES == set(), name
        console.picture(f"{name}-{language}")
