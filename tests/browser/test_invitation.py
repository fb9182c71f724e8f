"""Joining a workspace by the link of an invitation."""

from playwright.sync_api import expect

from tests.browser.conftest import Opened
from tests.browser.console import EMAIL
from tests.e2e.client import Caller
from tests.e2e.server import Server


def link_of(server: Server, owner: Caller, email: str) -> str:
    lab = owner.ask("POST", "/api/workspaces", {"name": "Lab"}).data["id"]
    asked = owner.ask("POST", f"/api/workspaces/{lab}/members", {"email": email}).data
    server.evidence.secret(asked["token"], "an invitation")
    link: str = asked["link"]
    return link


def test_an_invitation_is_opened_and_accepted(opened: Opened, server: Server) -> None:
    owner = server.person("inviter")
    link = link_of(server, owner, EMAIL)
    console = opened()
    console.page.goto(link)
    console.settled()
    # It is in no address any more, where somebody could see it over a shoulder or bookmark it.
    assert console.page.url == f"{server.web}/invitation"
    assert f"Join it as {EMAIL}?" in console.text
    assert console.violations() == []
    console.picture("invitation")
    console.page.get_by_role("button", name="Join").click()
    expect(console.page.locator("#main")).to_contain_text("You are in the workspace “Lab” now.")
    console.page.get_by_role("link", name="To your devices").click()
    console.settled()
    console.page.goto(link)
    console.settled()
    console.page.get_by_role("button", name="Join").click()
    expect(console.page.get_by_role("status").last).to_contain_text("Ask for another")


def test_one_for_another_address_says_so(opened: Opened, server: Server) -> None:
    console = opened()
    console.page.goto(link_of(server, server.person("other-inviter"), "somebody@example.org"))
    console.settled()
    console.page.get_by_role("button", name="Join").click()
    expect(console.page.locator("#main")).to_contain_text("Sign in with the account it was sent to.")
    assert console.violations() == []


def test_the_page_without_a_link_says_what_to_do(opened: Opened) -> None:
    console = opened()
    console.open("/invitation")
    assert "Open the link of the invitation once more" in console.text
