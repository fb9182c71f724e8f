"""Languages, keyboard, sessions that end, tokens that are shown once."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Opened
from tests.browser.console import Console, new_context
from tests.e2e.client import Caller, until
from tests.e2e.server import Server


@pytest.mark.parametrize(
    ("locale", "heading"), [("zh-TW", "裝置"), ("zh-CN", "设备"), ("fr", "Devices"), ("zh-HK", "裝置")]
)
def test_the_console_speaks_what_the_browser_asks_for(opened: Opened, locale: str, heading: str) -> None:
    console = opened(locale=locale)
    console.open("/")
    expect(console.page.locator("h1")).to_have_text(heading)
    console.picture(f"devices-{locale}")


def test_a_chosen_language_stays(opened: Opened) -> None:
    console = opened()
    console.open("/tokens")
    console.page.get_by_label("Language").select_option("zh-TW")
    expect(console.page.locator("h1")).to_have_text("存取權杖")
    assert console.page.evaluate("document.documentElement.lang") == "zh-TW"
    assert console.page.evaluate("document.activeElement.id") == "language"
    console.page.reload()
    expect(console.page.locator("h1")).to_have_text("存取權杖")
    assert console.violations() == []


def test_everything_can_be_done_by_keyboard(opened: Opened) -> None:
    console = opened()
    page = console.page
    console.open("/tokens")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    for name in ("Workspaces", "Access tokens", "Sessions", "API", "New token"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text(name)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(":focus")).to_have_text("New token")


def test_a_page_takes_the_focus_to_its_name_and_back_goes_back(opened: Opened) -> None:
    console = opened()
    page = console.page
    console.open("/")
    page.get_by_role("link", name="Settings").click()
    expect(page).to_have_title("Workspaces · visiona")
    page.get_by_role("link", name="Sessions").click()
    expect(page.locator("h1")).to_be_focused()
    expect(page).to_have_title("Sessions · visiona")
    expect(page.locator("[aria-current=page]")).to_have_text("Sessions")
    expect(page.locator("[aria-current=true]")).to_have_text("Settings")
    page.go_back()
    page.go_back()
    expect(page.locator("h1")).to_have_text("Devices")


def test_a_token_is_shown_once_works_and_is_revoked(opened: Opened, server: Server) -> None:
    console = opened()
    page = console.page
    console.open("/tokens")
    page.get_by_role("button", name="New token").first.click()
    page.get_by_label("Name", exact=True).fill("dashboard")
    page.get_by_role("button", name="Make the token").click()
    dialog = page.get_by_role("dialog")
    token = dialog.locator(".copy-text").first.inner_text()
    assert re.fullmatch(r"vAp_[0-9a-f]{64}", token)
    assert console.violations() == []
    console.picture("token-made")
    dialog.get_by_role("button", name="I have kept it").click()
    assert Caller(server.web, token).ask("GET", "/api/devices").status == 200
    assert token not in page.content()
    page.get_by_role("button", name="Revoke dashboard").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator(".rows > li", has_text="dashboard")).to_contain_text("Revoked")
    assert Caller(server.web, token).ask("GET", "/api/devices").status == 401


def test_a_copied_line_is_on_the_clipboard(opened: Opened, target: str) -> None:
    console = opened(permissions=["clipboard-read", "clipboard-write"])
    line = console.begin_adding("copied", target)
    console.page.get_by_role("button", name="Copy").click()
    expect(console.page.get_by_role("button", name="Copied")).to_be_visible()
    assert console.page.evaluate("navigator.clipboard.readText()") == line
    console.page.get_by_role("button", name="Cancel this token").click()


def test_a_session_that_is_ended_elsewhere_leaves_nothing_on_the_screen(
    browser: Browser, server: Server, opened: Opened
) -> None:
    context = new_context(browser)
    there = Console(context, server.web, None)
    there.sign_in("/pairing")
    assert there.page.url.endswith("/pairing")
    here = opened()
    here.open("/sessions")
    expect(here.page.locator(".rows > li")).to_have_count(2)
    here.picture("sessions")
    here.page.get_by_role("button", name="End all others").click()
    here.page.get_by_role("dialog").get_by_role("button", name="End all others").click()
    expect(here.page.locator(".rows > li")).to_have_count(1)
    expect(there.page.locator("h1")).to_have_text("Your session has ended")
    assert "ada@example.org" not in there.page.content()
    context.close()


def test_signing_out_is_seen_and_ends_the_session(browser: Browser, server: Server) -> None:
    context = new_context(browser)
    console = Console(context, server.web, None)
    console.sign_in()
    cookies: list[Any] = context.cookies()
    console.page.get_by_role("button", name="Sign out").click()
    console.page.wait_for_url(lambda url: "/idp/" in url)
    names = {cookie["name"] for cookie in context.cookies()}
    assert "visiona_session" not in names
    kept = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)
    until(
        lambda: Caller(server.web, None).ask("GET", "/api/auth/me", headers={"Cookie": kept}).status == 401,
        "the session is over",
        5,
    )
    context.close()


def test_a_connection_that_breaks_is_said_and_mended(opened: Opened) -> None:
    console = opened()
    console.open("/")
    console.page.wait_for_timeout(300)
    console.context.set_offline(True)
    console.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    console.page.route("**/api/live", lambda route: route.abort())
    console.context.set_offline(False)
    console.page.reload()
    console.settled()
    expect(console.page.locator(".lost")).to_be_visible(timeout=15_000)
    console.page.unroute("**/api/live")
    expect(console.page.locator(".lost")).to_be_hidden(timeout=15_000)
