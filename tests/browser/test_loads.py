"""A load that is watched in the console while things go wrong."""

import os
import signal
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.console import EMAIL, PASSWORD, Console, new_context
from tests.browser.models import brought
from tests.browser.unit import Unit
from tests.e2e.client import Caller
from tests.e2e.evidence import Evidence
from tests.e2e.server import running_server

SIZE = 160 * 1024 * 1024
"""So that there is time to break it."""


def test_a_load_is_followed_through_a_lost_device_and_a_killed_server(
    browser: Browser, unit: Unit, target: str, tmp_path: Path
) -> None:
    with running_server(tmp_path / "server", Evidence()) as server:
        server.run("user", "add", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
        owner = Caller(server.web, server.token(EMAIL, "loads"))
        context = new_context(browser)
        console = Console(context, server.web, None)
        console.sign_in()
        page = console.page
        unit.paste(console.begin_adding("Far away", target))
        console.wait_step("answered")
        model = brought(owner, "long walkers", os.urandom(SIZE))
        page.get_by_role("link", name="Open the device").click()
        load = page.locator(".accelerators > li", has_text="KL720").locator("[data-load]")
        # Somebody else begins it, and it is seen here.
        device = page.url.rpartition("/")[2]
        with owner.stream(
            "POST", f"/api/models/{model['id']}/load-to-device", {"device_id": device}
        ) as answer:
            answer.read(1)
        expect(load).to_contain_text(" of 167.8 MB sent")
        unit.stop()
        expect(load).to_contain_text("The device is away. It goes on when it is back.")
        server.stop(signal.SIGKILL)
        server.start()
        unit.start()
        expect(load.locator(".chip")).to_have_text("Loaded", timeout=40_000)
        assert console.violations() == []
        context.close()
