"""How the agent does, for `visiona agent status`: a small file that the running agent rewrites at each change.

Whether an agent runs at all is told by its lock on the state directory, which the kernel lets go of however the
process ended. The lock also keeps two agents from fighting over one credential.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from visiona.agent.credential import write_private

STATUS_NAME = "status.json"
LOCK_NAME = "agent.lock"
MAX_FILE_BYTES = 16 * 1024


class AlreadyRunning(Exception):
    """Another agent uses this state directory."""


class State(Enum):
    """What the agent is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """One state, since when (RFC 3339), and why for a person.

    Attributes:
        next_attempt_seconds: counted from `since`; None when nothing is waited for.
    """

    state: State
    since: str
    why: str = ""
    relay: str = ""
    target: str = ""
    next_attempt_seconds: float | None = None

    def sentence(self) -> str:
        """For a person: what, and why."""
        towards = {
            State.CONNECTED: "connected to",
            State.CONNECTING: "connecting to",
            State.WAITING: "away from",
        }
        text = f"{towards.get(self.state, self.state.value)} {self.relay}"
        if self.next_attempt_seconds is not None:
            text += f", next attempt in {self.next_attempt_seconds:.0f} s"
        return f"{text}: {self.why}" if self.why else text


def moment() -> str:
    """Now, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def write_status(state_dir: Path, status: Status) -> None:
    """Rewrites the file; raises OSError."""
    entries = asdict(status) | {"state": status.state.value}
    write_private(state_dir / STATUS_NAME, json.dumps(entries) + "\n", durable=False)


def read_status(state_dir: Path) -> Status | None:
    """What the agent wrote last, running or not; None if nothing that can be read."""
    try:
        with (state_dir / STATUS_NAME).open("rb") as file:
            entries = json.loads(file.read(MAX_FILE_BYTES))
        return Status(**(entries | {"state": State(entries["state"])}))
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def running_in(state_dir: Path) -> Iterator[None]:
    """Holds the state directory for this agent; raises AlreadyRunning or OSError."""
    descriptor = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another agent runs with {state_dir}") from None
        yield
    finally:
        os.close(descriptor)


def is_running(state_dir: Path) -> bool:
    """Whether an agent holds the state directory."""
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
