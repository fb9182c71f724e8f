"""Store calls on a loop that hardly has time for them, as a relay's has not while it carries bulk."""

import time
from typing import NamedTuple

import trio
from store_calls import World
from tests.support.nouns import NOW
from visiona.ops.stalls import StallWatch, watching_stalls
from visiona.services.devices import rename_and_tag
from visiona.stores.interfaces import Stores

BUSY_SHARE = 0.95
CALLS_PER_SECOND = 150
READS_OF_TEN = 6
WORKERS = 4
SLICE_SECONDS = 0.0005
"""What one task computes before it lets others have their turn: about what a relay does with 256 KiB of a tunnel."""


class Busy(NamedTuple):
    """What was seen: how busy the loop was, and how long calls took, counted from when they were due."""

    share: float
    reads: list[float]
    writes: list[float]


async def wait_under_load(stores: Stores, world: World, seconds: float) -> Busy:
    """Makes calls at a steady rate, whether or not those before have ended."""
    reads: list[float] = []
    writes: list[float] = []
    with watching_stalls(stall_seconds=1.0) as watch:
        async with trio.open_nursery() as load:
            for _ in range(WORKERS):
                load.start_soon(keep_busy, watch)
            await trio.sleep(0.5)
            began, busy_before = time.perf_counter(), watch.statistics().busy_seconds
            async with trio.open_nursery() as callers:
                for number in range(int(seconds * CALLS_PER_SECOND)):
                    due = began + number / CALLS_PER_SECOND
                    await trio.sleep(max(0.0, due - time.perf_counter()))
                    if number % 10 < READS_OF_TEN:
                        callers.start_soon(read, stores, world, due, reads)
                    else:
                        callers.start_soon(write, stores, world, due, writes)
            share = (watch.statistics().busy_seconds - busy_before) / (time.perf_counter() - began)
            load.cancel_scope.cancel()
    return Busy(share, reads, writes)


async def read(stores: Stores, world: World, due: float, took: list[float]) -> None:
    """One question."""
    hashed = world.choice.choice(world.token_hashes)
    await stores.read(lambda tx: tx.access_tokens.by_hash_or_none(hashed))
    took.append(time.perf_counter() - due)


async def write(stores: Stores, world: World, due: float, took: list[float]) -> None:
    """A transaction of four statements."""
    home = world.home()
    device = world.choice.choice(world.devices_of[home.user.id])
    name = f"Gate {world.choice.randrange(1000)}"
    await rename_and_tag(stores, home.actor, device.id, NOW, name=name, tags=["indoor"])
    took.append(time.perf_counter() - due)


async def keep_busy(watch: StallWatch) -> None:
    """Computes as long as the loop would else be less busy than it is to be."""
    clock = time.perf_counter
    began, busy_before = clock(), watch.statistics().busy_seconds
    while True:
        idle = (clock() - began) * (1 - BUSY_SHARE)
        was_idle = (clock() - began) - (watch.statistics().busy_seconds - busy_before)
        # The tick that runs now is not counted yet, so a worker never looks busier than it is.
        if was_idle >= idle:
            until = clock() + SLICE_SECONDS
            while clock() < until:
                pass
            await trio.lowlevel.checkpoint()
        else:
            await trio.sleep(SLICE_SECONDS)
