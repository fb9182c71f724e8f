"""Commands beside the server while it serves, each in a process of its own, on the one database file."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import InFlight, Unit, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until
from tests.e2e.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def unit(
    server: Server, ada: Caller, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Unit]:
    folder = tmp_path_factory.mktemp("agent")
    with reference_agent(server, ada, folder, backend.url, "--name", "bench", "--serial", "KN-7") as (
        unit,
        _,
    ):
        yield unit


def test_device_list_show_and_rm(server: Server, ada: Caller, unit: Unit) -> None:
    (listed,) = server.run_apart("--json", "device", "list").json
    assert (listed["id"], listed["name"], listed["serial_number"]) == (unit.device_id, "bench", "KN-7")
    table = server.run("device", "list")
    assert table.code == 0
    assert "KN-7" in table.out
    shown = server.run("--json", "device", "show", unit.device_id).json
    assert shown["agent_version"].startswith("visiona-agent/")
    missing = server.run_apart("device", "show", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f")
    assert (missing.code, missing.out) == (4, "")
    assert missing.err.count("\n") == 1
    removed = server.run_apart("--json", "device", "rm", unit.device_id).json
    assert removed["device_id"] == unit.device_id
    until(lambda: server.lines("tunnel down", unit.device_id), "the running server has cut it", 5)
    assert server.run("device", "rm", unit.device_id).code == 4
    assert ada.ask("GET", "/api/devices").data == []


def test_migrate_status(server: Server) -> None:
    said = server.run_apart("--json", "migrate", "status").json
    assert said["pending"] == []
    assert said["applied"][0]["number"] == 1
    assert server.run("migrate", "up").out == "the schema is up to date\n"


def test_config_show_says_where_each_value_comes_from(server: Server) -> None:
    shown = server.run_apart("--json", "config", "show", "--origin").json
    assert shown["web.rate_limits"]["value"] is False
    assert "--set" in shown["web.rate_limits"]["origin"] or "flag" in shown["web.rate_limits"]["origin"]
    assert shown["relay.dead_seconds"] == {"value": 30.0, "origin": "default"}
    assert server.run_apart("config", "check").code == 0


def test_an_account_and_a_token_made_while_it_serves_work_at_once(server: Server) -> None:
    grace = server.person("grace")
    assert grace.ask("GET", "/api/auth/me").data["email"] == "grace@example.org"
    listed = server.run("--json", "token", "list", "--user", "grace@example.org").json
    assert [one["name"] for one in listed] == ["all"]
    assert server.run("user", "disable", "grace@example.org").code == 0
    until(lambda: grace.ask("GET", "/api/devices").status == 401, "the account is closed", 5)
    assert server.run("user", "enable", "grace@example.org").code == 0
    until(lambda: grace.ask("GET", "/api/devices").status == 200, "the account is open again", 5)


def test_health_is_told_on_each_port(server: Server) -> None:
    for port in (server.web, server.internal):
        for path in ("/livez", "/readyz", "/healthz"):
            assert Caller(port, None).ask("GET", path).status == 200
    page = Caller(server.internal, None).ask("GET", "/metrics")
    assert b"visiona" in page.body
    assert Caller(server.relay.replace("ws", "http", 1), None).ask("GET", "/livez").status == 200


def is_ready(server: Server) -> bool:
    return Caller(server.internal, None).ask("GET", "/readyz").status == 200


def test_s07_a_second_server_on_the_same_state_is_refused_in_a_sentence(server: Server) -> None:
    said = server.run_apart("--set", "web.listen=127.0.0.1:0", "--set", "relay.listen=127.0.0.1:0", "serve")
    assert said.code == 3
    assert "Traceback" not in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("visiona:")]) == 1
    assert is_ready(server)


def test_s06_signals_that_mean_nothing_here_change_nothing(server: Server) -> None:
    for number in (signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2):
        server.tell(number)
        assert is_ready(server)


def test_an_agent_that_is_told_to_stop_finishes_what_it_serves(
    server: Server, ada: Caller, backend: Backend, folder: Path
) -> None:
    with reference_agent(server, ada, folder, backend.url) as (unit, agent):
        waiting = InFlight(unit, backend)
        stopping = threading.Thread(target=agent.stop)
        stopping.start()
        unit.wait_offline()
        backend.go_on.set()
        answer = waiting.ended()
        stopping.join(10)
        assert (answer.status, answer.body) == (200, b"at last ada")
        assert agent.stop() == 0
