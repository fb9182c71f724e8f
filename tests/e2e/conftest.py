"""Fixtures of the end-to-end tests: a server a module, its people, and what is measured and kept on the way."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import backend as local
from tests.e2e.agents import ReferenceAgent, Unit, reference_agent
from tests.e2e.client import Caller, Watching, watch_stream, watch_websocket
from tests.e2e.evidence import Evidence
from tests.e2e.outages import Site, running_site
from tests.e2e.server import Server, running_server

LAST = "test_scrub.py"
MEASURED: list[tuple[str, float]] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole run comes after the whole run."""
    items.sort(key=lambda item: item.path.name == LAST and item.path.parent.name == "e2e")


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    return Evidence()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), evidence) as server:
        yield server


@pytest.fixture(scope="module")
def ada(server: Server) -> Caller:
    """Somebody with an account and a token."""
    return server.person("ada")


@pytest.fixture(scope="module")
def backend() -> Iterator[local.Backend]:
    with local.serving() as backend:
        yield backend


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Site]:
    """For all tests of outages: making a cluster and starting all of it takes seconds."""
    # Agents come again and again here, more often than a good one does.
    often = ("relay.reconnects_burst=1000", "relay.reconnects_per_minute=10000")
    settings = (*often, "health.interval_seconds=0.2")
    with running_site(tmp_path_factory.mktemp("site"), evidence, *settings) as site:
        yield site


@pytest.fixture(scope="session")
def connected(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Unit, ReferenceAgent]]:
    """A unit of the site, with pictures and sockets that are watched over every outage."""
    folder = tmp_path_factory.mktemp("agent")
    with (
        local.serving() as backend,
        reference_agent(site.server, site.known, folder, backend.url) as (unit, agent),
    ):
        yield unit, agent
        agent.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def site_unit(connected: tuple[Unit, ReferenceAgent]) -> Unit:
    return connected[0]


@pytest.fixture(scope="session")
def watching(site_unit: Unit) -> list[Watching]:
    """A camera and a socket over the unit, open all the time."""
    return [
        watch_stream(site_unit.owner, site_unit.path("/mjpeg")),
        watch_websocket(site_unit.owner, site_unit.path("/ws")),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For one agent."""
    return tmp_path / "agent"


@pytest.fixture
def owner(server: Server, request: pytest.FixtureRequest) -> Caller:
    """An account of the test's own."""
    return server.person(f"owner-{request.node.nodeid.encode().hex()[-40:]}")


@pytest.fixture
def unit(server: Server, owner: Caller, backend: local.Backend, folder: Path) -> Iterator[Unit]:
    """A unit of the owner's, connected; what answers behind it is `backend`."""
    with reference_agent(server, owner, folder, backend.url) as (unit, _):
        yield unit


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """`measured(what, seconds)`: told at the end of the run. A figure, not a judgement: machines differ."""

    def note(what: str, seconds: float) -> None:
        MEASURED.append((f"{request.node.name}: {what}", seconds))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MEASURED and terminalreporter.config.get_verbosity() >= 0:
        terminalreporter.section("e2e: measured")
        for what, seconds in MEASURED:
            terminalreporter.write_line(f"{seconds * 1000:8.1f} ms  {what}")
