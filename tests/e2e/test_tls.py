"""The agents' port with TLS, and a certificate that is renewed on disk while tunnels live over the old one (S-10)."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import go_unit, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until, watch_stream, watch_websocket
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.interop import gobuild

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SAMPLES = Path(__file__).parents[1] / "support" / "certificates"


def install(folder: Path, which: str) -> None:
    """Puts a certificate where the server reads it, as a renewing program does."""
    for kind in ("key", "pem"):
        draft = folder / f"draft.{kind}"
        shutil.copy(SAMPLES / f"{which}.{kind}", draft)
        draft.replace(folder / f"tls.{kind}")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    install(folder, "one")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence, tls: Path) -> Iterator[Server]:
    files = (f"relay.tls_certificate={tls / 'tls.pem'}", f"relay.tls_key={tls / 'tls.key'}")
    with running_server(tmp_path_factory.mktemp("server"), evidence, *files) as server:
        yield server


def test_s10_a_renewed_certificate_is_used_and_drops_nobody(
    server: Server, ada: Caller, backend: Backend, folder: Path, tls: Path
) -> None:
    assert server.relay.startswith("wss://")
    ca_file = ("--ca-file", str(SAMPLES / "one.pem"))
    with reference_agent(server, ada, folder, backend.url, *ca_file) as (unit, agent):
        body = bytes(range(256)) * 4000
        assert ada.ask("POST", unit.path("/echo"), body).body == body
        camera = watch_stream(ada, unit.path("/mjpeg"))
        install(tls, "two")
        trusting_two = ("--ca-file", str(SAMPLES / "two.pem"))
        with reference_agent(server, ada, folder.parent / "second", backend.url, *trusting_two) as (
            second,
            _,
        ):
            assert ada.ask("GET", second.path("/x")).status == 200
        assert camera.goes_on
        agent.stop(signal.SIGKILL)
        camera.ended()
        # It trusts the old certificate only: that is said in its log, and it goes on asking.
        agent.start()
        until(lambda: "cannot be reached" in agent.text, "the agent says what is wrong")
        assert not unit.item["tunnel_online"]
        install(tls, "one")
        unit.wait_online()


@pytest.mark.interop
@pytest.mark.parametrize("generation", sorted(gobuild.GENERATIONS))
def test_agents_that_exist_come_over_tls(
    server: Server, ada: Caller, backend: Backend, generation: str
) -> None:
    gobuild.binary("agent")
    flags = {"mode": "pipe", "target": backend.address, "ca_file": SAMPLES / "one.pem"}
    with go_unit(server, ada, generation, **flags) as (unit, _):
        body = bytes(range(256)) * 4000
        assert ada.ask("POST", unit.path("/echo"), body).body == body
        socket = watch_websocket(ada, unit.path("/ws"))
        assert socket.goes_on
        assert ada.ask("DELETE", f"/api/devices/{unit.device_id}").data["sockets_closed"] == 1
        socket.ended()
