"""Requests and bytes through the tunnel: what they cost, and how that compares with a Go relay in the same run.

Every round asks each relay in turn for each piece of work, so that what else the machine does hits all alike; shown
are medians. Absolute numbers are good for this machine and this minute, ratios for more.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from processes import TREE, Bound, ask, cpu_seconds, folder, machine, new_caller, pause, process, serving
from tests.interop import gobuild

BULK_BYTES = 128 << 20
SMALL_PATH = "/digest"
"""Answers a GET and a POST alike, with 150 bytes of JSON and at little cost to the agent."""


class Work(NamedTuple):
    """What is asked of every relay."""

    name: str
    agent: str
    path: str
    flags: tuple[str, ...]
    is_bulk: bool = False


class Site(NamedTuple):
    """One relay under test: where its web port is, whose process it is, and its device of each kind of agent."""

    name: str
    address: str
    pid: int
    token: str
    devices: dict[str, str]


def small_work(agents: list[str]) -> list[Work]:
    """Small requests, many a second."""
    counts = [
        ("get 1", "1", "0"),
        ("get 32", "32", "0"),
        ("get 256", "256", "0"),
        ("post 500 B 32", "32", "500"),
    ]
    return [
        Work(name, agent, SMALL_PATH, ("-connections", count, "-body", body))
        for agent in agents
        for name, count, body in counts
    ]


def bulk_work() -> list[Work]:
    """Few requests, many bytes."""
    works = []
    for direction in ("down", "up"):
        for chunked in (0, 1):
            for streams in (1, 16):
                name = f"{direction} {'chunked' if chunked else 'sized'} {streams}"
                path = (
                    f"/bytes?n={BULK_BYTES // streams}&chunked={chunked}"
                    if direction == "down"
                    else "/digest"
                )
                flags = (
                    "-connections",
                    str(streams),
                    "-bulk",
                    direction,
                    f"-chunked={chunked}",
                    "-bytes",
                    str(BULK_BYTES),
                )
                works.append(Work(name, "go", path, flags, is_bulk=True))
    return works


def run_work(place: Path, site: Site, work: Work, seconds: float) -> dict[str, float]:
    """One measurement."""
    path = f"/api/devices/{site.devices[work.agent]}/proxy{work.path}"
    order = [place / "client", "-address", site.address, "-path", path, "-token", site.token, *work.flags]
    before = cpu_seconds(site.pid)
    done = subprocess.run(
        [*order, "-measured", f"{seconds}s", "-warm", "0.3s"], capture_output=True, text=True
    )
    cpu = cpu_seconds(site.pid) - before
    if done.returncode:
        sys.exit(f"{site.name}, {work.name} ({work.agent}): {done.stderr.strip()}")
    said = json.loads(done.stdout)
    if work.is_bulk:
        megabytes = said["bytes"] / 1e6
        return {"MB/s": megabytes / said["seconds"], "CPU ms/MB": 1000 * cpu / megabytes}
    rate = said["requests"] / said["seconds"]
    # The time of warming up is in the CPU too, so it is spread over as many requests as were made in all of it.
    cpu_us = 1e6 * cpu / (rate * (seconds + 0.3))
    return {"req/s": rate, "p50 ms": said["p50_ms"], "p99 ms": said["p99_ms"], "CPU us": cpu_us}


@contextlib.contextmanager
def our_site(place: Path, name: str, agents: list[str], *settings: str, tree: Path = TREE) -> Iterator[Site]:
    """`visiona serve` with its agents."""
    with serving(place / name, *settings, tree=tree) as bound, contextlib.ExitStack() as running:
        token = new_caller(place / name, tree)
        devices = {}
        for agent in agents:
            pairing = ask(bound.web, "/api/pairing/token", token, {"name": agent})["data"]["token"]
            paired = ask(bound.web, "/api/pairing/exchange", None, {"pairing_token": pairing, "name": agent})[
                "data"
            ]
            running.enter_context(agent_process(place, agent, bound.relay, paired["session_token"]))
            devices[agent] = paired["device_id"]
        wait_online(bound, token, devices)
        yield Site(name, bound.web.partition("//")[2], bound.pid, token, devices)


@contextlib.contextmanager
def go_site(place: Path, agents: list[str]) -> Iterator[Site]:
    """The Go relay with its agents; the token of an agent is its name there."""
    order = [str(place / "relay"), "-caller", "bench"]
    with (
        process(order, place / "go-relay.log", stdout=subprocess.PIPE) as relay,
        contextlib.ExitStack() as running,
    ):
        bound = json.loads(relay.stdout.readline())
        for agent in agents:
            running.enter_context(agent_process(place, agent, f"ws://{bound['address']}", agent))
        pause(1.0)
        yield Site("go", bound["address"], bound["pid"], "bench", {agent: agent for agent in agents})


@contextlib.contextmanager
def agent_process(place: Path, kind: str, relay: str, token: str) -> Iterator[None]:
    """`go`: gorilla, hashicorp/yamux and an HTTP server; `stub`: answers by itself at once."""
    order = [str(place / "stub"), "-relay", relay]
    if kind == "go":
        order = [str(gobuild.build() / "agent-new"), "-relay", relay, "-token", token]
    with process(order, place / f"{kind}.log", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        if kind == "stub":
            running.stdin.write(token + "\n")
            running.stdin.close()
        yield


def wait_online(bound: Bound, token: str, devices: dict[str, str]) -> None:
    """Returns when all tunnels are up."""
    while not all(
        ask(bound.web, f"/api/devices/{device}", token)["data"]["tunnel_online"]
        for device in devices.values()
    ):
        pause(0.1)


def measure(
    place: Path, sites: list[Site], works: list[Work], rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """The median of each figure, for each piece of work at each site."""
    seen: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    for number in range(rounds):
        for work in works:
            for site in sites:
                seen.setdefault((work.agent, work.name, site.name), []).append(
                    run_work(place, site, work, seconds)
                )
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return [
        {"agent": agent, "work": work, "relay": site}
        | {figure: statistics.median(one[figure] for one in many) for figure in many[0]}
        for (agent, work, site), many in seen.items()
    ]


def show(results: list[dict[str, Any]], reference: str) -> None:
    """A table, with each figure's ratio to the reference relay."""
    found = {(row["agent"], row["work"], row["relay"]): row for row in results}
    for row in results:
        base = found.get((row["agent"], row["work"], reference))
        cells = []
        for name, value in row.items():
            if isinstance(value, float):
                ratio = f" ({value / base[name]:.2f})" if base and row is not base and base[name] else ""
                cells.append(f"{name} {value:,.{0 if value >= 100 else 2}f}{ratio}".ljust(24))
        print(f"{row['agent']:<5}{row['work']:<16}{row['relay']:<6}{''.join(cells)}".rstrip())


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="scripts/bench relay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement of small requests")
    parser.add_argument(
        "--relays", default="door,asgi,go", help="door and asgi are ours; go is the reference"
    )
    parser.add_argument("--agents", default="go,stub", help="go: a real one; stub: answers at once")
    parser.add_argument("--only", default="", help="only work whose name contains this")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="another checkout; its door is the relay `base`"
    )
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    agents, relays = options.agents.split(","), options.relays.split(",")
    if options.against and "base" not in relays:
        relays.append("base")
    works = [
        work
        for work in [*small_work(agents), *bulk_work()]
        if options.only in work.name and work.agent in agents
    ]
    about = machine()
    with folder() as place, contextlib.ExitStack() as running:
        kinds = {"door": "true", "asgi": "false", "base": "true"}
        sites = [
            running.enter_context(
                go_site(place, agents)
                if name == "go"
                else our_site(
                    place,
                    name,
                    agents,
                    f"web.fast_door={kinds[name]}",
                    tree=(options.against or TREE) if name == "base" else TREE,
                )
            )
            for name in relays
        ]
        results = measure(place, sites, works, options.rounds, options.seconds)
    print(" · ".join(f"{name} {value}" for name, value in about.items()))
    show(results, "go" if "go" in relays else relays[-1])
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
