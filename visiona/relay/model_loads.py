"""Models on their way to devices: one at a time for each device, whether anybody watches or not.

A load outlives the server that began it: it is on record, and whoever finds that nobody carries it, and has its device's
tunnel, carries it on. Of two servers on one database one has it, by a lease that it prolongs.
"""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial

import trio

from visiona.domain.errors import Conflict, DeviceOffline, ServerStopping, TooMany
from visiona.domain.ids import DeviceId, LoadId
from visiona.domain.loads import Fault, KeptLoad, Load
from visiona.relay.abandoned_loads import AbandonedLoads
from visiona.relay.carrying import Carrier
from visiona.relay.containment import contain
from visiona.relay.load_access import watching_access
from visiona.relay.load_records import LoadRecords, is_stoppable
from visiona.relay.registry import Registry, StatusChange
from visiona.relay.running_load import RunningLoad
from visiona.services import clock
from visiona.services.audit import current_origin, set_origin
from visiona.services.kept_loads import (
    begin_load,
    end_free_load,
    get_load,
    stop_elsewhere,
)
from visiona.services.load_model import Plan
from visiona.stores.files.interfaces import FileStore
from visiona.stores.interfaces import Stores

logger = logging.getLogger(__name__)

MAX_LIVE = 1000

RETURN_SECONDS = 300.0
"""For a device to come back after its tunnel was lost; a unit that restarts takes a minute or two."""

STOP_SECONDS = 15
"""For another server to end a load when asked; it looks every five."""


