"""Loads that go on and that nobody carries: their server stopped, was killed, or lost their device to another one.

Each is taken up by a server to which its device is connected, or ended with what is known of it.
"""

import logging
from collections.abc import Callable
from datetime import datetime

import trio

from visiona.domain.audit import Through
from visiona.domain.ids import DeviceId, LoadId
from visiona.domain.loads import Fault, KeptLoad
from visiona.relay.carrying import lost_while_written
from visiona.relay.load_records import LoadRecords
from visiona.relay.registry import Registry, StatusChange
from visiona.relay.running_load import RunningLoad
from visiona.services.audit import Origin, set_origin
from visiona.services.kept_loads import (
    Taken,
    end_free_load,
    free_all_loads,
    free_loads,
    save_load,
    take_load,
    too_old,
    why_not_theirs,
)
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import MAX_ROWS, Stores

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often a server looks for them."""

GATHER_SECONDS = 0.2
"""After a start all devices come back at once; one look is for many of them."""


class AbandonedLoads:
    """Looks for them.

    Args:
        return_seconds: how long a device is waited for; after a start as long again.
        start: goes on with one that was taken.
        is_carried: whether a load is in hands here, whatever the store says.
        room: how many more can be carried here.
        is_alone: see model_loads.Loads.
    """

    def __init__(
        self,
        stores: Stores,
        registry: Registry,
        records: LoadRecords,
        now: Callable[[], datetime],
        return_seconds: float,
        *,
        start: Callable[[RunningLoad], None],
        is_carried: Callable[[LoadId], bool],
        room: Callable[[], int],
        is_alone: bool,
    ) -> None:
        self._stores = stores
        self._registry = registry
        self._records = records
        self._now = now
        self._return_seconds = return_seconds
        self._start = start
        self._is_carried = is_carried
        self._room = room
        self._is_alone = is_alone
        self._look = trio.Event()
        self._wanted: set[DeviceId] = set()
        self._began_at = 0.0
        self._is_blind = False

    def watch(self, change: StatusChange) -> None:
        """A device that came up may be what one of them waits for."""
        if change.cause is None and change.live.device_id in self._wanted:
            self._look.set()

    async def run(self) -> None:
        """Looks until cancelled."""
        self._began_at = trio.current_time()
        while True:
            try:
                if self._is_alone:
                    await free_all_loads(self._stores, self._now())
                    # Once: from here on what is held is held by this server.
                    self._is_alone = False
                await self.look()
                self._is_blind = False
            except StoreUnavailable as error:
                if not self._is_blind:
                    logger.warning("loads that nobody carries are not looked for just now: %s", error)
                self._is_blind = True
            with trio.move_on_after(LOOK_SECONDS):
                await self._look.wait()
                await trio.sleep(GATHER_SECONDS)
            self._look = trio.Event()

    async def look(self) -> None:
        """Takes up or ends what can be, once."""
        free = await free_loads(self._stores, self._now(), MAX_ROWS)
        abandoned = [kept for kept in free if not self._is_carried(kept.load.id)]
        abandoned.sort(key=lambda kept: (kept.load.created_at, kept.load.id))
        self._wanted = {kept.load.device_id for kept in abandoned}
        for kept in abandoned:
            if self._room() > 0:
                await self._take_or_end(kept)

    async def _take_or_end(self, kept: KeptLoad) -> None:
        load_id, holder = kept.load.id, self._records.holder
        set_origin(Origin(Through.SERVER, user_id=kept.load.user_id))
        if (end := await self._end_of(kept)) is not None:
            await end_free_load(self._stores, kept, holder, *end, self._now())
        elif self._registry.online(kept.load.device_id) is not None:
            taken = await take_load(self._stores, load_id, holder, self._now())
            if taken is not None:
                await self._go_on(taken)

    async def _end_of(self, kept: KeptLoad) -> tuple[Fault, str] | None:
        """How a load ends that nobody is to take up."""
        if (sentence := await why_not_theirs(self._stores, kept.load)) is not None:
            return Fault.REVOKED, sentence
        if (sentence := too_old(kept, self._now())) is not None:
            return Fault.SERVER_STOPPING, sentence
        away = (self._now() - kept.lease.until).total_seconds()
        is_here = self._registry.online(kept.load.device_id) is not None
        if is_here or min(away, trio.current_time() - self._began_at) <= self._return_seconds:
            return None
        minutes = self._return_seconds / 60
        if kept.load.flashing_at is not None:
            return Fault.OUTCOME_UNKNOWN, lost_while_written(minutes)
        return (
            Fault.DEVICE_OFFLINE,
            f"the device did not come back within {minutes:g} minutes; load the model again",
        )

    async def _go_on(self, taken: Taken) -> None:
        load, now = taken.load, self._now()
        if taken.model is None:
            gone = load.failed(Fault.FILE_GONE, "the model was deleted", now)
            await save_load(self._stores, gone, self._records.holder, now)
            return
        logger.info("a load is taken up again", extra={"load_id": load.id})
        origin = Origin(Through.SERVER, user_id=load.user_id, email=taken.email)
        self._start(RunningLoad(load, taken.model, origin))
