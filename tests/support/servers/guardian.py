"""Ends what a run of tests has started when the run was killed and cannot, and removes its folders.

A program of its own at the end of a pipe: `watched` and `watch_folder` tell it what there is, and the pipe's end tells
it that the run is over, however that came. What the run has ended itself it finds gone.

It also removes folders while the run goes on: a busy disk takes many seconds for a thousand files, and no test has those.
"""

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from tests.support.servers import trees

T = TypeVar("T", bound="subprocess.Popen[bytes] | subprocess.Popen[str]")

ROOT = Path(__file__).parents[3]
END_SECONDS = 20.0
"""A run waits so long for its guardian, which goes on if it has not done all by then."""


def watched(process: T) -> T:
    """The process, which now ends with this one, with all that it has started."""
    _tell({"pid": process.pid})
    return process


def watch_folder(path: Path) -> None:
    """The temporary folder goes when this process does."""
    _tell({"folder": str(path)})


def remove_folder(path: Path) -> None:
    """Soon, and nobody waits for it."""
    _tell({"remove": str(path)})


def _tell(what: dict[str, object]) -> None:
    # Shorter than a pipe takes at once, so whatever thread tells it, lines stay whole.
    os.write(_pipe(), json.dumps(what).encode() + b"\n")


@functools.cache
def _pipe() -> int:
    """Where the guardian listens."""
    its_end, ours = os.pipe()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}  # noqa: TID251 - a child's environment is made of ours
    # In a session of its own: what is sent to the run's group is not meant for it.
    guardian = subprocess.Popen(
        [sys.executable, "-m", "tests.support.servers.guardian"],
        stdin=its_end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    )
    os.close(its_end)
    # A copy of us that lives on would keep the pipe open.
    os.register_at_fork(after_in_child=lambda: os.close(ours))
    atexit.register(_end, guardian, ours)
    return ours


def _end(guardian: "subprocess.Popen[bytes]", pipe: int) -> None:
    os.close(pipe)
    with contextlib.suppress(subprocess.TimeoutExpired):
        guardian.wait(END_SECONDS)


def guard(lines: Iterable[str]) -> None:
    """The guardian: hears until the pipe ends, then ends and removes."""
    seen: dict[int, str] = {}
    folders: list[Path] = []
    for line in lines:
        told = json.loads(line)
        if "folder" in told:
            folders.append(Path(told["folder"]))
        elif "remove" in told:
            _remove(Path(told["remove"]))
        elif (one := trees.processes().get(told["pid"])) is not None:
            seen[one.pid] = one.started
    running = trees.processes()
    for pid, started in seen.items():
        # An id may be another's by now.
        if pid in running and running[pid].started == started:
            trees.kill(pid)
    for folder in folders:
        _remove(folder)


def _remove(folder: Path) -> None:
    if folder.parent == Path(tempfile.gettempdir()):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(sys.stdin)
