import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from visiona.app import Bound
from visiona.cli import serve
from visiona.cli.main import main
from visiona.cli.output import CommandError
from visiona.cli.ready_file import ReadyFile
from visiona.config import ConfigInvalid, Loaded, Settings, read
from visiona.ops.log_writer import LineWriter
from visiona.ops.logs import LogSettings
from visiona.relay.accepting import bind
from visiona.relay.certificates import CertificateUnusable

from tests.support.servers.guardian import watched

BOUND = Bound("http://127.0.0.1:1", "ws://127.0.0.1:2", "http://127.0.0.1:3")


def loaded(**environ: str) -> Loaded:
    return read(None, {"VISIONA_STATE_DIR": "/nowhere", **environ})


class FakeApp:
    """Stands for visiona.app.run: ready at once, stops when told, or never."""

    def __init__(self, *, obeys: bool = True) -> None:
        self.obeys = obeys
        self.events: list[str] = []
        self.accepting = trio.Event()

    async def __call__(
        self, settings: Settings, *, stop: trio.Event, ready: Callable[[Bound], None], logs: object
    ) -> None:
        ready(BOUND)
        self.accepting.set()
        await stop.wait()
        self.events.append("draining")
        try:
            if not self.obeys:
                await trio.sleep_forever()
        finally:
            self.events.append("ended")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Of this process, as they were."""
    before = {number: signal.getsignal(number) for number in (*serve.SIGNALS, signal.SIGUSR1, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_s06_the_first_signal_drains_and_the_ready_file_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FakeApp()
    monkeypatch.setattr("visiona.cli.serve.run", app)
    file = ReadyFile(tmp_path / "ready.json")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve.run_until_told, loaded().settings, file, list)
        await app.accepting.wait()
        assert json.loads((tmp_path / "ready.json").read_text(encoding="utf-8"))["relay"] == BOUND.relay
        os.kill(os.getpid(), signal.SIGTERM)
    assert app.events == ["draining", "ended"]


async def test_s06_the_second_signal_ends_it_now(monkeypatch: pytest.MonkeyPatch) -> None:
    app = FakeApp(obeys=False)
    monkeypatch.setattr("visiona.cli.serve.run", app)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve.run_until_told, loaded().settings, ReadyFile(None), list)
        await app.accepting.wait()
        os.kill(os.getpid(), signal.SIGINT)
        while not app.events:
            await trio.lowlevel.checkpoint()
        os.kill(os.getpid(), signal.SIGTERM)
    assert app.events == ["draining", "ended"]


async def test_sighup_reads_again_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = FakeApp()
    monkeypatch.setattr("visiona.cli.serve.run", app)
    reloaded = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve.run_until_told, loaded().settings, ReadyFile(None), reloaded.set)
        await app.accepting.wait()
        os.kill(os.getpid(), signal.SIGHUP)
        await reloaded.wait()
        assert app.events == []
        os.kill(os.getpid(), signal.SIGTERM)


def test_s06_a_broken_configuration_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("visiona.cli.serve.setup_logging", lambda settings: pytest.fail("was used"))

    def broken() -> Loaded:
        raise ConfigInvalid(["web.listen: wrong", "log.level: wrong"])

    serve.Reloader(loaded(), broken, LineWriter(None))()
    assert [record.fault for record in caplog.records] == ["web.listen: wrong", "log.level: wrong"]


def test_a_reload_uses_what_it_can_and_says_what_needs_a_restart(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    used: list[str] = []

    def setup(settings: LogSettings) -> LineWriter:
        used.append(settings.level)
        return LineWriter(None)

    monkeypatch.setattr("visiona.cli.serve.setup_logging", setup)
    first = LineWriter(None)
    changed = loaded(VISIONA_LOG_LEVEL="debug", VISIONA_WEB_LISTEN=":1")
    reload = serve.Reloader(loaded(), lambda: changed, first)
    reload()
    reload()
    assert first.is_closed
    assert not reload.logs.is_closed
    reload.logs.close()
    assert used == ["debug"]
    said = [(record.changed, record.needs_restart) for record in caplog.records]
    assert said == [("log.level", "web.listen"), ("nothing", "web.listen")]


def test_the_logs_are_closed_and_the_switch_interval_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(
        settings: Settings, *, stop: trio.Event, ready: Callable[[Bound], None], logs: object
    ) -> None:
        ready(BOUND)
        assert (tmp_path / "ready.json").exists()

    before = sys.getswitchinterval()
    handlers = list(logging.getLogger().handlers)
    monkeypatch.setattr("visiona.cli.serve.run", ends)
    monkeypatch.setenv("VISIONA_STATE_DIR", str(tmp_path))
    try:
        assert main(["serve", "--ready-file", str(tmp_path / "ready.json")]) == 0
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    finally:
        sys.setswitchinterval(before)
        logging.captureWarnings(capture=False)
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(logging.WARNING)
    assert not (tmp_path / "ready.json").exists()


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EADDRNOTAVAIL, "ADDRESS_UNKNOWN", "not an address of this machine"),
        (errno.EACCES, "NOT_PERMITTED", "above 1023"),
        (errno.ENOSPC, "SYSTEM", "No space left"),
    ],
)
def test_s07_what_keeps_it_from_starting_is_one_sentence(number: int, code: str, said: str) -> None:
    group = ExceptionGroup("a", [ExceptionGroup("b", [OSError(number, os.strerror(number))])])
    failure = serve._start_failure(group, loaded().settings)
    assert isinstance(failure, CommandError)
    assert (failure.code, said in failure.message) == (code, True)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-name.invalid"])
async def test_s07_an_address_of_another_machine_is_named_with_its_setting(host: str) -> None:
    settings = loaded(VISIONA_RELAY_LISTEN=f"{host}:0").settings
    with pytest.raises(OSError) as caught:
        await bind(settings.relay.listen)
    failure = serve._start_failure(ExceptionGroup("a", [caught.value]), settings)
    assert isinstance(failure, CommandError)
    assert failure.code == "ADDRESS_UNKNOWN"
    assert failure.message == f"relay.listen ({host}:0) is not an address of this machine"


def test_s10_a_certificate_that_cannot_be_used_is_one_sentence() -> None:
    failure = serve._start_failure(
        ExceptionGroup("a", [CertificateUnusable("relay.tls_key …")]), loaded().settings
    )
    assert isinstance(failure, CommandError)
    assert (failure.code, failure.message) == ("CERTIFICATE_UNUSABLE", "relay.tls_key …")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def environment(folder: Path, **more: str) -> dict[str, str]:
    listens = {f"VISIONA_{name}_LISTEN": "127.0.0.1:0" for name in ("WEB", "RELAY", "INTERNAL")}
    return {"PATH": os.defpath, "VISIONA_STATE_DIR": str(folder / "state"), **listens, **more}


def started(folder: Path, **more: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    ready = folder / "ready.json"
    order = [sys.executable, "-m", "visiona", "serve", "--ready-file", str(ready)]
    environ = environment(folder, **more)
    process = watched(subprocess.Popen(order, env=environ, stderr=subprocess.PIPE, text=True))
    end = time.monotonic() + 15
    while not ready.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)  # noqa: TID251 - another process; there is nothing else to wait for
    return process, json.loads(ready.read_text(encoding="utf-8"))


def test_s06_signals_to_the_very_end_do_not_spoil_it(tmp_path: Path) -> None:
    process, _ = started(tmp_path)
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)  # noqa: TID251 - another process; the signals must be many
    assert (process.returncode, "Traceback" in process.communicate()[1]) == (0, False)


def test_s07_a_port_in_use_is_named(tmp_path: Path, taken: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visiona", "serve"],
        env=environment(tmp_path, VISIONA_INTERNAL_LISTEN=f"127.0.0.1:{taken}"),
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert done.returncode == 1
    assert f"internal.listen (127.0.0.1:{taken}) is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_s07_a_second_server_on_the_same_state_is_refused_and_commands_work(tmp_path: Path) -> None:
    process, bound = started(tmp_path)
    try:
        assert set(bound) == {"web", "relay", "internal", "pid"}
        second = subprocess.run(
            [sys.executable, "-m", "visiona", "serve"],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
        assert (second.returncode, "[STORE_BUSY]" in second.stderr) == (3, True)
        assert "Traceback" not in second.stderr
        command = subprocess.run(
            [sys.executable, "-m", "visiona", "user", "add", "ada@example.com", "--password-stdin"],
            env=environment(tmp_path),
            input="correct horse",
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
        assert (command.returncode, command.stderr) == (0, "")
    finally:
        process.terminate()
        said = process.communicate(timeout=15)[1]
    assert process.returncode == 0
    assert not (tmp_path / "ready.json").exists()
    assert "Traceback" not in said
