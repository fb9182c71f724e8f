"""A whole server under mixed load: many callers on its API, while its relay carries bulk through a tunnel.

No caller may see an error, and the event loop must not be late. That is measured inside the server, which counts how
long each tick of the loop took (/metrics): how many took long, and how long somebody waits who comes at any moment.
"""

import argparse
import contextlib
import itertools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio
from memory import metrics
from processes import Bound, ask, cpu_seconds, folder, machine, pause, process, rss_bytes, serving
from store_engines import Engine, Servers
from tests.interop import gobuild
from tests.support.mixed_load import OF_TEN, Person, Report, make_people, mix
from visiona.stores.opening import open_stores
from visiona.web.session_key import session_key

PROMISE_SECONDS = 0.05
PIECE_BYTES = 64 << 20


def settings_of(engine: Engine) -> list[str]:
    """What `visiona serve` is told of its stores."""
    stores = engine.settings
    said = [f"database.synchronous={stores.synchronous}"]
    if stores.url is not None:
        said.append(f"database.url={stores.url}")
    if stores.redis.url is not None:
        said += [f"redis.url={stores.redis.url}", f"redis.key_prefix={stores.redis.key_prefix}"]
    return said


async def people_of(engine: Engine, state: Path, count: int) -> list[Person]:
    """Accounts, made beside the running server."""
    async with open_stores(replace(engine.settings, state_dir=state), exclusive=False) as stores:
        return await make_people(stores, session_key(None, state, is_kept=True), count)


@contextlib.contextmanager
def agent(place: Path, bound: Bound, person: Person) -> Iterator[str]:
    """A unit that is online, with Go's HTTP server in it; its id."""
    pairing = ask(bound.web, "/api/pairing/token", person.token, {"name": "bulk"})["data"]["token"]
    paired = ask(bound.web, "/api/pairing/exchange", None, {"pairing_token": pairing})["data"]
    program = str(gobuild.build() / "agent-new")
    order = [program, "-relay", bound.relay, "-token", paired["session_token"]]
    with process(order, place / "agent.log", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL):
        while not ask(bound.web, f"/api/devices/{paired['device_id']}", person.token)["data"][
            "tunnel_online"
        ]:
            pause(0.1)
        yield paired["device_id"]


class Bulk:
    """Bytes through the tunnel in both directions, again and again, until the block is left.

    Attributes:
        moved: bytes, and `seconds` how long that took, of each direction.
        failed: what a transfer complained of.
    """

    def __init__(self, place: Path, bound: Bound, person: Person, device: str, streams: int) -> None:
        self.moved = {"down": 0, "up": 0}
        self.seconds = {"down": 0.0, "up": 0.0}
        self.failed: list[str] = []
        self._done = threading.Event()
        common = [str(place / "client"), "-address", bound.web.partition("//")[2], "-token", person.token]
        self._order = [*common, "-connections", str(streams), "-bytes", str(PIECE_BYTES)]
        self._device = f"/api/devices/{device}/proxy"
        self._paths = {"down": f"/bytes?n={PIECE_BYTES // max(1, streams)}&chunked=0", "up": "/digest"}
        self._threads = [
            threading.Thread(target=self._run, args=(direction,)) for direction in self.moved if streams
        ]

    def __enter__(self) -> "Bulk":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, direction: str) -> None:
        order = [*self._order, "-bulk", direction, "-path", self._device + self._paths[direction]]
        while not self._done.is_set():
            done = subprocess.run(order, capture_output=True, text=True)
            if done.returncode:
                self.failed.append(done.stderr.strip())
                return
            said = json.loads(done.stdout)
            self.moved[direction] += said["bytes"]
            self.seconds[direction] += said["seconds"]


