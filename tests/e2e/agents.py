"""Edge units: the reference agent as a process, and the Go agents of two generations."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.e2e.backend import Backend
from tests.e2e.client import Answer, Caller, until
from tests.e2e.server import Server, clean_environment, in_process
from tests.interop.programs import GoProgram, go_agent
from tests.support.servers.guardian import watched

ONLINE_SECONDS = 20.0


@dataclass(frozen=True)
class Unit:
    """A paired unit, as its owner sees it."""

    server: Server
    owner: Caller
    device_id: str
    session_token: str

    @property
    def item(self) -> dict[str, Any]:
        """What the API says of it."""
        found: dict[str, Any] = self.owner.ask("GET", f"/api/devices/{self.device_id}").data
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its timeline, the newest first."""
        found: list[dict[str, Any]] = self.owner.ask("GET", f"/api/devices/{self.device_id}/events").data[
            "items"
        ]
        return found

    def path(self, path: str) -> str:
        """Where the owner reaches a path of the unit's own service."""
        return f"/api/devices/{self.device_id}/proxy{path}"

    def wait_online(self) -> float:
        return until(lambda: self.item["tunnel_online"], "the device is online", ONLINE_SECONDS)

    def wait_offline(self, within_seconds: float = 10.0) -> float:
        return until(lambda: not self.item["tunnel_online"], "the device is offline", within_seconds)


def pair(server: Server, owner: Caller, name: str = "unit") -> Unit:
    """Pairs as an agent that exists does: one exchange."""
    pairing = owner.ask("POST", "/api/pairing/token", {"name": name}).data["token"]
    server.evidence.secret(pairing, "a pairing token")
    body = {"pairing_token": pairing, "name": name}
    done = Caller(server.web, None).ask("POST", "/api/pairing/exchange", body).data
    server.evidence.secret(done["session_token"], "a session token")
    return Unit(server, owner, done["device_id"], done["session_token"])


class ReferenceAgent:
    """`visiona agent pair`, then `visiona agent run` as a process of its own."""

    def __init__(self, server: Server, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = server.evidence.file(log)
        self.process: subprocess.Popen[bytes] | None = None

    def pair(self, server: Server, owner: Caller, target: str, *more: str) -> Unit:
        """Spends a fresh pairing token, as an installer does."""
        pairing = owner.ask("POST", "/api/pairing/token").data["token"]
        server.evidence.secret(pairing, "a pairing token")
        order = ["agent", "pair", "-", "--relay", server.web, "--target", target, "--json", *more]
        said = in_process(*order, "--state-dir", str(self._folder), stdin=pairing + "\n")
        server.evidence.words("visiona agent pair", said.out + said.err)
        stored = json.loads((self._folder / "agent.json").read_text())
        server.evidence.secret(stored["session_token"], "a session token")
        return Unit(server, owner, said.json["device_id"], stored["session_token"])

    def start(self, *more: str) -> None:
        order = [sys.executable, "-m", "visiona", "agent", "run", "--state-dir", str(self._folder), *more]
        with self._log.open("ab") as log:
            self.process = watched(subprocess.Popen(order, stdout=log, stderr=log, env=clean_environment()))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it; the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(15)

    @property
    def text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


class InFlight:
    """A request that waits in the unit's service until the test lets it go on."""

    def __init__(self, unit: Unit, backend: Backend) -> None:
        backend.waiting.clear()
        backend.go_on.clear()
        self._answers: list[Answer | None] = []
        self._unit = unit
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        assert backend.waiting.wait(10), "the request did not arrive"

    def _ask(self) -> None:
        try:
            self._answers.append(self._unit.owner.ask("GET", self._unit.path("/wait?name=ada")))
        except (OSError, HTTPException):
            self._answers.append(None)

    @property
    def goes_on(self) -> bool:
        return not self._answers

    def ended(self) -> Answer:
        """Its answer."""
        answer = self.ended_or_none()
        assert answer is not None, "the connection broke"
        return answer

    def ended_or_none(self) -> Answer | None:
        """Its answer; None if the connection broke without one."""
        self._thread.join(8)
        assert self._answers, "it still waits"
        return self._answers[0]


@contextmanager
def reference_agent(
    server: Server, owner: Caller, folder: Path, target: str, *more: str
) -> Iterator[tuple[Unit, ReferenceAgent]]:
    """A unit of our own that is online; `more` goes to `agent pair`."""
    folder.mkdir(parents=True, exist_ok=True)
    agent = ReferenceAgent(server, folder / "state", folder / "agent.log")
    unit = agent.pair(server, owner, target, *more)
    agent.start()
    try:
        unit.wait_online()
        yield unit, agent
    finally:
        if agent.stop() not in {0, -signal.SIGKILL}:
            raise AssertionError(agent.text[-3000:])


@contextmanager
def go_unit(
    server: Server, owner: Caller, generation: str, **flags: object
) -> Iterator[tuple[Unit, GoProgram]]:
    """A unit with a Go agent that is online."""
    unit = pair(server, owner, f"go-{generation}-{os.urandom(2).hex()}")
    relay = flags.pop("relay", server.relay)
    with go_agent(str(relay), unit.session_token, generation, **flags) as program:
        unit.wait_online()
        yield unit, program
    server.evidence.words("go agent", program.complaints)
