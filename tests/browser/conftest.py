"""Fixtures of the browser tests: the system's Chromium, one server, one unit; skipped, visibly, without a Chromium."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.console import EMAIL, FLAGS, PASSWORD, WAIT_MILLISECONDS, Console, new_context
from tests.browser.unit import Unit, sample_service
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 300

Opened = Callable[..., Console]

expect.set_options(timeout=WAIT_MILLISECONDS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pictures", type=Path, default=None, help="put a picture of each page into this folder"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(SECONDS))


# Of this package and not of the whole run: while it is there, its own event loop counts as running in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    folder: Path | None = request.config.getoption("--pictures", default=None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), Evidence()) as server:
        server.run("user", "add", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
        yield server


@pytest.fixture(scope="package")
def signed_in(browser: Browser, server: Server) -> Any:
    """The cookies of somebody who signed in."""
    context = new_context(browser)
    console = Console(context, server.web, None)
    console.sign_in()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def opened(browser: Browser, server: Server, signed_in: Any, pictures: Path | None) -> Iterator[Opened]:
    """Opens a window in which somebody is signed in; at the end no window may have anything to complain of."""
    with ExitStack() as windows:
        consoles: list[Console] = []

        def open_window(*size: int, **options: Any) -> Console:
            context = new_context(browser, size or (1280, 800), **{"storage_state": signed_in, **options})
            windows.callback(context.close)
            consoles.append(Console(context, server.web, pictures))
            return consoles[-1]

        yield open_window
        assert [console.complaints for console in consoles if console.complaints] == []


@pytest.fixture(scope="package")
def target() -> Iterator[str]:
    """The address of a unit's own service."""
    with sample_service() as address:
        yield address


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    unit = Unit(tmp_path)
    yield unit
    unit.stop()
