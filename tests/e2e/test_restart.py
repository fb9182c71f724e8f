"""The server goes and comes back: politely, by force, and with a configuration that is broken meanwhile (S-06)."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import InFlight, Unit, go_unit, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until, watch_stream, watch_websocket
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.interop import gobuild

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, evidence: Evidence) -> Iterator[Server]:
    """With a parameter of the test: `asgi` for the slower of the two layers that relay requests."""
    by_door = str(getattr(request, "param", "door") == "door").lower()
    with running_server(tmp_path / "server", evidence, f"web.fast_door={by_door}") as server:
        yield server


def readiness(server: Server) -> int:
    return Caller(server.internal, None).ask("GET", "/readyz").status


def refuses_newcomers(url: str) -> bool:
    answer = Caller(url, None).ask("GET", "/readyz")
    return (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("server", ["door", "asgi"], indirect=True)
def test_s06_a_first_signal_drains_in_order(
    server: Server, unit: Unit, backend: Backend, measured: Measured
) -> None:
    assert readiness(server) == 200
    waiting = InFlight(unit, backend)
    camera = watch_stream(unit.owner, unit.path("/mjpeg"))
    socket_ = watch_websocket(unit.owner, unit.path("/ws"))
    server.tell(signal.SIGTERM)
    told_at = time.monotonic()
    measured("not ready after the signal", until(lambda: readiness(server) == 503, "it is not ready", 5))
    camera.ended()
    measured("the camera's end", camera.ended_at - told_at)
    assert socket_.ended() == "1001"
    measured("the WebSocket's end", socket_.ended_at - told_at)
    assert refuses_newcomers(server.web)
    assert waiting.goes_on
    assert server.process is not None
    assert server.process.poll() is None
    backend.go_on.set()
    answer = waiting.ended()
    assert (answer.status, answer.body) == (200, b"at last ada")
    answered_at = time.monotonic()
    assert server.wait() == 0
    measured("the end after the last answer", time.monotonic() - answered_at)
    assert not (server.folder / "ready.json").exists()
    assert server.lines("tunnel down", unit.device_id, "cause=server_drain")


def test_s06_a_second_signal_means_now(
    server: Server, unit: Unit, backend: Backend, measured: Measured
) -> None:
    waiting = InFlight(unit, backend)
    server.tell(signal.SIGTERM)
    until(lambda: readiness(server) == 503, "it drains", 5)
    server.tell(signal.SIGINT)
    told_at = time.monotonic()
    assert server.wait() == 0
    measured("the end after the second signal", time.monotonic() - told_at)
    assert waiting.ended_or_none() is None
    assert server.lines("stopping now")


def files_of(server: Server) -> list[str]:
    return sorted(path.name for path in server.state.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["politely", "by force"])
def test_s06_agents_come_back_by_themselves_after_a_restart(
    server: Server, owner: Caller, unit: Unit, backend: Backend, number: signal.Signals, measured: Measured
) -> None:
    with contextlib.ExitStack() as fleet:
        units = [unit]
        with contextlib.suppress(gobuild.GoIsMissing):
            gobuild.build()
            for generation in sorted(gobuild.GENERATIONS):
                flags = {"mode": "forward", "target": backend.address}
                units.append(fleet.enter_context(go_unit(server, owner, generation, **flags))[0])
        camera = watch_stream(owner, unit.path("/mjpeg"))
        code = server.stop(number)
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        camera.ended()
        if number == signal.SIGTERM:
            left = [name for name in files_of(server) if name.endswith(("-wal", "-shm", ".tmp"))]
            assert left == []
        before = server.text.count("tunnel up")
        server.start()
        started_at = time.monotonic()
        for one in units:
            one.wait_online()
            measured("online after the start", time.monotonic() - started_at)
            assert owner.ask("POST", one.path("/echo"), b"again").body == b"again"
        # No agent came twice; the log is written a moment later, and a killed server took its last lines with it.
        until(lambda: server.text.count("tunnel up") >= before + len(units), "each tunnel is logged")
        assert server.text.count("tunnel up") == before + len(units)
        assert len(owner.ask("GET", "/api/devices").data) == len(units)
    assert server.run("migrate", "status", "--json").json["pending"] == []


def test_s06_a_broken_configuration_is_not_used_and_a_good_one_is(
    tmp_path: Path, evidence: Evidence, backend: Backend
) -> None:
    server = Server(tmp_path / "configured", evidence)
    server.config = tmp_path / "visiona.toml"
    server.config.write_text("[web]\nbody_limit_bytes = 4096\n")
    server.start()
    try:
        ada = server.person("ada")
        with reference_agent(server, ada, tmp_path / "agent", backend.url) as (unit, agent):
            camera = watch_stream(ada, unit.path("/mjpeg"))
            server.config.write_text("[web]\nbody_limit_bites = 4096\n")
            server.tell(signal.SIGHUP)
            until(lambda: server.lines("ERROR", "broken", "body_limit_bites"), "the fault is said", 5)
            assert "body_limit_bytes" in server.lines("broken")[0], "did you mean"
            too_long = ada.ask("POST", "/api/pairing/token", {"name": "x" * 5000})
            assert (too_long.status, too_long.error["code"]) == (413, "PAYLOAD_TOO_LARGE")
            server.config.write_text("[web]\nbody_limit_bytes = 8192\n")
            server.tell(signal.SIGHUP)
            until(lambda: server.lines("read again", "web.body_limit_bytes"), "it was read again", 5)
            assert camera.goes_on
            assert unit.item["tunnel_online"]
            agent.stop(signal.SIGKILL)
    finally:
        assert server.stop() == 0
