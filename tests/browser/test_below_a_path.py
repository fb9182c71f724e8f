"""The console below a path of a reverse proxy, from signing in to a live event."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.below_a_path import below_a_path
from tests.browser.console import EMAIL, PASSWORD, Console, new_context
from tests.e2e.client import Caller
from tests.e2e.evidence import Evidence
from tests.e2e.server import running_server


def bring_a_model(console: Console, file: Path) -> None:
    """By the page, and back again."""
    file.write_bytes(b"a model")
    page = console.page
    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="Upload a model").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File", exact=True).set_input_files(file)
    dialog.get_by_label("KL720").check()
    dialog.get_by_role("button", name="Upload", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download eyes 1").click()
    assert Path(download.value.path()).read_bytes() == b"a model"


def test_the_console_works_below_a_path(browser: Browser, tmp_path: Path) -> None:
    with below_a_path("/visiona") as proxy:
        public = f"http://127.0.0.1:{proxy.port}/visiona"
        with running_server(tmp_path / "server", Evidence(), f"web.public_url={public}") as server:
            host, _, port = server.web.removeprefix("http://").partition(":")
            proxy.lead_to(host, int(port))
            server.run("user", "add", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
            owner = Caller(server.web, server.token(EMAIL, "api"))
            context = new_context(browser)
            console = Console(context, public, None)
            console.sign_in("/devices/new")
            assert console.page.url == f"{public}/devices/new"
            line = console.begin_adding("below", "http://127.0.0.1:8080")
            assert f"--relay {public} " in line
            token = line.split()[3]
            owner.ask("POST", "/api/pairing/exchange", {"pairing_token": token})
            console.wait_step("redeemed")
            console.page.get_by_role("link", name="Pairing").click()
            console.page.get_by_role("link", name="below").first.click()
            expect(console.page.locator("h1")).to_have_text("below")
            console.page.reload()
            expect(console.page.locator("h1")).to_have_text("below")
            bring_a_model(console, tmp_path / "eyes.nef")
            console.page.get_by_role("link", name="Settings").click()
            console.page.get_by_role("link", name="Personal workspace").click()
            expect(console.page.locator("h1")).to_have_text("Personal workspace")
            console.page.goto(f"{public}/nothing/at/all")
            console.page.get_by_role("link", name="To your devices").click()
            console.settled()
            assert console.page.url == f"{public}/"
            assert console.complaints == []
            assert proxy.outside == []
            context.close()
