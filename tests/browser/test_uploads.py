"""Uploads in the console that do not go straight: connections that break, links that age, and refusals."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.browser.conftest import Opened
from tests.browser.console import EMAIL, PASSWORD, Console, new_context
from tests.browser.models import brought
from tests.e2e.client import Caller
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server

MIB = 1024 * 1024


def file_of(folder: Path, name: str, size: int) -> Path:
    path = folder / f"{name}.nef"
    path.write_bytes(os.urandom(size))
    return path


def upload(console: Console, path: Path, version: str = "1") -> Locator:
    """Begins; gives the line of this upload."""
    page = console.page
    console.open("/models")
    page.get_by_role("button", name="Upload a model").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File", exact=True).set_input_files(path)
    dialog.get_by_label("Version").fill(version)
    dialog.get_by_label("KL720").check()
    dialog.get_by_role("button", name="Upload", exact=True).click()
    return page.locator(".uploads > li", has_text=path.stem)


def ranges(console: Console) -> list[str]:
    """Which bytes are sent from now on."""
    sent: list[str] = []
    console.page.on(
        "request", lambda one: sent.append(one.headers["content-range"]) if "/storage/" in one.url else None
    )
    return sent


def failing(times: int, status: int | None = None) -> Callable[[Route], None]:
    """What breaks the connection under the second request and those after it, so often."""
    seen: list[Route] = []

    def handle(route: Route) -> None:
        seen.append(route)
        if not 1 < len(seen) <= 1 + times:
            route.continue_()
        elif status is None:
            route.abort("connectionreset")
        else:
            route.fulfill(status=status, json={"success": False, "error": {"code": "X", "message": "x"}})

    return handle


def test_a_connection_that_breaks_is_waited_for_and_the_rest_is_sent(opened: Opened, tmp_path: Path) -> None:
    console = opened()
    page = console.page
    path = file_of(tmp_path, "broken line", 17 * MIB)
    size = path.stat().st_size
    sent = ranges(console)
    away = {"from": 3}

    def lose_the_third(route: Route) -> None:
        if len(sent) >= away["from"]:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/storage/**", lose_the_third)
    line = upload(console, path)
    expect(line).to_contain_text("Waiting for the server; goes on from 8.4 MB of 17.8 MB")
    away["from"] = 1000
    expect(page.get_by_role("button", name="Load broken line 1")).to_be_visible()
    expect(line).to_have_count(0)
    first, second = f"bytes 0-{8 * MIB - 1}/{size}", f"bytes {8 * MIB}-{16 * MIB - 1}/{size}"
    assert sent.count(second) > 1
    assert list(dict.fromkeys(sent)) == [
        f"bytes */{size}",
        first,
        second,
        f"bytes {16 * MIB}-{size - 1}/{size}",
    ]
    assert sent.count(first) == 1


def test_a_link_that_has_aged_is_asked_for_anew(opened: Opened, tmp_path: Path) -> None:
    console = opened()
    console.page.route("**/storage/**", failing(1, 403))
    upload(console, file_of(tmp_path, "aged", MIB))
    row = console.page.locator("[data-model]", has_text="aged")
    expect(row.get_by_role("button", name="Load aged 1")).to_be_visible()


def test_who_may_not_bring_anything_is_not_asked_for_ever(opened: Opened, tmp_path: Path) -> None:
    console = opened()
    refusal = {"success": False, "error": {"code": "FORBIDDEN", "message": "no"}}
    console.page.route("**/storage/**", lambda route: route.fulfill(status=403, json=refusal))
    line = upload(console, file_of(tmp_path, "forbidden", MIB))
    expect(line.get_by_role("alert")).to_contain_text("You may not do this.")


def test_another_file_of_the_same_version_is_refused_with_the_reason(
    opened: Opened, server: Server, tmp_path: Path
) -> None:
    brought(Caller(server.web, server.token(EMAIL, "twice")), "twice")
    console = opened()
    line = upload(console, file_of(tmp_path, "twice", MIB))
    expect(line.get_by_role("alert")).to_contain_text("Give yours another version.")
    assert console.violations() == []
    console.picture("upload-refused")
    line.get_by_role("button", name="Cancel the upload of twice").click()
    expect(line).to_have_count(0)
    expect(upload(console, file_of(tmp_path, "twice", MIB), version="2")).to_have_count(0)
    expect(console.page.locator("[data-model]", has_text="twice")).to_have_count(2)


def test_a_file_that_is_changed_under_way_is_not_sent(opened: Opened, tmp_path: Path) -> None:
    console = opened()
    path = file_of(tmp_path, "changing", MIB)
    held: list[Route] = []
    console.page.route("**/storage/**", lambda route: route.continue_() if held else held.append(route))
    line = upload(console, path)
    console.wait_until(lambda: held)
    path.write_bytes(b"another")
    held[0].continue_()
    expect(line.get_by_role("alert")).to_contain_text("It was changed, moved or deleted")


def test_what_arrives_otherwise_than_it_was_announced_is_begun_anew(opened: Opened, tmp_path: Path) -> None:
    console = opened()
    page = console.page
    path = file_of(tmp_path, "garbled", MIB)

    def garble(route: Route) -> None:
        body = route.request.post_data_buffer
        route.continue_(post_data=bytes(MIB) if body else None)

    page.route("**/storage/**", garble)
    line = upload(console, path)
    expect(line.get_by_role("alert")).to_contain_text("the server threw it away")
    page.unroute("**/storage/**")
    line.get_by_role("button", name="Try again").click()
    expect(
        page.locator("[data-model]", has_text="garbled").get_by_role("button", name="Load")
    ).to_be_visible()


def test_where_files_are_in_an_object_store_the_command_is_named(opened: Opened, tmp_path: Path) -> None:
    console = opened()

    def elsewhere(route: Route) -> None:
        answer = route.fetch()
        said = answer.json()
        said["data"] |= {"resumable": False, "upload_url": "https://bucket.example/models/1"}
        route.fulfill(response=answer, json=said)

    console.page.route("**/api/models/init", elsewhere)
    line = upload(console, file_of(tmp_path, "far", MIB))
    expect(line.get_by_role("alert")).to_contain_text("visiona model push FILE --chip KL720")


def test_nothing_is_uploaded_for_whom_nobody_is_signed_in_any_more(opened: Opened, tmp_path: Path) -> None:
    console = opened()
    page = console.page
    page.route("**/api/models/init", lambda route: route.fulfill(status=401, json={"success": False}))
    upload(console, file_of(tmp_path, "nobody", MIB))
    expect(page.locator("h1")).to_have_text("Your session has ended")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with little room."""
    limits = ("storage.max_file_bytes=3000000", "storage.quota_bytes=4000000")
    with running_server(tmp_path_factory.mktemp("small"), Evidence(), *limits) as server:
        server.run("user", "add", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
        yield server


@pytest.fixture(scope="module")
def cramped(browser: Browser, small: Server) -> Iterator[Console]:
    context: Any = new_context(browser)
    console = Console(context, small.web, None)
    console.sign_in()
    yield console
    assert console.complaints == []
    context.close()


@pytest.mark.parametrize(
    ("name", "size", "words", "again"),
    [
        ("too large", 3_000_001, "larger than this server takes", 0),
        ("one too many", 2_000_001, "There is no room: the workspace's share is used up", 1),
    ],
)
def test_what_the_server_has_no_room_for_is_refused_before_it_is_sent(
    cramped: Console, small: Server, tmp_path: Path, name: str, size: int, words: str, again: int
) -> None:
    owner = Caller(small.web, small.token(EMAIL, name))
    if not owner.ask("GET", "/api/models").data:
        brought(owner, "first", os.urandom(2_000_000))
    sent = ranges(cramped)
    line = upload(cramped, file_of(tmp_path, name, size))
    expect(line.get_by_role("alert")).to_contain_text(words)
    expect(line.get_by_role("button", name="Try again")).to_have_count(again)
    assert sent == []
    line.get_by_role("button", name=f"Cancel the upload of {name}").click()
