"""What a newcomer does, from the empty list to a device that comes, shows its camera, goes, and is unpaired."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opened
from tests.browser.console import PASSWORD
from tests.browser.unit import Unit
from tests.e2e.server import Server


def test_a_newcomer_gets_from_nothing_to_a_moving_camera_and_back(
    opened: Opened, server: Server, unit: Unit, target: str
) -> None:
    email = "newcomer@example.org"
    server.run("user", "add", email, "--password-stdin", stdin=PASSWORD + "\n")
    console = opened(storage_state=None)
    page = console.page
    console.sign_in(email=email)
    console.open("/")
    assert "No devices yet" in console.text
    assert "visiona agent pair TOKEN" in console.text
    console.picture("devices-empty")

    line = console.begin_adding("Loading dock", target)
    assert re.fullmatch(
        rf"visiona agent pair vAc_[0-9a-f]{{32}} --relay {console.web} --target {target} && visiona agent run",
        line,
    )
    expect(page.get_by_role("img", name="The same line as a QR code")).to_have_js_property("complete", True)
    expect(page.locator(".time-left")).to_have_text(re.compile(r"1[45]:\d\d"))
    assert "only works on this machine" in console.text
    console.picture("add-line")

    unit.paste(line, "--serial", "DOCK-1")
    console.wait_step("answered")
    assert "Loading dock is here" in console.text
    expect(page.locator(".steps .done")).to_have_count(3)
    console.wait_loaded(".first-picture")
    console.picture("add-done")

    page.get_by_role("link", name="Open the device").click()
    expect(page.locator("h1")).to_have_text("Loading dock")
    console.wait_moving()
    expect(page.locator(".box")).to_have_count(1)
    expect(page.locator(".seen")).to_contain_text("box")
    expect(page.locator(".accelerators > li")).to_have_count(2)
    assert "KL720" in console.text
    console.picture("device")

    unit.stop()
    expect(page.locator(".status-line .chip")).to_have_text("Offline")
    expect(page.locator(".status-line")).to_contain_text("The agent closed the connection")
    expect(page.locator(".timeline > li").first).to_contain_text("Disconnected", timeout=15_000)
    expect(page.locator(".camera-words")).to_be_visible()
    console.picture("device-offline")

    page.get_by_role("link", name="Devices").first.click()
    expect(page.locator(".card.device")).to_contain_text("The agent closed the connection")
    unit.start()
    expect(page.locator(".card.device .chip")).to_have_text("Online")
    console.picture("devices")

    page.get_by_role("link", name="Loading dock").click()
    console.wait_moving()
    page.get_by_role("button", name="Unpair").click()
    dialog = page.get_by_role("dialog")
    assert "Its tunnel closes now" in dialog.inner_text()
    console.picture("unpair")
    dialog.get_by_role("button", name="Unpair").click()
    expect(page.locator(".empty")).to_contain_text("No devices yet")


def test_a_token_that_was_taken_back_says_so_on_the_page_that_offered_it(opened: Opened, target: str) -> None:
    console, other = opened(), opened()
    console.begin_adding("never", target)
    other.open("/pairing")
    other.page.get_by_role("button", name="Revoke").first.click()
    other.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(other.page.locator(".rows").first).to_contain_text("Revoked")
    console.page.reload()
    console.settled()


@pytest.mark.parametrize(
    "wrong",
    ["127.0.0.1:8080", "https://127.0.0.1", "http://a/b", "http://a; rm -rf /", "http://$(id)", "http://a b"],
)
def test_nothing_but_an_address_gets_into_the_line(opened: Opened, wrong: str) -> None:
    console = opened()
    console.open("/devices/new")
    console.page.get_by_label("Local service on the unit").fill(wrong)
    console.page.get_by_role("button", name="Make the line").click()
    expect(console.page.get_by_role("alert")).to_contain_text("http://127.0.0.1:PORT")
    expect(console.page.locator(".copy-text")).to_have_count(0)
