"""What an outage of PostgreSQL or of Redis costs a whole server, in every way in which they go away.

The server and both of them run on this machine, each behind a relay that can spoil the way (tests/e2e/outages.py). Each
outage is played several times; the table has the median, and for answers the slowest of all.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from processes import machine, pause
from tests.e2e.evidence import Evidence
from tests.e2e.outage_kinds import DATABASE_OUTAGES, SESSION_OUTAGES
from tests.e2e.outages import Figures, Outage, Site, measure, must_be_honest, running_site

COLUMNS = {
    "named": "named by /healthz after",
    "answered": "503 within, at its beginning",
    "later": "503 within, once it is known",
    "recovered": "first success after its return",
}
ENGINES = {"database": "PostgreSQL", "redis": "Redis"}


def row(outage: Outage, many: list[Figures]) -> dict[str, Any]:
    """One outage's line, in seconds."""
    return {
        "engine": ENGINES[outage.side.store],
        "outage": outage.name,
        "named": statistics.median(one.named_seconds for one in many),
        "answered": max(one.slowest for one in many),
        "later": max(one.slowest_later for one in many),
        "recovered": statistics.median(one.recovered_seconds for one in many),
        "requests": sum(len(one.shots) + len(one.later) for one in many),
    }


def play(site: Site, outage: Outage, rounds: int) -> dict[str, Any]:
    """Plays one outage so often; every answer must be honest, whatever the time."""
    many = []
    for number in range(rounds):
        pause(random.random())  # or each would begin at the same moment after a health check
        figures = measure(site, outage)
        must_be_honest([*figures.shots, *figures.later], figures.idle, within_seconds=60.0)
        assert figures.spared, f"{outage.name}: what needs nothing of it did not go on"
        many.append(figures)
        print(f"{outage.name}: round {number + 1} of {rounds}", file=sys.stderr)
    return row(outage, many)


def show(rows: list[dict[str, Any]]) -> None:
    """As a table for people."""
    print("| engine | outage | " + " | ".join(COLUMNS.values()) + " |")
    print("|---|---|" + "---|" * len(COLUMNS))
    for one in rows:
        figures = " | ".join(seconds(one[name]) for name in COLUMNS)
        print(f"| {one['engine']} | {one['outage']} | {figures} |")


def seconds(value: float) -> str:
    """`1.23 s`, or milliseconds where that would be mostly noughts."""
    return f"{value:.2f} s" if value >= 0.1 else f"{value * 1000:.0f} ms"


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="scripts/bench outages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="only outages whose name contains this")
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    about = machine()
    outages = [one for one in (*DATABASE_OUTAGES, *SESSION_OUTAGES) if options.only in one.name]
    with (
        tempfile.TemporaryDirectory(prefix="visiona-bench-") as name,
        running_site(Path(name), Evidence()) as site,
    ):
        rows = [play(site, outage, options.rounds) for outage in outages]
    print(" · ".join(f"{name} {value}" for name, value in about.items()))
    show(rows)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
