"""What a store call costs on each engine: how many a second, and how long one takes, alone and beside others.

Every round asks each engine in turn, so that what else the machine does hits all alike; shown are medians of the
rounds, or with --best the round that was disturbed least, for a machine that has much else to do. `asyncpg alone` is the same operations with the same SQL on a plain asyncio
loop, with neither bridge nor deadlines nor retries: what the engine is measured against.
"""

import argparse
import asyncio  # noqa: TID251  the reference is a plain asyncio loop
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import trio
from bare_postgres import opened as bare_opened
from busy_loop import BUSY_SHARE, Busy, wait_under_load
from processes import machine
from store_calls import Call, Deed, World, chosen
from store_engines import BARE, NAMES, Engine, Servers
from visiona.stores.interfaces import Stores

CALLERS = (1, 16)
WARM = 40
"""Calls before the clock runs: connections are opened, statements prepared."""

Together = Callable[[int, Callable[[], Awaitable[None]]], Awaitable[None]]


class Seen(NamedTuple):
    """One measurement.

    Attributes:
        rate: calls a second.
        took: seconds of each.
        cpu_seconds: of this process, all calls together; the servers' own is not in it.
    """

    rate: float
    took: list[float]
    cpu_seconds: float


async def on_trio(callers: int, work: Callable[[], Awaitable[None]]) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(work)


async def on_asyncio(callers: int, work: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(work() for _ in range(callers)))


async def ask(deeds: Iterator[Deed], callers: int, seconds: float, together: Together) -> Seen:
    """Has so many callers do deeds, each one at a time, until the time is over or all are done."""
    clock = time.perf_counter

    async def phase(some: Iterator[Deed], until: float) -> list[float]:
        took: list[float] = []

        async def work() -> None:
            for deed in some:
                began = clock()
                await deed()
                ended = clock()
                took.append(ended - began)
                if ended >= until:
                    return

        await together(callers, work)
        return took

    await phase(itertools.islice(deeds, WARM), float("inf"))
    began, cpu = clock(), time.process_time()
    took = await phase(deeds, began + seconds)
    return Seen(len(took) / (clock() - began), took, time.process_time() - cpu)


class Bench:
    """All measurements, and what they showed.

    Attributes:
        seen: by call, callers and engine.
        busy: by engine.
    """

    def __init__(self, servers: Servers, names: list[str], calls: list[Call], seconds: float) -> None:
        self._engines = [servers.engine(name) for name in names]
        self._worlds = {engine.name: World() for engine in self._engines}
        self._calls = calls
        self._seconds = seconds
        self.seen: dict[tuple[str, int, str], list[Seen]] = {}
        self.busy: dict[str, list[Busy]] = {}

    def run(self, number: int) -> None:
        """One round, each engine in turn; every second round in reverse."""
        for engine in self._engines if number % 2 == 0 else reversed(self._engines):
            print(f"round {number + 1}: {engine.name}", file=sys.stderr)
            if engine.name == BARE:
                asyncio.run(self._round(engine, bare_opened(engine.settings), on_asyncio))
            else:
                trio.run(self._round, engine, engine.opened(), on_trio)

    def run_busy(self, seconds: float) -> None:
        """How long calls take on a loop that hardly has time for them."""
        for engine in self._engines:
            if engine.name != BARE:
                print(f"busy loop: {engine.name}", file=sys.stderr)
                trio.run(self._busy, engine, seconds)

    async def _round(
        self, engine: Engine, opening: contextlib.AbstractAsyncContextManager[Stores], together: Together
    ) -> None:
        async with opening as stores:
            world = await self._world(engine, stores)
            for call in self._calls:
                for callers in CALLERS:
                    async with call.deeds(stores, world) as deeds:
                        at_once = min(callers, call.most_callers)
                        seen = await ask(deeds, at_once, self._seconds, together)
                    self.seen.setdefault((call.name, callers, engine.name), []).append(seen)

    async def _busy(self, engine: Engine, seconds: float) -> None:
        async with engine.opened() as stores:
            world = await self._world(engine, stores)
            self.busy.setdefault(engine.name, []).append(await wait_under_load(stores, world, seconds))

    async def _world(self, engine: Engine, stores: Stores) -> World:
        world = self._worlds[engine.name]
        if not engine.keeps:
            world = self._worlds[engine.name] = World()
        if not world.homes:
            await world.fill(stores)
        return world