def lag(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, Any]:
    """From the histogram of the loop's ticks."""
    counts = []
    for name, value in after.items():
        if found := re.fullmatch(r'visiona_loop_lag_seconds_bucket\{le="(.+)"\}', name):
            counts.append((float(found[1]), value - before[name]))
    counts.sort()
    total = counts[-1][1]
    late = total - next(count for bound, count in counts if bound == PROMISE_SECONDS)
    busy = after["visiona_loop_lag_seconds_sum"] - before["visiona_loop_lag_seconds_sum"]
    return {
        "loop busy (share)": busy / seconds,
        "ticks": int(total),
        "ticks: 99 of 100 within (ms)": 1000 * within(counts, 0.99 * total),
        "ticks: slowest within (ms)": 1000 * next(bound for bound, count in counts if count == total),
        f"ticks beyond {PROMISE_SECONDS * 1000:.0f} ms": int(late),
        "who comes at any moment waits: 99 of 100 within (ms)": 1000 * waits(counts, seconds, 0.99),
    }


def within(counts: list[tuple[float, float]], wanted: float) -> float:
    """What so many stayed under, taking those of a bucket as evenly spread in it."""
    below_bound, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            return below_bound + (bound - below_bound) * (wanted - below) / max(1.0, count - below)
        below_bound, below = bound, count
    return float("inf")


def waits(counts: list[tuple[float, float]], seconds: float, share: float) -> float:
    """How long a wait is that such a share of comers does not exceed; whoever comes in a tick waits for its end.

    Each tick is taken for as long as its bucket's bound, so this is rather too much than too little.
    """
    ticks = [
        (bound, count - below) for (_, below), (bound, count) in itertools.pairwise([(0.0, 0.0), *counts])
    ]
    wait = 0.0
    while sum(count * max(0.0, bound - wait) for bound, count in ticks if count) > (1 - share) * seconds:
        wait += 0.0005
    return wait


def measure(place: Path, engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    """One run of the whole."""
    told = [*settings_of(engine), f"web.caller_cache_seconds={options.cache_seconds}"]
    with serving(place / "server", *told) as bound:
        people = trio.run(people_of, engine, place / "server" / "state", options.clients + 1)
        with agent(place, bound, people[-1]) as device:
            streams = options.streams
            with Bulk(place, bound, people[-1], device, streams) as bulk:
                trio.run(mix, bound.web, people[:-1], 2.0)
                before, cpu = metrics(bound), cpu_seconds(bound.pid)
                report = trio.run(mix, bound.web, people[:-1], options.seconds)
                cpu = (cpu_seconds(bound.pid) - cpu) / report.seconds
                after, rss = metrics(bound), rss_bytes(bound.pid) / 2**20
    for line in (place / "server" / "serve.log").read_text().splitlines():
        if "loop is blocked" in line or "ERROR" in line or "Traceback" in line:
            print(line[:600], file=sys.stderr)
    return {
        **answered(report),
        **{
            f"bulk {direction} (MB/s)": moved / 1e6 / (bulk.seconds[direction] or 1.0)
            for direction, moved in bulk.moved.items()
        },
        "bulk failed": "; ".join(bulk.failed) or "none",
        "server's CPU (cores)": cpu,
        "server's RSS (MiB)": rss,
        **lag(before, after, report.seconds),
    }


def answered(report: Report) -> dict[str, Any]:
    """What the callers saw."""
    errors = [f"{count} × {what}" for what, count in report.errors.items()]
    figures: dict[str, Any] = {
        "answers": report.count,
        "answers/s": report.count / report.seconds,
        "errors": "; ".join(errors) or "none",
    }
    for kind in OF_TEN:
        shares = " / ".join(f"{1000 * report.quantile(kind, share):.0f}" for share in (0.5, 0.99))
        figures[f"{kind}: answers, p50 / p99 (ms)"] = f"{len(report.took[kind])}, {shares}"
    return figures


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="scripts/bench mixed", description=__doc__)
    parser.add_argument("--engine", default="postgres+redis", help="as in `scripts/bench stores`")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--streams", type=int, default=4, help="bulk transfers at once, each way; 0: none")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--cache-seconds",
        type=float,
        default=0.0,
        help="how long a checked caller is believed; 0: each is asked for",
    )
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    about = machine()
    with folder() as place, Servers(place) as servers:
        results = measure(place, servers.engine(options.engine), options)
    print(" · ".join(f"{name} {value}" for name, value in about.items()))
    for name, value in {"engine": options.engine, "clients": options.clients, **results}.items():
        print(f"{name:<64}{value:,.3f}" if isinstance(value, float) else f"{name:<64}{value}")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
