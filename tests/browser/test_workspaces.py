"""Workspaces in the console: made, shared, looked after, and left; nobody is offered what would be refused them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import Opened
from tests.browser.console import EMAIL, Console
from tests.browser.models import brought
from tests.e2e.client import Caller
from tests.e2e.server import Server

Shared = Callable[[str, str], str]


@pytest.fixture(scope="module")
def ada(server: Server) -> Caller:
    return Caller(server.web, server.token(EMAIL, "workspaces"))


@pytest.fixture(scope="module")
def bob(server: Server) -> Caller:
    return server.person("bob")


def joined(server: Server, host: Caller, guest: Caller, name: str, role: str = "member") -> str:
    """A workspace of one person, in which another one is."""
    made: str = host.ask("POST", "/api/workspaces", {"name": name}).data["id"]
    email = guest.ask("GET", "/api/auth/me").data["email"]
    invited = host.ask("POST", f"/api/workspaces/{made}/members", {"email": email, "role": role}).data
    server.evidence.secret(invited["token"], "an invitation")
    assert guest.ask("POST", "/api/invitations/accept", {"token": invited["token"]}).status == 200
    return made


def paired(owner: Caller, name: str, workspace: str | None = None) -> str:
    """A device that never connected."""
    wish: dict[str, Any] = {"workspace_id": workspace} if workspace else {}
    token = owner.ask("POST", "/api/pairing/token", wish).data["token"]
    return str(
        owner.ask("POST", "/api/pairing/exchange", {"pairing_token": token, "name": name}).data["device_id"]
    )


def member(console: Console, name: str) -> Locator:
    return console.page.locator("[data-member]", has_text=name)


def answer(console: Console, button: str) -> str:
    """Says yes to the question that is asked; gives its words."""
    dialog = console.page.get_by_role("dialog")
    words = dialog.inner_text()
    dialog.get_by_role("button", name=button).click()
    return words


def test_a_workspace_is_made_renamed_chosen_and_deleted(opened: Opened, ada: Caller) -> None:
    console = opened()
    page = console.page
    console.open("/workspaces")
    page.get_by_role("button", name="New workspace").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Yard")
    answer(console, "Make the workspace")
    expect(page.locator("h1")).to_have_text("Yard")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Back yard")
    answer(console, "Save")
    expect(page.locator("h1")).to_have_text("Back yard")
    made = page.url.rpartition("/")[2]
    model = brought(ada, "yard eyes", workspace_id=made)
    page.get_by_label("Show what is in").select_option("Back yard")
    page.get_by_role("link", name="Models").click()
    expect(page.locator("[data-model] strong")).to_have_text(["yard eyes"])
    page.get_by_role("link", name="Devices").click()
    expect(page.locator(".empty")).to_be_visible()
    console.open(f"/workspaces/{made}")
    expect(page.get_by_label("Show what is in")).to_have_value(made)
    page.get_by_role("button", name="Delete").click()
    answer(console, "Delete")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "There are still devices or models in it."
    )
    ada.ask("DELETE", f"/api/models/{model['id']}")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("h1")).to_have_text("Workspaces")
    expect(page.get_by_text("Back yard")).to_have_count(0)
    assert ada.ask("GET", f"/api/workspaces/{made}").status == 404


def test_somebody_is_invited_by_a_link_that_is_shown_once(
    opened: Opened, server: Server, ada: Caller
) -> None:
    guest = server.person("guest")
    made = ada.ask("POST", "/api/workspaces", {"name": "Club"}).data["id"]
    console = opened(permissions=["clipboard-read", "clipboard-write"])
    page = console.page
    console.open(f"/workspaces/{made}")
    for email, role in (("nobody@example.org", "Member"), ("guest@example.org", "Admin")):
        page.get_by_role("button", name="Invite somebody").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("E-mail address").fill(email)
        dialog.get_by_role("radio", name=re.compile(f"^{role}")).check()
        dialog.get_by_role("button", name="Make the link").click()
        link = dialog.locator(".copy-text").inner_text()
        server.evidence.secret(link.partition("#")[2], "an invitation")
        dialog.get_by_role("button", name="Copy").click()
        expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == link
        assert console.violations() == []
        dialog.get_by_role("button", name="I have kept it").click()
        expect(dialog).to_have_count(0)
        assert link not in page.content()
    page.get_by_role("button", name="Withdraw the invitation of nobody@example.org").click()
    assert "good for nothing" in answer(console, "Withdraw")
    expect(page.get_by_text("nobody@example.org")).to_have_count(0)
    token = re.sub("^.*#", "", link)
    assert guest.ask("POST", "/api/invitations/accept", {"token": token}).data["role"] == "admin"
    page.reload()
    expect(member(console, "guest").get_by_role("combobox")).to_have_value("admin")


def test_a_role_is_changed_after_it_was_asked_and_a_member_is_removed(
    opened: Opened, server: Server, ada: Caller, bob: Caller
) -> None:
    made = joined(server, ada, bob, "Team")
    console = opened()
    page = console.page
    console.open(f"/workspaces/{made}")
    console.picture("workspace")
    page.get_by_label("Role of bob").select_option("Owner")
    words = answer(console, "Cancel")
    assert "Also makes owners, and can delete the workspace." in words
    expect(page.get_by_label("Role of bob")).to_have_value("member")
    page.get_by_label("Role of bob").select_option("Owner")
    answer(console, "Change the role")
    expect(page.get_by_label("Role of bob")).to_have_value("owner")
    # One of two owners may be something else.
    expect(page.get_by_label("Role of ada")).to_be_visible()
    page.get_by_role("button", name="Remove bob").click()
    console.picture("member-remove")
    words = answer(console, "Remove")
    for said in ("ends at once", "worthless", "Devices stay with the workspace"):
        assert said in words
    expect(member(console, "bob")).to_have_count(0)
    assert bob.ask("GET", f"/api/workspaces/{made}").status == 404


def test_the_last_owner_is_told_why_they_stay(
    opened: Opened, server: Server, ada: Caller, bob: Caller
) -> None:
    made = joined(server, ada, bob, "Alone", "admin")
    console = opened()
    console.open(f"/workspaces/{made}")
    mine = member(console, "ada")
    expect(mine).to_contain_text("The last owner stays: make somebody else an owner first")
    expect(mine.get_by_role("button")).to_have_count(0)
    expect(mine.get_by_role("combobox")).to_have_count(0)
    # Who was the only one without this page knowing it is told by the server.
    ada.ask(
        "PATCH",
        f"/api/workspaces/{made}/members/{bob.ask('GET', '/api/auth/me').data['sub']}",
        {"role": "owner"},
    )
    console.open(f"/workspaces/{made}")
    me = bob.ask("GET", "/api/auth/me").data["sub"]
    ada.ask("PATCH", f"/api/workspaces/{made}/members/{me}", {"role": "member"})
    member(console, "ada").get_by_role("button", name="Leave").click()
    answer(console, "Leave")
    expect(console.page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "A workspace has an owner."
    )


def test_a_member_is_offered_what_members_may_do_and_can_leave(
    opened: Opened, server: Server, ada: Caller, bob: Caller
) -> None:
    made = joined(server, bob, ada, "Bob's place")
    device = paired(bob, "Bob's gate", made)
    brought(bob, "bob's eyes", workspace_id=made)
    console = opened()
    page = console.page
    console.open(f"/workspaces/{made}")
    assert "Admins change them." in console.text
    for name in ("Rename", "Delete", "Invite somebody", "Remove bob"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_text("Invitations")).to_be_hidden()
    expect(page.locator("#main").get_by_role("combobox")).to_have_count(0)
    assert console.violations() == []
    console.open(f"/devices/{device}")
    for name in ("Edit", "Unpair", "Move"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    console.open("/models")
    row = page.locator("[data-model]", has_text="bob's eyes")
    expect(row.get_by_role("button")).to_have_text(["Load"])
    page.get_by_label("Show what is in").select_option("Bob's place")
    expect(page.get_by_role("button", name="Upload a model")).to_have_count(0)
    console.open(f"/workspaces/{made}")
    page.get_by_role("button", name="Leave").click()
    assert "Only an invitation brings you back." in answer(console, "Leave")
    expect(page.locator("h1")).to_have_text("Workspaces")
    assert ada.ask("GET", f"/api/devices/{device}").status == 404


def test_an_admin_makes_no_owners_and_removes_none(
    opened: Opened, server: Server, ada: Caller, bob: Caller
) -> None:
    made = joined(server, bob, ada, "Bob's shop", "admin")
    console = opened()
    page = console.page
    console.open(f"/workspaces/{made}")
    expect(member(console, "bob").get_by_role("button")).to_have_count(0)
    expect(member(console, "bob").get_by_role("combobox")).to_have_count(0)
    assert page.get_by_label("Role of ada").locator("option").all_inner_texts() == ["Member", "Admin"]
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    expect(page.get_by_role("button", name="Rename")).to_be_visible()
    page.get_by_label("Role of ada").select_option("Member")
    assert "You may not be able to take it back." in answer(console, "Change the role")
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)


def test_a_device_moves_to_another_workspace(
    opened: Opened, server: Server, ada: Caller, bob: Caller
) -> None:
    made = joined(server, ada, bob, "Hall")
    device = paired(ada, "Mover")
    console = opened()
    page = console.page
    console.open(f"/devices/{device}")
    page.get_by_role("button", name="Move").click()
    dialog = page.get_by_role("dialog")
    assert "Personal workspace" not in dialog.get_by_label("To").inner_text()
    dialog.get_by_label("To").select_option("Hall")
    console.picture("device-move")
    answer(console, "Move")
    expect(page.locator(".facts").filter(has_text="Workspace")).to_contain_text("Hall")
    expect(page.locator(".timeline")).to_contain_text("Moved to another workspace")
    assert bob.ask("GET", f"/api/devices/{device}").data["workspace_id"] == made


def test_a_device_is_added_to_the_workspace_that_is_chosen(opened: Opened, ada: Caller, target: str) -> None:
    made = ada.ask("POST", "/api/workspaces", {"name": "Dock"}).data["id"]
    console = opened()
    page = console.page
    console.open("/")
    page.get_by_label("Show what is in").select_option("Dock")
    page.get_by_role("link", name="Add device").first.click()
    expect(page.locator("#main").get_by_label("Workspace")).to_have_value(made)
    line = console.begin_adding("docked", target)
    token = line.split()[3]
    answered = ada.ask("POST", "/api/pairing/exchange", {"pairing_token": token}).data
    assert ada.ask("GET", f"/api/devices/{answered['device_id']}").data["workspace_id"] == made


def test_who_is_made_an_admin_or_taken_out_sees_it_at_once(
    opened: Opened, server: Server, ada: Caller, bob: Caller
) -> None:
    made = joined(server, bob, ada, "Shifting")
    me = ada.ask("GET", "/api/auth/me").data["sub"]
    console = opened()
    page = console.page
    console.open(f"/workspaces/{made}")
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)
    bob.ask("PATCH", f"/api/workspaces/{made}/members/{me}", {"role": "admin"})
    expect(page.get_by_role("button", name="Rename")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Invite somebody")).to_be_visible()
    bob.ask("DELETE", f"/api/workspaces/{made}/members/{me}")
    expect(page.locator("h1")).to_have_text("There is nothing here", timeout=15_000)
    expect(page.get_by_label("Show what is in").get_by_role("option", name="Shifting")).to_have_count(0)


def test_what_became_of_a_mail_is_said_and_asked_for_again_while_it_is_on_its_way(
    opened: Opened, ada: Caller
) -> None:
    made = ada.ask("POST", "/api/workspaces", {"name": "Mailing"}).data["id"]
    for name in ("first", "second"):
        ada.ask("POST", f"/api/workspaces/{made}/members", {"email": f"{name}@example.org"})
    console = opened()
    page = console.page
    became = [{"mail": "queued"}, {"mail": "sent"}]
    faults = {"mail": "failed", "mail_fault": "mail.example did not take it: 550"}

    def answer(route: Route) -> None:
        found = route.fetch()
        said = found.json()
        second, first = said["data"]["items"]
        first |= became.pop(0) if len(became) > 1 else became[0]
        second |= faults
        route.fulfill(response=found, json=said)

    page.route("**/invitations", answer)
    console.open(f"/workspaces/{made}")
    first, second = (page.locator(".people > li", has_text=f"{name}@") for name in ("first", "second"))
    expect(second).to_contain_text("The mail failed: hand on the link")
    expect(second).to_contain_text("mail.example did not take it: 550")
    expect(first).to_contain_text("Mailed", timeout=15_000)
    assert console.violations() == []
