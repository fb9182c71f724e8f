"""The audit log in the console: read, narrowed, paged and exported."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opened
from tests.browser.console import EMAIL
from tests.browser.models import announced, brought
from tests.browser.test_workspaces import joined, paired
from tests.e2e.client import Caller
from tests.e2e.server import Server


@pytest.fixture(scope="module")
def ada(server: Server) -> Caller:
    return Caller(server.web, server.token(EMAIL, "activity"))


@pytest.fixture(scope="module")
def workspace(server: Server, ada: Caller) -> str:
    """One in which two people did things."""
    eve = server.person("eve")
    made = joined(server, ada, eve, "Watched", "admin")
    brought(eve, "<img src=x onerror=alert(1)>", workspace_id=made)
    device = paired(ada, "Watched gate", made)
    ada.ask("PATCH", f"/api/devices/{device}", {"name": "Watched door"})
    for number in range(60):
        announced(ada, f"many {number}", b"x", workspace_id=made)
    return made


def test_the_log_is_narrowed_and_cleared(opened: Opened, workspace: str) -> None:
    console = opened()
    page = console.page
    console.open("/activity")
    page.get_by_label("Show what is in").select_option("Watched")
    lines = page.locator(".timeline > li")
    expect(lines).to_have_count(50)
    page.get_by_label("What", exact=True).select_option("Model uploaded")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("<img src=x onerror=alert(1)>")
    expect(lines).to_contain_text("eve@example.org · with an access token")
    page.get_by_label("Who").select_option(EMAIL)
    expect(page.get_by_text("Nothing was done that fits.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Device").select_option("Watched door")
    expect(lines.locator("strong")).to_have_text(["Device changed", "Device paired"])
    expect(lines.last.get_by_role("link")).to_have_text("Watched door")
    page.get_by_label("Who").select_option("eve@example.org")
    expect(page.get_by_text("Nothing was done that fits.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    today = datetime.now(UTC).date()
    page.get_by_label("To").fill((today - timedelta(days=2)).isoformat())
    expect(page.get_by_text("Nothing was done that fits.")).to_be_visible()
    page.get_by_label("To").fill((today + timedelta(days=1)).isoformat())
    expect(lines).to_have_count(50)
    assert console.violations() == []


def test_older_lines_are_added_below(opened: Opened, workspace: str) -> None:
    console = opened()
    page = console.page
    console.open("/activity")
    page.get_by_label("Show what is in").select_option("Watched")
    lines = page.locator(".timeline > li")
    expect(lines).to_have_count(50)
    page.get_by_role("button", name="Show older").click()
    console.wait_until(lambda: lines.count() > 60)
    # The focus goes on where the new lines begin.
    assert page.evaluate("document.activeElement.matches('.timeline > li:nth-child(51)')")
    expect(lines.last).to_contain_text("Workspace made")
    expect(page.get_by_role("button", name="Show older")).to_have_count(0)


def test_what_is_shown_is_exported(opened: Opened, workspace: str) -> None:
    console = opened()
    page = console.page
    console.open("/activity")
    page.get_by_label("Show what is in").select_option("Watched")
    page.get_by_label("What", exact=True).select_option("Member joined")
    expect(page.locator(".timeline > li")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export NDJSON").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["deed"] for line in lines] == ["member_joined"]
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == 2


def test_what_happens_appears_by_itself(opened: Opened, workspace: str, ada: Caller) -> None:
    console = opened()
    page = console.page
    console.open("/activity")
    page.get_by_label("Show what is in").select_option("Watched")
    expect(page.locator(".timeline > li")).to_have_count(50)
    device = paired(ada, "Newcomer", workspace)
    ada.ask("PATCH", f"/api/devices/{device}", {"tags": ["new"]})
    expect(page.locator(".timeline > li").first).to_contain_text("Device changed")


def test_who_did_nothing_of_note_in_others_workspaces_sees_what_they_did(
    opened: Opened, server: Server, ada: Caller
) -> None:
    host = server.person("host")
    made = joined(server, host, ada, "Elsewhere")
    brought(host, "not for ada's log", workspace_id=made)
    console = opened()
    console.open("/activity")
    console.page.get_by_label("Show what is in").select_option("Elsewhere")
    expect(console.page.locator(".timeline > li strong")).to_have_text(["Member joined"])
