"""The processes of a measurement: Go programs, `visiona serve`, and what the kernel says of them."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
TREE = HERE.parent.parent
PROGRAMS = ("client", "stub", "relay")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def build(place: Path) -> None:
    """Builds the Go programs of load/; Go's own cache makes the second time quick."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        sys.exit("this needs Go 1.24 or newer: its load must cost less than the relay it measures")
    settings = ["env", "GOTOOLCHAIN=local", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0", "GOWORK=off"]
    order = [go, "build", "-o", str(place), *(f"./{name}" for name in PROGRAMS)]
    subprocess.run([*settings, *order], cwd=HERE / "load", check=True)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary directory with the programs in it."""
    with tempfile.TemporaryDirectory(prefix="visiona-bench-") as name:
        place = Path(name)
        build(place)
        yield place


@contextlib.contextmanager
def process(order: list[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process while the block runs."""
    with log.open("a") as errors:
        running = subprocess.Popen(order, stderr=errors, text=True, **more)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


class Bound(NamedTuple):
    """A server that accepts."""

    web: str
    relay: str
    internal: str
    pid: int


@contextlib.contextmanager
def serving(place: Path, *settings: str, tree: Path = TREE) -> Iterator[Bound]:
    """`visiona serve` with its state in `place` while the block runs. Its log is `place/serve.log`.

    Args:
        place: made if need be; what a server left there before is found again.
        settings: as `--set` takes them.
        tree: the checkout whose server it is.
    """
    place.mkdir(exist_ok=True)
    ready = place / "ready.json"
    ready.unlink(missing_ok=True)
    values = [f"state_dir={place / 'state'}", "web.rate_limits=false", *settings]
    listen = [f"{name}.listen=127.0.0.1:0" for name in Bound._fields[:3]]
    chosen = [
        value for value in listen if not any(value.split("=")[0] == one.split("=")[0] for one in settings)
    ]
    options = [part for value in [*values, *chosen] for part in ("--set", value)]
    order = [sys.executable, "-m", "visiona", *options, "serve", "--ready-file", str(ready)]
    with process(order, place / "serve.log", stdout=subprocess.DEVNULL, cwd=tree) as running:
        deadline = time.monotonic() + READY_SECONDS
        while not ready.exists():
            if running.poll() is not None or time.monotonic() > deadline:
                sys.exit((place / "serve.log").read_text()[-3000:])
            pause(0.02)
        yield Bound(**json.loads(ready.read_text()))


def visiona(place: Path, *arguments: str, stdin: str = "", tree: Path = TREE) -> str:
    """What a command beside the server prints."""
    order = [sys.executable, "-m", "visiona", "--set", f"state_dir={place / 'state'}", *arguments]
    return subprocess.run(order, input=stdin, check=True, stdout=subprocess.PIPE, text=True, cwd=tree).stdout


def new_caller(place: Path, tree: Path = TREE, email: str = "bench@example.org") -> str:
    """The token of a new account."""
    visiona(
        place, "user", "add", email, "--password-stdin", stdin="correct horse battery staple\n", tree=tree
    )
    made = visiona(place, "token", "create", "--user", email, "--name", "bench", "--json", tree=tree)
    return str(json.loads(made)["token"])


def ask(url: str, path: str, token: str | None = None, body: Any = None) -> Any:
    """One call of the API; a body makes it a POST."""
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_bytes(pid: int) -> int:
    """Resident memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def pause(seconds: float) -> None:
    """Nothing here has a loop to hold up."""
    time.sleep(seconds)  # noqa: TID251 - no loop runs here


def machine() -> dict[str, Any]:
    """What must be known to read the numbers."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": model[0].partition(":")[2].strip() if model else "unknown",
        "python": sys.version.split()[0],
        "load_average": os.getloadavg()[0],
    }