def quantile(values: list[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[int(share * (len(ordered) - 1))]


def rows(bench: Bench, *, is_best: bool) -> list[dict[str, Any]]:
    """The figures of each call on each engine."""

    def over_rounds(values: Iterator[float], best: Callable[[list[float]], float]) -> float:
        return best(list(values)) if is_best else statistics.median(values)

    return [
        {
            "call": call,
            "callers": callers,
            "engine": engine,
            "per_second": over_rounds((seen.rate for seen in many), max),
            "p50_ms": over_rounds((quantile(seen.took, 0.5) for seen in many), min),
            "p99_ms": over_rounds((quantile(seen.took, 0.99) for seen in many), min),
            "cpu_us": 1e6 * over_rounds((seen.cpu_seconds / len(seen.took) for seen in many), min),
            "measured": sum(len(seen.took) for seen in many),
        }
        for (call, callers, engine), many in bench.seen.items()
    ]


def tables(results: list[dict[str, Any]], names: list[str]) -> Iterator[str]:
    """Markdown: calls down, engines across, a table for each number of callers."""
    found = {(row["call"], row["callers"], row["engine"]): row for row in results}
    for callers in CALLERS:
        yield ""
        yield f"| {callers} caller{'s' if callers > 1 else ''}: calls/s, p50 / p99 ms | {' | '.join(names)} |"
        yield "|---" * (len(names) + 1) + "|"
        for call in dict.fromkeys(row["call"] for row in results):
            cells = [found[call, callers, name] for name in names]
            shown = [
                f"{cell['per_second']:,.0f}, {ms(cell['p50_ms'])} / {ms(cell['p99_ms'])}" for cell in cells
            ]
            yield f"| {call} | {' | '.join(shown)} |"


def cpu_table(results: list[dict[str, Any]], names: list[str]) -> Iterator[str]:
    """What a call takes from the loop, which others hardly disturb; and the engine against the driver alone."""
    found = {(row["call"], row["callers"], row["engine"]): row["cpu_us"] for row in results}
    has_ratio = {"postgres", BARE} <= set(names)
    yield ""
    yield (
        f"| CPU µs a call in our process, {CALLERS[0]} / {CALLERS[1]} callers | {' | '.join(names)} |"
        + (f" postgres : {BARE} |" if has_ratio else "")
    )
    yield "|---" * (len(names) + 1 + has_ratio) + "|"
    for call in dict.fromkeys(row["call"] for row in results):
        cells = [" / ".join(f"{found[call, callers, name]:,.0f}" for callers in CALLERS) for name in names]
        if has_ratio:
            shares = (found[call, callers, "postgres"] / found[call, callers, BARE] for callers in CALLERS)
            cells.append(" / ".join(f"{share:.2f}" for share in shares))
        yield f"| {call} | {' | '.join(cells)} |"


def busy_table(bench: Bench, *, is_best: bool) -> Iterator[str]:
    """Markdown: one line an engine."""
    yield ""
    yield f"| loop kept {BUSY_SHARE:.0%} busy | reads, p50 / p99 ms | writes, p50 / p99 ms | calls | loop was busy |"
    yield "|---|---|---|---|---|"
    choose: Callable[[list[float]], float] = min if is_best else statistics.median
    for name, many in bench.busy.items():
        cells = [
            " / ".join(ms(choose([quantile(took, share) for took in rounds])) for share in (0.5, 0.99))
            for rounds in ([busy.reads for busy in many], [busy.writes for busy in many])
        ]
        count = sum(len(busy.reads) + len(busy.writes) for busy in many)
        was_busy = statistics.median(busy.share for busy in many)
        yield f"| {name} | {cells[0]} | {cells[1]} | {count:,} | {was_busy:.0%} |"


def ms(value: float) -> str:
    """Three figures are enough."""
    return f"{value:.3f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="scripts/bench stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each measurement")
    parser.add_argument("--busy-seconds", type=float, default=5.0, help="on a busy loop; 0: none")
    parser.add_argument("--engines", default=",".join(NAMES), help="those to measure, with commas between")
    parser.add_argument("--only", default="", help="only calls whose name contains this; several with commas")
    parser.add_argument("--best", action="store_true", help="show the best round, not the median")
    parser.add_argument("--pool-size", type=int, default=8, help="connections to each server")
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    names = options.engines.split(",")
    about = machine()
    with (
        tempfile.TemporaryDirectory(prefix="visiona-bench-") as folder,
        Servers(Path(folder), options.pool_size) as servers,
    ):
        bench = Bench(servers, names, list(chosen(options.only)), options.seconds)
        for number in range(options.rounds):
            bench.run(number)
            if options.busy_seconds:
                bench.run_busy(options.busy_seconds)
    results = rows(bench, is_best=options.best)
    print(" · ".join(f"{name} {value}" for name, value in about.items()))
    for line in [
        *tables(results, names),
        *cpu_table(results, names),
        *busy_table(bench, is_best=options.best),
    ]:
        print(line)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
