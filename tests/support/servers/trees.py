"""Processes and all that they have started, as `ps` lists them."""

import contextlib
import os
import signal
import subprocess
from typing import NamedTuple


class Listed(NamedTuple):
    """One process.

    Attributes:
        started: when, as text; the same id and moment are the same process.
    """

    pid: int
    parent: int
    state: str
    started: str

    @property
    def is_alive(self) -> bool:
        """Whether it has not only not been waited for yet."""
        return not self.state.startswith("Z")


def processes() -> dict[int, Listed]:
    """All that run, by their ids."""
    order = ["ps", "-A", "-o", "pid=,ppid=,stat=,lstart="]
    listed = subprocess.run(order, capture_output=True, text=True, check=True).stdout
    found = (line.split(None, 3) for line in listed.splitlines())
    return {
        int(pid): Listed(int(pid), int(parent), state, started.strip())
        for pid, parent, state, started in found
    }


def descendants(leader: int) -> list[int]:
    """Its children, and theirs."""
    children: dict[int, list[int]] = {}
    for one in processes().values():
        children.setdefault(one.parent, []).append(one.pid)
    found, open_ = [], [leader]
    while open_:
        of_one = children.get(open_.pop(), [])
        found += of_one
        open_ += of_one
    return found


def kill(leader: int) -> None:
    """Ends it and all that it has started, at once and unasked."""
    with contextlib.suppress(ProcessLookupError):
        # It must have no more children while they are looked for.
        os.kill(leader, signal.SIGSTOP)
    for pid in (*descendants(leader), leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
