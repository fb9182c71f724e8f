"""What idle devices cost, and what happens when all of them come back at once after a restart.

Each agent dials from a loopback address of its own, as a fleet does: the limits per address are left as they are.
"""

import argparse
import contextlib
import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processes import (
    Bound,
    ask,
    cpu_seconds,
    folder,
    machine,
    new_caller,
    pause,
    process,
    rss_bytes,
    serving,
)

PATIENCE_SECONDS = 120.0


def pair_all(place: Path, count: int) -> list[str]:
    """The session tokens of so many new devices."""
    tokens = []
    with serving(place) as bound:
        token = new_caller(place)
        for number in range(count):
            name = {"name": f"unit {number}"}
            pairing = ask(bound.web, "/api/pairing/token", token, name)["data"]["token"]
            paired = ask(bound.web, "/api/pairing/exchange", None, {"pairing_token": pairing, **name})["data"]
            tokens.append(paired["session_token"])
    return tokens


@contextlib.contextmanager
def fleet(place: Path, relay: str, tokens: list[str]) -> Iterator[None]:
    """All agents, each staying connected, while the block runs."""
    order = [str(place / "stub"), "-relay", relay, "-spread"]
    with process(order, place / "fleet.log", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        running.stdin.write("\n".join(tokens) + "\n")
        running.stdin.close()
        yield


def metrics(bound: Bound) -> dict[str, float]:
    """The server's own figures, by name and labels."""
    with urllib.request.urlopen(f"{bound.internal}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")
    }


def lag(figures: dict[str, float]) -> dict[str, Any]:
    """From the histogram of the loop's ticks: the bucket that the slowest fell in, and the share of slow ones."""
    buckets = {}
    for name, value in figures.items():
        if found := re.fullmatch(r'visiona_loop_lag_seconds_bucket\{le="(.+)"\}', name):
            buckets[float(found[1])] = value
    total = max(buckets.values())
    return {
        "slowest tick at most (s)": min(bound for bound, count in buckets.items() if count == total),
        "ticks over 100 ms": int(total - buckets[0.1]),
    }


class Watcher:
    """Asks /healthz again and again from a thread, and keeps how long each answer took."""

    def __init__(self, bound: Bound) -> None:
        self.took: list[float] = []
        self.failed = 0
        self._url = f"{bound.internal}/healthz"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.02):
            began = time.monotonic()
            try:
                urllib.request.urlopen(self._url, timeout=30).read()
            except OSError:
                self.failed += 1
            else:
                self.took.append(time.monotonic() - began)


def wait_all(bound: Bound, count: int) -> float:
    """Seconds until so many tunnels are up."""
    began = time.monotonic()
    while (up := metrics(bound)["visiona_tunnels"]) < count:
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise SystemExit(f"only {up:.0f} of {count} came within {PATIENCE_SECONDS:.0f} s")
        pause(0.05)
    return time.monotonic() - began


def idle(bound: Bound, seconds: float) -> tuple[float, float]:
    """RSS in bytes, and the share of a core that was used."""
    before = cpu_seconds(bound.pid)
    pause(seconds)
    return rss_bytes(bound.pid), (cpu_seconds(bound.pid) - before) / seconds


def come_back(bound: Bound, count: int) -> dict[str, Any]:
    """All agents wait for this server, which has just begun to accept."""
    with Watcher(bound) as watcher:
        seconds = wait_all(bound, count)
    return {
        "all back after (s)": seconds,
        **lag(metrics(bound)),
        "healthz asked": len(watcher.took),
        "healthz slowest (s)": max(watcher.took),
        "healthz failed": watcher.failed,
    }


def measure(place: Path, count: int, seconds: float) -> dict[str, Any]:
    """Everything, in the order of the output."""
    tokens = pair_all(place, count)
    results: dict[str, Any] = {}
    with contextlib.ExitStack() as agents:
        with serving(place) as bound:
            alone, busy = idle(bound, 3.0)
            results |= {"idle server: RSS (MiB)": alone / 2**20, "idle server: share of a core": busy}
            listen = [
                f"{name}.listen={url.partition('//')[2]}"
                for name, url in bound._asdict().items()
                if name != "pid"
            ]
            agents.enter_context(fleet(place, bound.relay, tokens))
            results["first connect: all after (s)"] = wait_all(bound, count)
            pause(15.0)
            rss, busy = idle(bound, seconds)
            results |= {
                "RSS with all (MiB)": rss / 2**20,
                "RSS an agent (KiB)": (rss - alone) / count / 1024,
                "share of a core with all": busy,
            }
        with serving(place, *listen) as bound:
            results |= {f"after a restart: {name}": value for name, value in come_back(bound, count).items()}
            pause(5.0)
            results["after a restart: RSS (MiB)"] = rss_bytes(bound.pid) / 2**20
    return results


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="scripts/bench memory", description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0, help="over which idle CPU is measured")
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    about = machine()
    with folder() as place:
        results = measure(place, options.agents, options.seconds)
        log = (place / "serve.log").read_text().splitlines()
        blocked = [line for line in log if "loop is blocked" in line]
    print(" · ".join(f"{name} {value}" for name, value in about.items()))
    for line in blocked:
        print(line)
    for name, value in {"agents": options.agents, **results}.items():
        print(f"{name:<44}{value:,.3f}" if isinstance(value, float) else f"{name:<44}{value}")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
