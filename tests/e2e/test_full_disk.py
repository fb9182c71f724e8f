"""S-03: the disk under the SQLite file is full, or was made read-only, while the server serves."""

import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until, watch_stream, watch_websocket
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "server" / "state"
    folder.mkdir(parents=True)
    with small_disk(folder, 4) as disk:
        yield disk


@pytest.fixture
def server(disk: SmallDisk, tmp_path: Path, evidence: Evidence) -> Iterator[Server]:
    with running_server(tmp_path / "server", evidence) as server:
        assert server.state == disk.path
        yield server


@pytest.fixture
def ada(server: Server) -> Caller:
    return server.person("ada")


def failing(server: Server) -> list[str]:
    found: list[str] = Caller(server.web, None).ask("GET", "/readyz").json.get("failing", [])
    return found


def keep_writing(ada: Caller) -> int:
    """Writes until it is refused; how many could be kept: the log's last page may have had room for a few."""
    for kept in range(90):
        answer = ada.ask("POST", "/api/auth/tokens", {"name": "x" * 60, "ttl_seconds": 60})
        if answer.status != 201:
            assert (answer.status, answer.error["code"]) == (503, "STORE_UNAVAILABLE")
            assert int(answer.headers["Retry-After"]) >= 10
            assert "disk" not in answer.error["message"]
            return kept
    raise AssertionError("everything could be written")


def outlives(
    server: Server,
    ada: Caller,
    backend: Backend,
    folder: Path,
    begin: Callable[[], object],
    end: Callable[[], object],
    measured: Measured,
) -> None:
    with reference_agent(server, ada, folder, backend.url) as (unit, agent):
        watching = [watch_stream(ada, unit.path("/mjpeg")), watch_websocket(ada, unit.path("/ws"))]
        tokens = tokens_of(ada)
        begin()
        kept = keep_writing(ada)
        measured("named by /readyz", until(lambda: failing(server) == ["database"], "it is named", 5))
        # What can be read is read, and what was refused was not written.
        assert tokens_of(ada) == tokens + kept
        assert unit.item["tunnel_online"]
        assert all(one.goes_on for one in watching)
        agent.stop(signal.SIGKILL)
        unit.wait_offline()
        agent.start()
        unit.wait_online()
        assert ada.ask("GET", unit.path("/x")).status == 200
        end()
        measured("a write succeeds", until(lambda: can_write(ada), "a write succeeds", 5))
        measured("ready again", until(lambda: failing(server) == [], "it is ready", 5))
    assert server.stop() == 0
    assert server.run("migrate", "status", "--json").json["pending"] == []


def tokens_of(ada: Caller) -> int:
    return len(ada.ask("GET", "/api/auth/tokens?limit=100").data["items"])


def can_write(ada: Caller) -> bool:
    return ada.ask("POST", "/api/pairing/token").status == 200


def test_s03_a_disk_that_is_full_costs_writes_and_nothing_else(
    server: Server, ada: Caller, backend: Backend, folder: Path, disk: SmallDisk, measured: Measured
) -> None:
    outlives(server, ada, backend, folder, disk.fill, disk.make_room, measured)
    assert server.lines("the database cannot be asked", "SQLITE_FULL")


def test_s03_a_disk_that_takes_nothing_costs_writes_and_nothing_else(
    tmp_path: Path, evidence: Evidence, backend: Backend, folder: Path, measured: Measured
) -> None:
    """As one that has turned read-only, or breaks: every write of the process to any file fails."""
    with running_server(tmp_path / "server", evidence) as server:
        assert server.process is not None
        pid, ada = server.process.pid, server.person("ada")
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        outlives(
            server,
            ada,
            backend,
            folder,
            lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, limits[1])),
            lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, limits),
            measured,
        )
