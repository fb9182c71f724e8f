"""A server program that a test starts, kills, freezes and starts again.

It runs in a session of its own, so that a signal reaches it and every child it has. Nothing else is ever signalled.
When the run of tests is killed, guardian.py ends it.
"""

import contextlib
import functools
import itertools
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from tests.support.servers import trees
from tests.support.servers.guardian import remove_folder, watch_folder, watched

NOBODYS_PORTS = range(20000, 32000, 400)
"""Blocks of ports below those that a system gives to whoever asks for any."""

NOBODY = 65534
"""Who servers run as that refuse to be root."""


class ServerProcess:
    """One program; started and ended as often as a test likes.

    Args:
        command: the program and its arguments.
        log: where what it says is appended.
        answers: whether it can be used now; asked until it says so.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        answers: Callable[[], bool],
        *,
        is_nobody: bool = False,
    ) -> None:
        self._command = list(command)
        self._log = log
        self._answers = answers
        self._user = NOBODY if is_nobody else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, within_seconds: float = 20.0, waits: bool = True) -> None:
        """Starts it and waits until it answers."""
        assert not self.is_running
        with self._log.open("ab") as log:
            self._process = watched(
                subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    user=self._user,
                    group=self._user,
                    extra_groups=[] if self._user is not None else None,
                    start_new_session=True,
                )
            )
        if waits:
            self.wait_answers(within_seconds)

    def wait_answers(self, within_seconds: float = 20.0) -> None:
        deadline = time.monotonic() + within_seconds
        while not self._answers():
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._command[0]} does not run:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.01)  # noqa: TID251  the start of a server, before any loop runs

    def freeze(self) -> None:
        """Stops it as it stands: connections stay open and nothing answers, a black hole."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it and its children at once, unasked; returns when all of them are gone."""
        pids = self._signal(signal.SIGKILL)
        self._wait()
        deadline = time.monotonic() + 5
        while _any_is_alive(pids) and time.monotonic() < deadline:
            time.sleep(0.005)  # noqa: TID251  what they hold must be free for the next

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Ends it as an operator does."""
        if self._process is not None and self.is_running:
            self.thaw()
            self._process.send_signal(how)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        self._wait()

    def _signal(self, number: int) -> list[int]:
        """Signals all of it; gives the children's ids."""
        if self._process is None:
            return []
        leader = self._process.pid
        if self.is_running:
            # It must have no more children while they are looked for.
            os.kill(leader, number if number == signal.SIGCONT else signal.SIGSTOP)
        # PostgreSQL puts each of its processes into a session of its own, so the group is not all of it. And the
        # leader may be dead and the group not: it is signalled as long as nobody has waited for its leader.
        pids = trees.descendants(leader)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, number)
        return pids

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(10)
            self._process = None


def _any_is_alive(pids: Sequence[int]) -> bool:
    if not pids:
        return False
    listed = trees.processes()
    return any(pid in listed and listed[pid].is_alive for pid in pids)


class ServerFolder:
    """A folder of a server's own, which `nobody` may enter; gone soon after it is closed."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"visiona-{name}-"))
        self.path.chmod(0o755)
        watch_folder(self.path)

    def remove(self) -> None:
        remove_folder(self.path)


class OwnServer:
    """What every server of a test's own has: a process in a folder, to be killed, frozen and closed.

    Whoever inherits makes both.
    """

    _folder: ServerFolder
    _process: ServerProcess

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kill(self) -> None:
        """SIGKILL to the whole server, as by an out-of-memory killer."""
        self._process.kill()

    def freeze(self) -> None:
        self._process.freeze()

    def thaw(self) -> None:
        self._process.thaw()

    def close(self) -> None:
        self._process.kill()
        self._folder.remove()

    def log_text(self) -> str:
        return (self._folder.path / "log").read_text(errors="replace")


def free_port() -> int:
    """A port of the loopback that nobody has just now, nor is given by chance while its server is down."""
    _, ports = _our_ports()
    while True:
        port = next(ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@functools.cache
def _our_ports() -> tuple[socket.socket, Iterator[int]]:
    """This run's: whoever holds the first of a block has all of it, one after the other and round again."""
    for first in NOBODYS_PORTS:
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", first))
        except OSError:
            held.close()
            continue
        return held, itertools.cycle(range(first + 1, first + NOBODYS_PORTS.step))
    raise RuntimeError("too many runs of tests at once")


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False
