"""How fast a model gets from the server to a device, over paths of several lengths, by one stream and by four.

The agent is the Go one, whose receive window stays at 256 KiB, and for comparison ours; the path between it and the relay
is a relay that delays every byte. The time is the server's own: from the state `pushing` to the state `flashing`.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from processes import machine
from tests.e2e.agents import Unit, go_unit, reference_agent
from tests.e2e.client import Caller, until
from tests.e2e.evidence import Evidence
from tests.e2e.sample_unit import sample_unit
from tests.e2e.server import Server, running_server
from tests.e2e.test_model_loads import Watched, uploaded
from tests.support.toxics import ToxicRelay
from visiona.agent.sample import site

DELAYS_MILLISECONDS = (0, 50, 100)
STREAMS = {"form": 0, "1 stream": 1, "4 streams": 4}
MEBIBYTE = 1024 * 1024


@contextlib.contextmanager
def unit_behind(server: Server, owner: Caller, way: ToxicRelay, agent: str, place: Path) -> Iterator[Unit]:
    """A sample unit whose agent dials through the way."""
    dial = f"ws://127.0.0.1:{way.port}"
    with sample_unit() as local:
        if agent == "ours":
            with reference_agent(server, owner, place, local, "--dial", dial) as (unit, _):
                yield unit
        else:
            target = local.removeprefix("http://")
            with go_unit(server, owner, "new", mode="pipe", target=target, relay=dial) as (unit, _):
                yield unit


def seconds(unit: Unit, way: ToxicRelay, delay_milliseconds: int, size: int) -> float:
    """One push of a file that the unit has never seen."""
    model = uploaded(unit.owner, f"bench-{size}-{delay_milliseconds}", "KL720", size)
    way.delay(delay_milliseconds / 2000)
    try:
        load = Watched(unit, model)
        last = load.to_the_end()
    finally:
        way.heal()
    assert last["state"] == "active", last
    assert unit.owner.ask("DELETE", f"/api/models/{model['id']}").status == 204
    began, ended = (
        datetime.fromisoformat(next(one["updated_at"] for one in load.events if one["state"] == state))
        for state in ("pushing", "flashing")
    )
    return (ended - began).total_seconds()


def measure(agent: str, size: int, rounds: int) -> list[dict[str, Any]]:
    """Every delay by every manner."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="visiona-bench-") as name:
        place = Path(name)
        with running_server(place / "server", Evidence()) as server:
            owner = server.person("ada")
            with ToxicRelay(int(server.relay.rpartition(":")[2])) as way:
                for manner, streams in STREAMS.items():
                    site.MAX_STREAMS = streams
                    with unit_behind(server, owner, way, agent, place / manner.replace(" ", "-")) as unit:
                        until(lambda: unit.item["accelerators"], "the accelerators are known")
                        for delay in DELAYS_MILLISECONDS:
                            took = statistics.median(seconds(unit, way, delay, size) for _ in range(rounds))
                            rows.append(
                                {"agent": agent, "manner": manner, "delay": delay, "rate": size / took / 1e6}
                            )
                            print(rows[-1], file=sys.stderr)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """As a table for people."""
    print("| agent | manner | " + " | ".join(f"{delay} ms" for delay in DELAYS_MILLISECONDS) + " |")
    print("|---|---|" + "---|" * len(DELAYS_MILLISECONDS))
    for agent, manner in dict.fromkeys((row["agent"], row["manner"]) for row in rows):
        rates = [row["rate"] for row in rows if (row["agent"], row["manner"]) == (agent, manner)]
        print(f"| {agent} | {manner} | " + " | ".join(f"{rate:.1f} MB/s" for rate in rates) + " |")


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="scripts/bench push", description=__doc__)
    parser.add_argument("--size", type=int, default=16, help="of the model, in MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--agents", default="go,ours")
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    about = machine()
    rows = [
        row
        for agent in options.agents.split(",")
        for row in measure(agent, options.size * MEBIBYTE, options.rounds)
    ]
    print(
        f"{about}; a file of {options.size} MiB, median of {options.rounds}; the delay is that of a round trip\n"
    )
    show(rows)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
