"""What the store knows of the loads that this server carries: their states, and that they are this server's.

A store that is away ends no load: what could not be written is written when it is back, and the load goes on meanwhile.
Should this server be killed before that, the next one finds the load as it was last written, asks the device, and does
again at most what was done.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

import trio

from visiona.domain.ids import LoadId
from visiona.domain.loads import LEASE, Fault
from visiona.relay.running_load import RunningLoad
from visiona.services.audit import set_origin
from visiona.services.kept_loads import save_load, take_load
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import MAX_ROWS, Stores

logger = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
"""A third of the lease: two may fail."""

RECORD_SECONDS = 2.0
"""For writing something down while the server stops."""


class LoadRecords:
    """The pen of this server.

    Args:
        holder: this run of this server, by which others know what is ours.
    """

    def __init__(self, stores: Stores, holder: str, now: Callable[[], datetime]) -> None:
        self._stores = stores
        self._holder = holder
        self._now = now
        self._ends: dict[LoadId, RunningLoad] = {}

    @property
    def holder(self) -> str:
        """This run of this server."""
        return self._holder

    def unwritten_end(self, load_id: LoadId) -> RunningLoad | None:
        """A load that is over here, which the store does not know yet."""
        return self._ends.get(load_id)

    async def write(self, running: RunningLoad) -> None:
        """Writes what the load is now, if the store can be reached; else later. One that is another's is left."""
        await self._write(running, self._now() + LEASE)

    async def write_end(self, running: RunningLoad) -> None:
        """The same of one that is over, or is left: whoever comes next may take that one at once."""
        with trio.move_on_after(RECORD_SECONDS, shield=True):
            await self._write(running, self._now())
        if running.now.is_over and not running.is_left and running.is_unwritten:
            # Bounded: nothing new begins while the store is away.
            self._ends[running.now.id] = running

    async def take_again(self, running: RunningLoad) -> None:
        """Before going on after the device was away, when others could take the load; what somebody did take is left."""
        try:
            if await take_load(self._stores, running.now.id, self._holder, self._now()) is None:
                running.leave()
        except StoreUnavailable as error:
            # Nobody else can take it either.
            logger.warning("a load goes on unseen by the store: %s", error, extra={"load_id": running.now.id})

    async def keep(self, live: Callable[[], Iterable[RunningLoad]]) -> None:
        """Holds on to what is carried here, writes what is not written yet, and hears who wants what ended; for ever."""
        while True:
            await trio.sleep(RENEW_SECONDS)
            try:
                await self._round(list(live()))
            except StoreUnavailable as error:
                logger.warning("loads are not held on to just now: %s", error)

    async def _round(self, live: list[RunningLoad]) -> None:
        # While its device is away a load may be taken by the server to which the device comes.
        carried = {one.now.id: one for one in live if not one.now.is_waiting and not one.is_done}
        if carried:
            until = self._now() + LEASE
            await self._stores.write(lambda tx: tx.model_loads.renew(self._holder, list(carried), until))
            held = await self._stores.read(lambda tx: tx.model_loads.held(self._holder, MAX_ROWS))
            ours = {kept.load.id: kept for kept in held}
            for load_id, running in carried.items():
                if load_id not in ours and not running.is_done:
                    running.leave()
                elif load_id in ours and ours[load_id].stop_asked_at is not None and is_stoppable(running):
                    running.stop(Fault.CANCELLED, "the load was cancelled")
        for running in [one for one in live if one.is_unwritten and not one.is_done]:
            await self.write(running)
        for load_id, running in list(self._ends.items()):
            set_origin(running.origin)
            await self._write(running, self._now())
            if not running.is_unwritten:
                del self._ends[load_id]

    async def _write(self, running: RunningLoad, until: datetime) -> None:
        # One after the other: what is written last is the newest.
        async with running.pen:
            running.is_unwritten = True
            try:
                is_ours = await save_load(self._stores, running.now, self._holder, until)
            except StoreUnavailable as error:
                logger.warning("a load is not written down yet: %s", error, extra={"load_id": running.now.id})
                return
            running.is_unwritten = False
            if not is_ours:
                running.leave()


def is_stoppable(running: RunningLoad) -> bool:
    """Not while the accelerator is written to; what happens to it while the device is away is nobody's to say."""
    return running.now.flashing_at is None or running.now.is_waiting
