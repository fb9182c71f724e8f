"""Models in the console: found, brought, taken, deleted, and loaded onto a device."""

import hashlib
import os
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Opened
from tests.browser.console import EMAIL, Console
from tests.browser.models import announced, brought
from tests.browser.unit import Unit
from tests.e2e.client import Caller
from tests.e2e.server import Server

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def owner(server: Server) -> Caller:
    return Caller(server.web, server.token(EMAIL, "models"))


def choose_file(console: Console, path: Path, chip: str = "KL720") -> None:
    """As a person does who uploads it."""
    page = console.page
    console.open("/models")
    page.get_by_role("button", name="Upload a model").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File", exact=True).set_input_files(path)
    dialog.get_by_label(chip).check()
    dialog.get_by_role("button", name="Upload", exact=True).click()


def test_a_model_is_brought_taken_and_deleted(opened: Opened, owner: Caller, tmp_path: Path) -> None:
    console = opened()
    page = console.page
    content = os.urandom(9 * MIB + 17)
    file = tmp_path / "faces.nef"
    file.write_bytes(content)
    choose_file(console, file)
    row = page.locator("[data-model]", has_text="faces")
    expect(row).to_contain_text("9.4 MB")
    expect(page.locator(".uploads > li")).to_have_count(0)
    known = next(one for one in owner.ask("GET", "/api/models").data if one["name"] == "faces")
    assert (known["status"], known["sha256"]) == ("ready", hashlib.sha256(content).hexdigest())
    with page.expect_download() as download:
        row.get_by_role("link", name="Download faces 1").click()
    assert download.value.suggested_filename == "faces-1.nef"
    assert Path(download.value.path()).read_bytes() == content
    row.get_by_role("button", name="Delete faces 1").click()
    assert "Accelerators on which it runs go on running it." in page.get_by_role("dialog").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert owner.ask("GET", f"/api/models/{known['id']}").status == 404


def test_an_upload_goes_on_while_other_pages_are_shown(opened: Opened, owner: Caller, tmp_path: Path) -> None:
    brought(owner, "standing")
    console = opened()
    page = console.page
    file = tmp_path / "gates.nef"
    file.write_bytes(os.urandom(MIB))
    held: list[Route] = []
    page.route("**/storage/**", lambda route: route.continue_() if held else held.append(route))
    choose_file(console, file)
    expect(page.locator(".uploads > li")).to_contain_text("gates")
    page.get_by_role("link", name="Devices").click()
    expect(page.locator("h1")).to_have_text("Devices")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".uploads > li")).to_contain_text("Uploading: 0 byte of 1 MB")
    page.get_by_role("link", name="Download standing 1").focus()
    console.wait_until(lambda: held)
    held[0].continue_()
    expect(page.get_by_role("button", name="Load gates 1")).to_be_visible()
    # The list is another one now; whoever is in it stays where they are.
    expect(page.get_by_role("link", name="Download standing 1")).to_be_focused()


def test_filters_combine(opened: Opened, owner: Caller) -> None:
    brought(owner, "small eyes", target_chips=["KL520"])
    brought(owner, "big eyes", target_chips=["KL720", "KL730"], source="converted")
    brought(owner, "big ears", target_chips=["KL730"])
    console = opened()
    page = console.page
    console.open("/models")
    page.get_by_role("searchbox").fill("eyes")
    expect(page.locator("[data-model]")).to_have_count(2)
    page.get_by_label("Chip").select_option("KL730")
    expect(page.locator("[data-model] strong")).to_have_text(["big eyes"])
    page.get_by_role("searchbox").fill("")
    expect(page.locator("[data-model] strong")).to_have_text(["big ears", "big eyes"])
    page.get_by_label("Source").select_option("converted")
    expect(page.locator("[data-model] strong")).to_have_text(["big eyes"])
    expect(page.get_by_text("1 model", exact=True)).to_be_visible()


def test_a_newcomer_is_shown_the_next_step(opened: Opened, server: Server) -> None:
    made = (
        Caller(server.web, server.token(EMAIL, "empty")).ask("POST", "/api/workspaces", {"name": "Bare"}).data
    )
    console = opened()
    console.open("/models")
    console.page.get_by_label("Show what is in").select_option("Bare")
    expect(console.page.locator(".empty")).to_contain_text("visiona model push FILE --chip KL720")
    assert console.violations() == []
    console.picture("models-empty")
    Caller(server.web, server.token(EMAIL, "bare")).ask("DELETE", f"/api/workspaces/{made['id']}")


