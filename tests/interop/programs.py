"""A running Go program, seen through the JSON lines that it prints and ordered about through its standard input."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import trio

from tests.interop import gobuild
from tests.support.servers.guardian import watched

Line = dict[str, Any]


class GoProgram:
    """One process; `lines` grows as it speaks. Made by `go_program` and ended by it."""

    def __init__(self, order: list[str]) -> None:
        self.lines: list[Line] = []
        self._spoke = threading.Condition()
        self._complaints: list[str] = []
        pipe = subprocess.PIPE
        self.process = watched(
            subprocess.Popen(order, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1)
        )
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._hear, self._hear_complaints)
        ]
        for reader in self._readers:
            reader.start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            with self._spoke:
                self.lines.append(json.loads(text))
                self._spoke.notify_all()
        with self._spoke:
            self.lines.append({"event": "exited"})
            self._spoke.notify_all()

    def _hear_complaints(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self._complaints.append(text)
            del self._complaints[:-200]

    @property
    def complaints(self) -> str:
        """The last lines of standard error (yamux logs there)."""
        return "".join(self._complaints)

    def said(self, event: str) -> list[Line]:
        """Every line of that kind so far."""
        with self._spoke:
            return [line for line in self.lines if line["event"] == event]

    def wait(self, event: str, *, count: int = 1, within_seconds: float = 15.0) -> Line:
        """Block until the program has said `event` `count` times; the count-th line."""
        deadline = time.monotonic() + within_seconds
        with self._spoke:
            while True:
                found = [line for line in self.lines if line["event"] == event]
                if len(found) >= count:
                    return found[count - 1]
                gone = bool(self.lines) and self.lines[-1]["event"] == "exited"
                if gone or not self._spoke.wait(deadline - time.monotonic()):
                    raise AssertionError(
                        f"waited for {event!r} ×{count}; it said {self.lines[-20:]} and complained {self.complaints[-2000:]}"
                    )

    async def heard(self, event: str, *, count: int = 1, within_seconds: float = 15.0) -> Line:
        """`wait` for Trio tests."""

        def wait() -> Line:
            return self.wait(event, count=count, within_seconds=within_seconds)

        return await trio.to_thread.run_sync(wait, abandon_on_cancel=True)

    def tell(self, order: str) -> None:
        """One line to its standard input (go/cmd/agent/orders.go lists what it obeys)."""
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    async def counters(self) -> Line:
        """What the agent has counted up to now."""
        before = len(self.said("counters"))
        self.tell("counters")
        return await self.heard("counters", count=before + 1)

    def close(self) -> int:
        """End it, and collect its exit code."""
        self.process.kill()
        code = self.process.wait(10)
        for reader in self._readers:
            reader.join(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def go_program(command: str, generation: str, **flags: object) -> Iterator[GoProgram]:
    """Start one of the commands with `-flag=value` for each keyword (underscores become hyphens)."""
    order = [str(gobuild.binary(command, generation))]
    for name, value in flags.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        order.append(f"-{name.replace('_', '-')}={text}")
    with GoProgram(order) as program:
        yield program


@contextmanager
def go_agent(relay: str, token: str, generation: str = "new", **flags: object) -> Iterator[GoProgram]:
    """An edge unit as they exist: dials `relay` (`ws://…` or `wss://…`) with `token`.

    `mode="serve"|"pipe"|"forward"`, `auth="query"|"bearer"`, `once=True`, `target="host:port"` and the other flags
    of go/cmd/agent are keywords. `program.wait("started")["backend"]` is the local HTTP server's own TCP address.
    """
    with go_program("agent", generation, relay=relay, token=token, **flags) as program:
        yield program
