"""Nothing secret is left behind by a whole run: judged last, over every log, command and database of all of these tests.

Tokens are first put wherever a careless log would pick them up (P-10), and names that want to break a line (S-08).
"""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import Unit, pair, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until
from tests.e2e.evidence import TOKEN_IN_FULL, Evidence
from tests.e2e.server import Server, running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

COOKIE = "s3cretSessionCookie0123456789abcdefghijklmno"
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) +[\w.]+: ")


@pytest.fixture(scope="module", params=["console", "json"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, evidence: Evidence
) -> Iterator[Server]:
    settings = (f"log.format={request.param}", "web.body_limit_bytes=4096")
    with running_server(tmp_path_factory.mktemp("server"), evidence, *settings) as server:
        yield server


@pytest.fixture
def unit(server: Server, backend: Backend, folder: Path) -> Iterator[Unit]:
    with reference_agent(server, server.person("mallory"), folder, backend.url) as (unit, _):
        yield unit


def raw(url: str, data: bytes) -> bytes:
    """Bytes as they are, to a port; what came back until it was closed."""
    host, _, port = url.rpartition("/")[2].rpartition(":")
    received = b""
    with socket.create_connection((host, int(port)), 5) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65536):
            received += piece
    return received


def careless_requests(unit: Unit) -> None:
    """Every secret, everywhere in a request, to every port."""
    server, owner = unit.server, unit.owner
    tokens = [unit.session_token, owner.token or "", pair(server, owner).session_token]
    cookie = server.evidence.secret(COOKIE, "a cookie")
    for token in tokens:
        headers = {
            "Referer": f"https://example.org/?token={token}",
            "User-Agent": f"agent {token}",
            "X-Request-Id": token,
            "Cookie": f"visiona_session={cookie}; __Host-visiona_session={cookie}",
            "X-Forwarded-For": token,
        }
        for path in (f"/x/{token}", f"/x?token={token}", f"/{token[:20]}%{ord(token[20]):x}{token[21:]}"):
            owner.ask("GET", unit.path(path), headers=headers)
            owner.ask("GET", path, headers=headers)
            owner.ask("GET", f"/api/camera{path}", headers=headers)
            Caller(server.internal, token).ask("GET", path, headers=headers)
        owner.ask("DELETE", f"/api/pairing/tokens/{token}")
        owner.ask("DELETE", f"/api/auth/tokens/{token}")
        owner.ask("GET", f"/api/devices/{token}")
        anybody = Caller(server.web, None)
        for body in (
            {"pairing_token": token},
            {"pairing_token": "vAc_x", "name": token},
            [token],
            b"{" + token.encode(),
        ):
            anybody.ask("POST", "/api/pairing/exchange", body)
        Caller(server.web, token[:-1]).ask("GET", "/api/devices")
        Caller(server.web, token.upper()).ask("GET", "/api/devices")
        for port in (server.web, server.relay):
            raw(port, f"GET /tunnel/connect?token={token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            raw(
                port,
                f"GET /tunnel/connect?token={token}x HTTP/1.1\r\nHost: x\r\nUpgrade: no\r\n\r\n".encode(),
            )
            raw(port, f"{token} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            raw(port, f"GET / HTTP/1.1\r\nHost: {token}\r\nBad {token}: x\r\n\r\n".encode())


def test_p10_no_token_cookie_or_password_reaches_a_log_however_it_is_sent(unit: Unit) -> None:
    careless_requests(unit)
    server, token = unit.server, unit.session_token
    for arguments in (
        ("token", "revoke", token),
        ("device", "show", token),
        ("user", "disable", token),
        ("--set", f"web.listen={token}", "config", "check"),
        ("--set", f"{token}=1", "config", "check"),
        ("migrate", token),
    ):
        assert server.run(*arguments).code != 0
    command_line = Path(f"/proc/{server.process.pid if server.process else 0}/cmdline").read_bytes()
    assert not TOKEN_IN_FULL.search(command_line)


def lines_of(server: Server) -> list[str]:
    return [line for line in server.text.split("\n") if line]


def test_s08_names_that_agents_choose_break_no_line(server: Server, backend: Backend, tmp_path: Path) -> None:
    owner = server.person("lucy")
    evil = "x\n2026-01-01T00:00:00.000Z INFO    relay: forged \x1b[31mred\x1b[0m \r\x07\u202egnp\u2028y"
    pairing = server.evidence.secret(
        owner.ask("POST", "/api/pairing/token", {"name": "n"}).data["token"], "a token"
    )
    claims = {
        "name": evil,
        "serial_number": evil,
        "device_type": evil,
        "agent_version": evil,
        "instance": evil,
    }
    done = Caller(server.web, None).ask("POST", "/api/pairing/exchange", {"pairing_token": pairing, **claims})
    if done.status == 200:
        server.evidence.secret(done.data["session_token"], "a session token")
        owner.ask("GET", f"/api/devices/{done.data['device_id']}/proxy/x")
        server.run("device", "list")
        owner.ask("PATCH", f"/api/devices/{done.data['device_id']}", {"name": evil, "tags": [evil]})
    unit = pair(server, owner)
    head = (
        "GET /tunnel/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {unit.session_token}\r\n"
    )
    forged = "forged\x1b[2J\x9b31m\x85"
    for header in (
        f"X-Visiona-Agent: {forged}",
        f"X-Visiona-Instance: {forged}",
        f"X-Visiona-Agent: a\n{forged}",
    ):
        raw(server.relay, f"{head}{header}\r\n\r\n".encode("latin-1"))
    raw(server.web, f"GET /\x1b[31m HTTP/1.1\r\nHost: x\r\nUser-Agent: {forged}\r\n\r\n".encode("latin-1"))
    owner.ask("GET", "/%1b%5b31m%0a2026-01-01T00:00:00.000Z%20INFO%20forged")
    until(lambda: server.lines("forged"), "something was logged of it")
    for line in lines_of(server):
        assert (line.startswith("{") and json.loads(line)) or LINE.match(line), line
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", line), repr(line)
        assert not re.match(r"2026-01-01T00:00:00.000Z", line)


def test_p10_nothing_secret_is_left_by_the_whole_run(evidence: Evidence, server: Server) -> None:
    server.stop()
    assert evidence.secret_count > 5
    assert sum(len(data) for _, data in evidence.pieces()) > 10_000
    assert evidence.leaks() == []


def test_a_leak_would_be_found(tmp_path: Path) -> None:
    evidence = Evidence()
    secret = evidence.secret("vAs_" + "5" * 64, "a session token")
    for text in (f"token={secret}", secret.removeprefix("vAs_"), "vAp_123456789", "VAC_12345"):
        log = evidence.file(tmp_path / "one.log")
        log.write_text("2026 INFO " + text)
        if text.startswith("VAC"):
            assert evidence.leaks() == []
        else:
            assert evidence.leaks() != [], text
    log.write_text("2026 INFO device vAs_5555…")
    assert evidence.leaks() == []
