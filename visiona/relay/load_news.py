"""News of a load for whoever watches, wherever it is carried: by this server with its progress, by another its states."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import trio

from visiona.domain.loads import Load
from visiona.relay.model_loads import Loads
from visiona.services.kept_loads import get_load
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

ASK_SECONDS = 1.0
"""How often the store is asked about a load that is not carried here."""


async def follow(
    stores: Stores, loads: Loads, load: Load, quiet_seconds: float, cut: trio.Event
) -> AsyncGenerator[Load | None, None]:
    """Each state to the end, or until `cut`, or this server stops, or the store is away; None where nothing happened.

    Who sets `cut` wakes the load as well, if it is carried here.
    """
    last: Load | None = None
    quiet_since = trio.current_time()
    while not cut.is_set():
        running = loads.running(load.id)
        if running is not None:
            async with aclosing(running.follow(quiet_seconds, cut)) as news:
                async for one in news:
                    yield one
            if running.now.is_over or cut.is_set() or loads.is_closed:
                return
            last, quiet_since = running.now, trio.current_time()
        try:
            now = loads.as_seen_here((await get_load(stores, load.device_id, load.id)).load)
        except StoreUnavailable:
            return
        if now != last:
            yield now
            last, quiet_since = now, trio.current_time()
        elif trio.current_time() - quiet_since >= quiet_seconds:
            yield None
            quiet_since = trio.current_time()
        if now.is_over:
            return
        with trio.move_on_after(ASK_SECONDS):
            await cut.wait()
