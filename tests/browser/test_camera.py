"""The camera of a device that is online: moving, still, none, and only while somebody looks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opened
from tests.browser.console import Console
from tests.browser.unit import Unit
from tests.e2e.client import Caller, until
from tests.e2e.server import Server


@pytest.fixture(scope="module")
def owner(server: Server) -> Caller:
    return Caller(server.web, server.token("ada@example.org", "camera"))


@pytest.fixture(scope="module")
def device(
    owner: Caller, server: Server, target: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A device that is online; gives its page's path."""
    folder: Path = tmp_path_factory.mktemp("camera")
    unit = Unit(folder)
    token = owner.ask("POST", "/api/pairing/token", {"name": "watched"}).data["token"]
    unit.paste(f"visiona agent pair {token} --relay {server.web} --target {target} && visiona agent run")

    def found() -> str | None:
        return next(
            (one["id"] for one in owner.ask("GET", "/api/devices").data if one["tunnel_online"]), None
        )

    until(lambda: found() is not None, "the device is online", 15)
    device_id = found()
    yield f"/devices/{device_id}"
    unit.stop()
    owner.ask("POST", f"/api/devices/{device_id}/unpair")


def moves(console: Console) -> bool:
    return bool(console.page.locator(".stage").get_attribute("data-moving") == "true")


def test_who_asked_for_little_motion_gets_a_still_until_they_press_play(opened: Opened, device: str) -> None:
    console = opened(reduced_motion="reduce")
    console.open(device)
    console.wait_loaded(".picture")
    assert not moves(console)
    console.page.get_by_role("button", name="Play").click()
    console.wait_moving()
    console.page.get_by_role("button", name="Pause").click()
    expect(console.page.locator(".box")).to_have_count(0)


def test_without_a_stream_stills_follow_each_other(opened: Opened, device: str) -> None:
    console = opened()
    console.page.route("**/api/camera/stream", lambda route: route.fulfill(status=404))
    console.open(device)
    console.wait_moving()


def test_without_a_camera_the_page_says_so_and_the_rest_is_there(opened: Opened, device: str) -> None:
    console = opened()
    console.page.route("**/api/camera/**", lambda route: route.fulfill(status=404))
    console.open(device)
    expect(console.page.locator(".camera-words")).to_have_text("No camera answers on this device.")
    expect(console.page.locator(".accelerators > li")).to_have_count(2)
    assert console.violations() == []


def test_leaving_the_page_ends_what_came_through_the_tunnel(
    opened: Opened, device: str, server: Server
) -> None:
    console = opened()
    console.open(device)
    console.wait_moving()
    ended = len(server.lines("path=" + device.replace("/devices", "/api/devices"), "camera/stream"))
    console.page.get_by_role("link", name="Pairing").click()
    console.settled()
    until(
        lambda: len(server.lines("/api" + device, "camera/stream")) > ended,
        "the stream has its access line",
        5,
    )


def test_a_rename_is_seen_in_another_window_at_once(opened: Opened, device: str) -> None:
    here, there = opened(), opened()
    here.open(device)
    there.open("/")
    here.page.get_by_role("button", name="Edit").click()
    here.page.get_by_label("Name", exact=True).fill("watched well")
    here.page.get_by_role("textbox", name="Tags").fill("hall-2, north，dock")
    here.page.get_by_role("button", name="Save").click()
    expect(here.page.locator("h1")).to_have_text("watched well")
    card = there.page.locator(".card.device", has_text="watched well")
    expect(card.locator(".tags li")).to_have_text(["hall-2", "north", "dock"])


def test_h24_the_picture_cannot_be_embedded_by_another_site(owner: Caller, device: str) -> None:
    path = f"/api{device}/proxy/api/camera/snapshot"
    answer = owner.ask("GET", path)
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
