"""An edge unit for the console's tests: the sample service as a process, and the agent that a pasted line starts.

Run as a module it is the sample service: it says its address and serves until it is ended.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
from visiona.agent.sample.serve import serve_sample

from tests.e2e.server import clean_environment
from tests.support.servers.guardian import watched


@contextmanager
def sample_service() -> Iterator[str]:
    """The unit's own service while the block runs; gives its address."""
    order = [sys.executable, "-m", "tests.browser.unit"]
    started = subprocess.Popen(order, stdout=subprocess.PIPE, text=True, env=clean_environment())
    with watched(started) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(15)


class Unit:
    """A unit in whose terminal somebody pastes lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._agent: subprocess.Popen[bytes] | None = None

    def paste(self, line: str, *more: str) -> None:
        """Runs the line, word by word as the console wrote it: the pairing, then the agent, which goes on."""
        pairing, then, running = line.partition(" && ")
        assert then
        done = subprocess.run(
            [*self._words(pairing), *more],
            capture_output=True,
            text=True,
            timeout=30,
            env=clean_environment(),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.start(running)

    def start(self, line: str = "visiona agent run") -> None:
        with (self._folder / "agent.log").open("ab") as log:
            started = subprocess.Popen(self._words(line), stdout=log, stderr=log, env=clean_environment())
        self._agent = watched(started)

    def stop(self) -> None:
        """The agent says goodbye and is gone."""
        if self._agent is not None:
            self._agent.terminate()
            self._agent.wait(15)
            self._agent = None

    def _words(self, line: str) -> list[str]:
        program, *words = shlex.split(line)
        assert program == "visiona"
        return [sys.executable, "-m", "visiona", *words, "--state-dir", str(self._folder / "state")]


async def _serve() -> None:
    async with trio.open_nursery() as nursery:
        sys.stdout.write(await nursery.start(serve_sample) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(_serve)