def test_a_model_is_loaded_onto_the_accelerator_it_is_made_for(
    opened: Opened, owner: Caller, unit: Unit, target: str
) -> None:
    console = opened()
    page = console.page
    unit.paste(console.begin_adding("Loader", target))
    console.wait_step("answered")
    model = brought(owner, "walkers", os.urandom(3 * MIB))
    console.open("/models")
    page.get_by_role("button", name="Load walkers 1 onto a device").click()
    dialog = page.get_by_role("dialog")
    misfit = dialog.locator(".choice", has_text="Loader").filter(has_text="KL520")
    expect(misfit).to_contain_text("Not for this one: its chip is KL520.")
    expect(misfit.get_by_role("radio")).to_be_disabled()
    dialog.locator(".choice", has_text="Loader").filter(has_text="KL720").get_by_role("radio").check()
    assert console.violations() == []
    console.picture("load-choice")
    dialog.get_by_role("button", name="Load", exact=True).click()
    expect(dialog.locator(".load .chip")).to_have_text("Loaded")
    assert console.violations() == []
    console.picture("load-done")
    dialog.get_by_role("link", name="Open the device").click()
    expect(page.locator(".accelerators [data-load]")).to_contain_text("walkers")
    expect(page.locator(".accelerators > li", has_text="KL720")).to_contain_text("Loaded")
    owner.ask("DELETE", f"/api/models/{model['id']}")


def test_a_load_is_chosen_on_the_device_seen_to_wait_and_cancelled(
    opened: Opened, owner: Caller, unit: Unit, target: str
) -> None:
    console = opened()
    page = console.page
    unit.paste(console.begin_adding("Waiter", target))
    console.wait_step("answered")
    brought(owner, "slow walkers", os.urandom(64 * MIB))
    page.get_by_role("link", name="Open the device").click()
    accelerator = page.locator(".accelerators > li", has_text="KL720")
    accelerator.get_by_role("button", name="Load a model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Model").select_option(label="slow walkers 1 · 67.1 MB")
    dialog.get_by_role("button", name="Load", exact=True).click()
    load = accelerator.locator("[data-load]")
    expect(load).to_contain_text("Sending")
    load.get_by_role("button", name="Cancel loading slow walkers").click()
    expect(load).to_contain_text("Cancelled")
    expect(load.locator(".chip")).to_have_text("Failed")
    expect(load.get_by_role("button")).to_be_hidden()


def test_a_model_without_its_file_says_so_and_how_to_go_on(
    opened: Opened, owner: Caller, tmp_path: Path
) -> None:
    content = os.urandom(2 * MIB)
    said = announced(owner, "half", content)
    link = said["upload_url"]
    part = {"Content-Range": f"bytes 0-{MIB - 1}/{len(content)}"}
    Caller(owner.web, None).ask("PUT", link[link.index("/storage/") :], content[:MIB], headers=part)
    file = tmp_path / "anything.nef"
    file.write_bytes(content)
    console = opened()
    page = console.page
    console.open("/models")
    row = page.locator("[data-model]", has_text="half")
    expect(row).to_contain_text("File missing")
    expect(row.get_by_role("button", name="Load half 1")).to_have_count(0)
    sent: list[str] = []
    page.on(
        "request", lambda one: sent.append(one.headers["content-range"]) if "/storage/" in one.url else None
    )
    row.get_by_role("button", name="Continue the upload of half 1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("KL720")).to_be_checked()
    dialog.get_by_label("File", exact=True).set_input_files(file)
    dialog.get_by_role("button", name="Upload", exact=True).click()
    expect(row.get_by_role("button", name="Load half 1")).to_be_visible()
    # What had come was not sent again.
    assert sent == [f"bytes */{len(content)}", f"bytes {MIB}-{len(content) - 1}/{len(content)}"]


def test_many_models_are_shown_a_part_at_a_time(opened: Opened, server: Server, owner: Caller) -> None:
    made = owner.ask("POST", "/api/workspaces", {"name": "Many"}).data["id"]
    for number in range(500):
        announced(owner, f"model {number}", b"x", workspace_id=made)
    console = opened()
    page = console.page
    console.open("/models")
    page.get_by_label("Show what is in").select_option("Many")
    rows = page.locator("[data-model]")
    expect(rows).to_have_count(100)
    expect(page.get_by_text("500 models")).to_be_visible()
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(200)
    page.get_by_role("searchbox").fill("77 model")
    expect(rows).to_have_count(5)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(100)


def test_a_model_is_found_and_deleted_by_keyboard_alone(opened: Opened, owner: Caller) -> None:
    brought(owner, "by keyboard")
    console = opened()
    page = console.page
    console.open("/models")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("by keyboard")
    expect(page.locator("[data-model]")).to_have_count(1)
    passed = []
    for _ in range(8):
        page.keyboard.press("Tab")
        passed.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
        if passed[-1] == "Delete by keyboard 1":
            break
    assert passed[-4:] == [
        "Details",
        "Load by keyboard 1 onto a device",
        "Download by keyboard 1",
        "Delete by keyboard 1",
    ]
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Delete")
    page.keyboard.press("Enter")
    expect(page.locator("[data-model]")).to_have_count(0)