class Loads:
    """The loads of this process. Give `watch` to the registry's watchers.

    Attributes:
        viewers: how many watch each load.
        is_closed: nothing goes on here any more.

    Args:
        ask: told of a device whose accelerators are to be asked after anew.
        holder: this run of this server, unlike any other.
        is_alone: no other server is on this database: whatever goes on there is for this one to carry.
        is_kept: what is in the store is there after a restart.
    """

    def __init__(
        self,
        stores: Stores,
        files: FileStore,
        registry: Registry,
        *,
        holder: str,
        ask: Callable[[DeviceId], None] = lambda _: None,
        now: Callable[[], datetime] = clock.now,
        return_seconds: float = RETURN_SECONDS,
        is_alone: bool = True,
        is_kept: bool = True,
    ) -> None:
        self._stores = stores
        self._registry = registry
        self._ask = ask
        self._now = now
        self._is_kept = is_kept
        self._records = LoadRecords(stores, holder, now)
        self._carrier = Carrier(files, registry, self._records, now, return_seconds)
        self._live: dict[LoadId, RunningLoad] = {}
        self._new: list[RunningLoad] = []
        self._wake = trio.Event()
        self._abandoned = AbandonedLoads(
            stores,
            registry,
            self._records,
            now,
            return_seconds,
            start=self._start,
            is_carried=lambda load_id: self.running(load_id) is not None,
            room=lambda: 0 if self.is_closed else MAX_LIVE - len(self._live),
            is_alone=is_alone,
        )
        self.viewers: Counter[LoadId] = Counter()
        self.is_closed = False

    # --- asked by the routes ----------------------------------------------------------------------------------------

    async def begin(self, plan: Plan) -> Load:
        """Takes a load on, or gives the one that goes on of the same model to the same accelerator.

        Raises:
            Conflict: another model is on its way there.
            DeviceOffline: the device is not here now.
            TooMany: too many wait, for this device or in all.
            ServerStopping: nothing new is taken on.
            StoreUnavailable: it cannot be put on record, and has not begun.
        """
        self._need_room(plan.load)
        begun = await begin_load(self._stores, plan, self._records.holder, self._now())
        if begun.is_new:
            self._start(RunningLoad(begun.load, plan.model, current_origin()))
        return begun.load

    def running(self, load_id: LoadId) -> RunningLoad | None:
        """The load, if it is this server that carries it, or knows better than the store how it ended."""
        return self._live.get(load_id) or self._records.unwritten_end(load_id)

    def as_seen_here(self, load: Load) -> Load:
        """With the progress, where it is carried here; one that nobody carries waits for its device."""
        running = self.running(load.id)
        if running is not None:
            return running.now
        return load.waiting() if not load.is_over and self._registry.online(load.device_id) is None else load

    async def cancel(self, device_id: DeviceId, load_id: LoadId) -> None:
        """Ends it, and returns when it has ended.

        Raises:
            NotFound: there is no such load of the device.
            Conflict: it is over, or the accelerator is being written to.
        """
        kept = await get_load(self._stores, device_id, load_id)
        running = self.running(load_id)
        if running is None:
            await self._cancel_elsewhere(kept)
            return
        _need_stoppable(running.now, is_stoppable=is_stoppable(running))
        running.stop(Fault.CANCELLED, "the load was cancelled")
        await running.wait_over()

    def close(self) -> None:
        """Lets go of what goes on and takes nothing more: the server stops, and the next one carries it on."""
        self.is_closed = True
        for running in list(self._live.values()):
            self._let_go(running)

    # --- told ----------------------------------------------------------------------------------------------------

    def watch(self, change: StatusChange) -> None:
        """A device that came up may be waited for."""
        self._carrier.watch(change)
        self._abandoned.watch(change)

    # --- the work ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carries loads until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._records.keep, lambda: self._live.values())
            nursery.start_soon(self._abandoned.run)
            task_status.started()
            while True:
                self._wake = trio.Event()
                for running in self._new:
                    nursery.start_soon(self._one, running)
                self._new = []
                await self._wake.wait()

    async def _one(self, running: RunningLoad) -> None:
        set_origin(running.origin)
        load_id = running.now.id
        try:
            with running.scope:
                await contain("a load", partial(self._carry, running), lambda: {"load_id": load_id})
            if running.scope.cancelled_caught:
                running.fail(*running.stopped_by, self._now())
            running.fail(Fault.INTERNAL_ERROR, "something went wrong on the server", self._now())
        finally:
            self._carrier.leave(running)
            # Also where this task is cancelled: the server stops.
            self._let_go(running)
            await self._records.write_end(running)
            del self._live[load_id]
            running.finish()

    async def _carry(self, running: RunningLoad) -> None:
        async with watching_access(self._stores, self._registry.calls, running):
            await self._carrier.carry(running)
        self._ask(running.now.device_id)

    def _let_go(self, running: RunningLoad) -> None:
        if self._is_kept:
            running.leave()
        else:
            running.stop(*running.stopped_by)
            running.fail(*running.stopped_by, self._now())

    def _start(self, running: RunningLoad) -> None:
        self._live[running.now.id] = running
        self._new.append(running)
        self._carrier.line_up(running)
        self._wake.set()
        if self.is_closed:
            self._let_go(running)

    def _need_room(self, load: Load) -> None:
        if self.is_closed:
            raise ServerStopping("the server is restarting; load the model in a moment")
        if self._registry.online(load.device_id) is None:
            seen = self._registry.last_seen(load.device_id)
            details = {"since": seen.since.isoformat(), "cause": seen.cause.value} if seen is not None else {}
            raise DeviceOffline("the device is offline; load the model when it is back", details=details)
        if len(self._live) >= MAX_LIVE:
            raise TooMany("too many loads wait already; try again when some are done", retry_after_seconds=30)

    async def _cancel_elsewhere(self, kept: KeptLoad) -> None:
        """Of a load that nobody carries, or another server does."""
        load, now = kept.load, self._now()
        _need_stoppable(load, is_stoppable=load.flashing_at is None or kept.lease.until <= now)
        sentence = "the load was cancelled"
        if await end_free_load(self._stores, kept, self._records.holder, Fault.CANCELLED, sentence, now):
            return
        await stop_elsewhere(self._stores, load.id, now)
        for _ in range(STOP_SECONDS):
            await trio.sleep(1)
            if (await get_load(self._stores, load.device_id, load.id)).load.is_over:
                return
        raise Conflict("the server that carries this load has not ended it yet; look at it again in a moment")


def _need_stoppable(load: Load, *, is_stoppable: bool) -> None:
    if load.is_over:
        raise Conflict("this load is over", details={"state": load.state.value})
    if not is_stoppable:
        raise Conflict("the accelerator is being written to, which is not interrupted; wait until it is done")
