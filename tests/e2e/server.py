"""`visiona serve` as a process of its own, and whatever is asked of it from outside."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from visiona.cli.main import main
from visiona.config import read
from visiona.stores.settings import StoreSettings

from tests.e2e.client import Caller, until
from tests.e2e.evidence import Evidence
from tests.support.servers.guardian import watched
from tests.support.servers.processes import free_port

START_SECONDS = 30.0
STOP_SECONDS = 15.0
LISTENERS = ("web", "relay", "internal")


class Said(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


class Server:
    """One server with its own state directory. It may be stopped and started again; its ports stay the same.

    Attributes:
        web, relay, internal: URLs, once it has started.
        log: everything it wrote to standard output and standard error, over all its lives.
    """

    def __init__(
        self,
        folder: Path,
        evidence: Evidence,
        *settings: str,
        rate_limits: bool = False,
        relay_listen: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self.evidence = evidence
        self.log = evidence.file(folder / "server.log")
        evidence.file(self.state / "*.db*")
        self.web = self.relay = self.internal = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = ["log.level=debug", f"web.rate_limits={str(rate_limits).lower()}", *settings]
        # Not any ports: nobody else may be given them while it is down.
        self._listen = {name: f"127.0.0.1:{free_port()}" for name in LISTENERS}
        if relay_listen is not None:
            self._listen["relay"] = relay_listen
        self.config: Path | None = None
        stores = [one for one in settings if one.startswith(("database.", "redis."))]
        self._stores = [part for one in stores for part in ("--set", one)]

    def start(self) -> None:
        """Returns when it accepts."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        order = [sys.executable, "-m", "visiona", *self._options(), "serve", "--ready-file", str(ready)]
        with self.log.open("ab") as log:
            self.process = watched(subprocess.Popen(order, stdout=log, stderr=log, env=clean_environment()))
        until(lambda: ready.exists() or self.process.poll() is not None, "the server accepts", START_SECONDS)
        assert ready.exists(), self.text
        bound = json.loads(ready.read_text())
        assert bound["pid"] == self.process.pid
        self.web, self.relay, self.internal = (bound[name] for name in LISTENERS)
        self._listen = {name: bound[name].rpartition("/")[2] for name in LISTENERS}

    def tell(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Waits for its end; the exit code."""
        assert self.process is not None
        return self.process.wait(STOP_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it, politely or with SIGKILL; the exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process is not None else 0
        self.tell(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def store_settings(self) -> StoreSettings:
        """Where it keeps things, for whoever opens the same beside it."""
        flags = [f"state_dir={self.state}", *self._stores[1::2]]
        return read(None, {}, None, flags).settings.stores

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def lines(self, *parts: str) -> list[str]:
        """The log lines that hold all of these."""
        return [line for line in self.text.splitlines() if all(part in line for part in parts)]

    def run(self, *arguments: str, stdin: str = "") -> Said:
        """A command beside the server: another process than it, and here our own, which saves a start."""
        said = in_process("--set", f"state_dir={self.state}", *self._stores, *arguments, stdin=stdin)
        self.note(arguments, said)
        return said

    def run_apart(self, *arguments: str, stdin: str = "") -> Said:
        """The same in a process of its own, as a person runs it."""
        order = [sys.executable, "-m", "visiona", *self._options(), *arguments]
        done = subprocess.run(
            order,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env=clean_environment(),
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        self.note(arguments, said)
        return said

    def note(self, arguments: tuple[str, ...], said: Said) -> None:
        """Puts on record what a command said, save the token that `token create` is asked for."""
        out = said.out
        if arguments[:2] == ("token", "create"):
            token = json.loads(out)["token"] if "--json" in arguments else out.strip()
            out = out.replace(self.evidence.secret(token, "a personal access token"), "")
        self.evidence.words(f"visiona {' '.join(arguments[:2])}", out + said.err)

    def person(self, name: str) -> Caller:
        """A new account with a token of its own."""
        email = f"{name}@example.org"
        password = self.evidence.secret(f"correct horse {os.urandom(6).hex()}", "a password")
        assert self.run("user", "add", email, "--password-stdin", stdin=password + "\n").code == 0
        return Caller(self.web, self.token(email, "all"))

    def token(self, email: str, name: str) -> str:
        """Another token for the account."""
        made = self.run("token", "create", "--user", email, "--name", name, "--json").json
        return str(made["token"])

    def _options(self) -> list[str]:
        listen = [f"{name}.listen={address}" for name, address in self._listen.items()]
        values = [f"state_dir={self.state}", *listen, *self._settings]
        config = ["--config", str(self.config)] if self.config is not None else []
        return [*config, *(part for value in values for part in ("--set", value))]


@contextlib.contextmanager
def running_server(folder: Path, evidence: Evidence, *settings: str, **more: Any) -> Iterator[Server]:
    """A server while the block runs; its end must be a clean one."""
    server = Server(folder, evidence, *settings, **more)
    server.start()
    try:
        yield server
    finally:
        code = server.stop()
    assert code == 0, server.text[-3000:]
    assert "Traceback" not in server.text


def in_process(*arguments: str, stdin: str = "") -> Said:
    """Runs a command within this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.stdin", io.StringIO(stdin)),
    ):
        code = main(arguments)
    return Said(code, out.getvalue(), err.getvalue())


def clean_environment() -> dict[str, str]:
    """Ours, without what would configure a server behind the test's back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VISIONA_")}  # noqa: TID251 - a child's is made of ours
