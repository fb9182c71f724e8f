import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from visiona.agent.credential import Credential
from visiona.agent.status import State, Status, running_in, write_status
from visiona.cli.main import main

TOKEN = "vAc_" + "0" * 32
SESSION = "vAs_" + "a" * 64


class Site(BaseHTTPRequestHandler):
    """A console that exchanges any token."""

    asked: ClassVar[list[dict[str, str]]] = []
    status = 200
    answer: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = json.dumps(self.answer).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def site() -> Iterator[str]:
    Site.asked.clear()
    Site.status = 200
    Site.answer = {
        "success": True,
        "data": {
            "session_token": SESSION,
            "relay_url": "ws://127.0.0.1:9",
            "account": "a@b.c",
            "device_id": "d1",
        },
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def pair(site: str, state_dir: Path, *more: str, token: str = TOKEN) -> int:
    target = "http://127.0.0.1:3721"
    return main(
        ["agent", "pair", token, "--relay", site, "--target", target, "--state-dir", str(state_dir), *more]
    )


def test_pairing_writes_the_credential_and_prints_no_secret(
    site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pair(site, tmp_path, "--name", "unit", "--serial", "S1") == 0
    credential = Credential.read(tmp_path)
    assert (credential.session_token, credential.target) == (SESSION, "http://127.0.0.1:3721")
    assert Site.asked[0]["serial_number"] == "S1"
    assert Site.asked[0]["agent_version"].startswith("visiona-agent/")
    said = capsys.readouterr()
    assert "d1" in said.out
    assert "vAs_" not in said.out + said.err
    assert "visiona agent run" in said.err


def test_p10_the_token_may_come_from_standard_input(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda _: TOKEN + "\n", raising=False)
    assert pair(site, tmp_path, "--json", token="-") == 0
    assert Site.asked[0]["pairing_token"] == TOKEN
    shown = json.loads(capsys.readouterr().out)
    assert shown["device_id"] == "d1"
    assert "session_token" not in shown


def test_pairing_again_stays_the_same_installation(site: str, tmp_path: Path) -> None:
    assert pair(site, tmp_path) == 0
    assert pair(site, tmp_path) == 0
    assert Site.asked[0]["instance"] == Site.asked[1]["instance"]


def test_a_refusal_is_one_sentence_and_leaves_the_old_credential(
    site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pair(site, tmp_path) == 0
    Site.status, Site.answer = (
        401,
        {"success": False, "error": {"code": "PAIRING_TOKEN_USED", "message": "x"}},
    )
    capsys.readouterr()
    assert pair(site, tmp_path) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "already used" in said
    assert "PAIRING_TOKEN_USED" in said
    assert TOKEN not in said
    assert Credential.read(tmp_path).session_token == SESSION


@pytest.mark.parametrize(
    "arguments",
    [
        ["agent", "pair", TOKEN, "--relay", "nowhere", "--target", "http://127.0.0.1:1"],
        ["agent", "pair", TOKEN, "--relay", "https://x", "--target", "https://127.0.0.1:1"],
        ["agent", "pair", "", "--relay", "https://x", "--target", "http://127.0.0.1:1"],
        ["agent", "pair"],
        ["agent"],
    ],
)
def test_a_mistake_in_the_arguments_is_wrong_usage(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--state-dir", str(tmp_path)] if len(arguments) > 2 else []
    assert main([*arguments, *more]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["run", "status"])
def test_a_unit_that_is_not_paired_is_told_how(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", verb, "--state-dir", str(tmp_path)]) == 4
    assert "visiona agent pair" in capsys.readouterr().err


def paired(tmp_path: Path, relay: str = "ws://127.0.0.1:9") -> None:
    Credential(SESSION, relay, "http://127.0.0.1:3721", "i" * 32).write(tmp_path)


def test_status_tells_a_running_agent_from_one_that_died(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paired(tmp_path)
    write_status(
        tmp_path, Status(State.CONNECTED, "2026-01-01T00:00:00Z", relay="http://r", target="http://t")
    )
    assert main(["agent", "status", "--json", "--state-dir", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "not running"
    with running_in(tmp_path):
        assert main(["agent", "status", "--json", "--state-dir", str(tmp_path)]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert (shown["state"], shown["running"], shown["relay_url"]) == ("connected", True, "http://r")
        assert main(["agent", "run", "--state-dir", str(tmp_path)]) == 1
    assert "ALREADY_RUNNING" in capsys.readouterr().err


def test_a_service_manager_hears_ready_and_stopping_and_sigterm_ends_it_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        paired(tmp_path, f"ws://127.0.0.1:{nobody.getsockname()[1]}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)
        command = [sys.executable, "-m", "visiona", "agent", "run", "--state-dir", str(tmp_path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            heard = ""
            while "away from" not in heard:
                heard += manager.recv(4096).decode() + "\n"
            assert heard.startswith("READY=1")
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard += manager.recv(4096).decode() + "\n"
            _, log = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "Connection refused" in log
    assert "vAs_" not in log + heard
