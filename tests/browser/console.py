"""A person at the console: a browser page, and what a person does and sees on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MILLISECONDS = 15_000
LOOK_MILLISECONDS = 50
WIDE, NARROW = (1280, 800), (360, 740)


class Console:
    """One browser window.

    Attributes:
        complaints: what the browser itself found wrong: script errors, violations of the policy.
    """

    def __init__(self, context: BrowserContext, web: str, pictures: Path | None) -> None:
        self.web = web
        self.context = context
        self.complaints: list[str] = []
        self._pictures = pictures
        context.set_default_timeout(WAIT_MILLISECONDS)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("dialog", lambda dialog: self.complaints.append(f"a script said {dialog.message}"))

    def sign_in(self, path: str = "/", email: str = EMAIL) -> None:
        """As a person does who opens a page of the console."""
        self.page.goto(self.web + path)
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector("#main h1")

    def open(self, path: str) -> None:
        """A page, once it shows what it has to show."""
        self.page.goto(self.web + path)
        self.settled()

    def settled(self) -> None:
        self.page.wait_for_selector("#main h1")
        self.page.wait_for_selector("[aria-busy]", state="detached")

    def begin_adding(self, name: str, target: str) -> str:
        """Fills in the form; gives the line to paste."""
        self.open("/devices/new")
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label("Local service on the unit").fill(target)
        self.page.get_by_role("button", name="Make the line").click()
        return self.page.locator(".copy-text").inner_text()

    def wait_step(self, step: str) -> None:
        self.page.wait_for_selector(f".progress[data-step={step}]")

    def wait_moving(self) -> None:
        """Returns when the camera's picture has changed."""
        self.page.wait_for_selector(".picture:not([hidden])")
        before = self.page.evaluate(_PIXELS)
        self.wait_until(lambda: self.page.evaluate(_PIXELS) != before)

    def wait_until(self, is_so: Callable[[], object]) -> None:
        """Looks until it is so. The browser's own waiting for an expression needs `eval`, which the policy forbids."""
        for _ in range(WAIT_MILLISECONDS // LOOK_MILLISECONDS):
            if is_so():
                return
            self.page.wait_for_timeout(LOOK_MILLISECONDS)
        raise AssertionError("it did not come to be")

    def wait_loaded(self, image: str) -> None:
        """Returns when the picture is there."""
        element = self.page.locator(image)
        self.wait_until(lambda: element.evaluate("(image) => image.naturalWidth > 0"))

    @property
    def text(self) -> str:
        return self.page.locator("#main").inner_text()

    def picture(self, name: str, *, whole: bool = True) -> None:
        """For a person to look at, where one asked for pictures."""
        if self._pictures is not None:
            self.page.screenshot(path=self._pictures / f"{name}.png", full_page=whole)

    def violations(self) -> list[str]:
        """What axe-core finds on the page as it is."""
        found: Any = Axe().run(self.page, options={"resultTypes": ["violations"]}).response
        return [
            f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def _note(self, message: ConsoleMessage) -> None:
        # A request that was refused, or broken off with its device, is noted as an error too; that is no fault.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)


_PIXELS = """() => {
  const image = document.querySelector(".picture");
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL();
}"""


def new_context(browser: Browser, size: tuple[int, int] = WIDE, **options: Any) -> BrowserContext:
    """A browser window with nothing in it."""
    width, height = size
    return browser.new_context(
        viewport={"width": width, "height": height}, locale=options.pop("locale", "en"), **options
    )
