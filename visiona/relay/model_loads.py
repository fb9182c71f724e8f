"""Models on their way to devices: one at a time for each device, whether anybody watches or not.

A load whose tunnel is lost waits for the device and goes on with what is missing. What is kept here of loads is in
memory: a server that is stopped forgets them, what it had sent stays on the devices that take ranges, and the audit
log has their beginnings and ends.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import trio

from visiona.domain.causes import Cause
from visiona.domain.errors import (
    Conflict,
    DeviceBroke,
    DeviceOffline,
    DeviceTooSlow,
    NotFound,
    ServerStopping,
    TooMany,
)
from visiona.domain.ids import DeviceId, LoadId, SessionId
from visiona.domain.loads import Fault, Load, LoadState
from visiona.relay.agent_request import TunnelLost
from visiona.relay.containment import contain
from visiona.relay.model_flash import Busy, flash, look
from visiona.relay.model_push import WrongDigest, push, stream_count
from visiona.relay.registry import LiveTunnel, Registry, StatusChange
from visiona.relay.running_load import RunningLoad
from visiona.services import clock
from visiona.services.audit import current_origin, set_origin
from visiona.services.load_model import Plan, fits, note_ended, note_started
from visiona.services.model_files import file_of
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.interfaces import File, FileStore
from visiona.stores.interfaces import Stores

logger = logging.getLogger(__name__)

AT_ONE_TIME = 16
"""Devices that are sent to at once, four pieces of 64 KiB in hand for each; the others wait."""

MAX_WAITING_PER_DEVICE = 8
MAX_LIVE = 1000
MAX_KEPT = 10_000
"""Loads that are over and are still shown, the last of each accelerator: about a kilobyte each."""

MAX_ATTEMPTS = 50
"""A tunnel that is lost again and again gets no further."""

RETURN_SECONDS = 300.0
"""For a device to come back after its tunnel was lost; a unit that restarts takes a minute or two."""

RECORD_SECONDS = 2.0
PAUSE_SECONDS = 1.0


class Loads:
    """The loads of this process. Give `watch` to the registry's watchers.

    Args:
        ask: told of a device whose accelerators are to be asked after anew.
    """

    def __init__(
        self,
        stores: Stores,
        files: FileStore,
        registry: Registry,
        *,
        ask: Callable[[DeviceId], None] = lambda _: None,
        now: Callable[[], datetime] = clock.now,
        return_seconds: float = RETURN_SECONDS,
    ) -> None:
        self._stores = stores
        self._files = files
        self._registry = registry
        self._ask = ask
        self._now = now
        self._return_seconds = return_seconds
        self._live: dict[LoadId, RunningLoad] = {}
        self._kept: OrderedDict[tuple[DeviceId, str], RunningLoad] = OrderedDict()
        self._new: list[RunningLoad] = []
        self._wake = trio.Event()
        self._came = trio.Event()
        self._turns = trio.Semaphore(AT_ONE_TIME)
        self._device_turns: dict[DeviceId, trio.Lock] = {}
        self._is_closed = False

    # --- asked by the routes ----------------------------------------------------------------------------------------

    def begin(self, plan: Plan) -> RunningLoad:
        """Takes a load on, or gives the one that goes on of the same model to the same accelerator.

        Raises:
            Conflict: another model is on its way there.
            DeviceOffline: the device is not here now.
            TooMany: too many wait, for this device or in all.
            ServerStopping: nothing new is taken on.
        """
        load = plan.load
        other = self._kept.get((load.device_id, load.accelerator))
        if other is not None and not other.now.is_over:
            if (other.now.model_id, other.now.sha256) == (load.model_id, load.sha256):
                return other
            raise Conflict(
                f"{other.now.model_name} {other.now.model_version} is on its way to this accelerator; cancel that first",
                details={"load_id": other.now.id, "state": other.now.state.value},
            )
        self._need_room(load)
        running = RunningLoad(load, plan.model, current_origin())
        self._live[load.id] = running
        self._keep(running)
        self._new.append(running)
        self._wake.set()
        return running

    def of_device(self, device_id: DeviceId) -> list[Load]:
        """The newest of each accelerator, also one that is over."""
        return [one.now for (device, _), one in self._kept.items() if device == device_id]

    def get(self, device_id: DeviceId, load_id: LoadId) -> RunningLoad:
        """One of those; NotFound for any other."""
        for (device, _), one in self._kept.items():
            if device == device_id and one.now.id == load_id:
                return one
        raise NotFound("there is no such load")

    async def cancel(self, running: RunningLoad) -> None:
        """Ends it, and returns when it has ended.

        Raises:
            Conflict: it is over, or the accelerator is being written to.
        """
        if running.now.is_over:
            raise Conflict("this load is over", details={"state": running.now.state.value})
        if running.now.state is LoadState.FLASHING:
            raise Conflict(
                "the accelerator is being written to, which is not interrupted; wait until it is done"
            )
        running.stop(Fault.CANCELLED, "the load was cancelled")
        await running.wait_over()

    def close(self) -> None:
        """Ends what goes on and takes nothing more: the server stops."""
        self._is_closed = True
        for running in list(self._live.values()):
            running.stop(*running.stopped_by)

    # --- told ----------------------------------------------------------------------------------------------------

    def watch(self, change: StatusChange) -> None:
        """A device that came up may be waited for."""
        if change.cause is None:
            self._came.set()
            self._came = trio.Event()

    # --- the work ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carries loads until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                self._wake = trio.Event()
                for running in self._new:
                    nursery.start_soon(self._one, running)
                self._new = []
                await self._wake.wait()

    async def _one(self, running: RunningLoad) -> None:
        set_origin(running.origin)
        load = running.now
        call = self._registry.calls.add(
            load.user_id, SessionId(load.id), load.device_id, partial(_revoked, running)
        )
        try:
            with running.scope:
                await contain("a load", partial(self._carry, running), lambda: {"load_id": load.id})
            if running.scope.cancelled_caught:
                running.fail(*running.stopped_by, self._now())
            running.fail(Fault.INTERNAL_ERROR, "something went wrong on the server", self._now())
        finally:
            call.remove()
            # Also where this task is cancelled: the server stops.
            running.fail(*running.stopped_by, self._now())
            del self._live[load.id]
            await self._record_end(running)

    async def _carry(self, running: RunningLoad) -> None:
        """Ends with the load over, one way or the other; nothing that can be foreseen is raised."""
        device_id = running.now.device_id
        try:
            await note_started(self._stores, running.now, self._now())
            async with (
                self._turn_of(device_id),
                self._files.open_file_or_none(file_of(running.model)) as file,
            ):
                if file is None:
                    running.fail(Fault.FILE_GONE, "the model was deleted", self._now())
                    return
                await self._attempts(running, file)
        except DeviceTooSlow as error:
            running.fail(Fault.DEVICE_TIMEOUT, error.message, self._now())
        except DeviceOffline as error:
            running.fail(Fault.DEVICE_OFFLINE, error.message, self._now())
        except DeviceBroke as error:
            running.fail(Fault.DEVICE_ERROR, error.message, self._now())
        except WrongDigest as error:
            running.fail(Fault.DIGEST_MISMATCH, str(error), self._now())
        except Busy as error:
            running.fail(Fault.DEVICE_BUSY, str(error), self._now())
        except Conflict as error:
            running.fail(Fault.CHIP_MISMATCH, error.message, self._now())
        except StoreUnavailable:
            sentence = "the server could not read the file or write down what it does; load the model again"
            running.fail(Fault.STORE_UNAVAILABLE, sentence, self._now())
        self._ask(device_id)

    async def _attempts(self, running: RunningLoad, file: File) -> None:
        agents_id: str | None = None
        for attempt in range(MAX_ATTEMPTS):
            live = await self._back(running)
            try:
                async with self._turns:
                    if agents_id is None:
                        agents_id = await self._push(live, running, file)
                        running.move(LoadState.FLASHING, self._now())
                    await self._flash(live, running, agents_id, is_first=attempt == 0)
                running.move(LoadState.ACTIVE, self._now())
                return
            except TunnelLost:
                running.wait()
            # A tunnel that took no more requests is still there.
            await trio.sleep(PAUSE_SECONDS if live.tunnel.is_open else 0)
        raise DeviceOffline("the connection to the device was lost again and again")

    async def _push(self, live: LiveTunnel, running: RunningLoad, file: File) -> str:
        one, _ = await look(live, running.now.accelerator)
        if one is None or not fits(running.model, one):
            found = f"{one.local_id} ({one.chip})" if one is not None else "it is gone"
            raise Conflict(f"the accelerator is another one by now: {found}")
        streams = await stream_count(live)
        if running.now.state is LoadState.QUEUED:
            running.move(LoadState.PUSHING, self._now())
        return await push(live, running.model, file, streams, running.sent)

    async def _flash(self, live: LiveTunnel, running: RunningLoad, agents_id: str, *, is_first: bool) -> None:
        load = running.now
        if not is_first:
            # The answer may have been all that was lost.
            one, digest = await look(live, load.accelerator)
            if one is not None and digest == load.sha256:
                return
        await flash(live, load.accelerator, agents_id, load.sha256, running.written)

    async def _back(self, running: RunningLoad) -> LiveTunnel:
        """The device's tunnel, as soon as there is one."""
        device_id = running.now.device_id
        with trio.move_on_after(self._return_seconds):
            while (live := self._registry.online(device_id)) is None:
                running.wait()
                await self._came.wait()
            return live
        minutes = self._return_seconds / 60
        raise DeviceOffline(f"the device did not come back within {minutes:g} minutes; load the model again")

    # --- what is kept --------------------------------------------------------------------------------------------

    def _need_room(self, load: Load) -> None:
        if self._is_closed:
            raise ServerStopping("the server is restarting; load the model in a moment")
        if self._registry.online(load.device_id) is None:
            seen = self._registry.last_seen(load.device_id)
            details = {"since": seen.since.isoformat(), "cause": seen.cause.value} if seen is not None else {}
            raise DeviceOffline("the device is offline; load the model when it is back", details=details)
        waiting = sum(one.now.device_id == load.device_id for one in self._live.values())
        if waiting >= MAX_WAITING_PER_DEVICE or len(self._live) >= MAX_LIVE:
            raise TooMany("too many loads wait already; try again when some are done", retry_after_seconds=30)

    def _keep(self, running: RunningLoad) -> None:
        key = (running.now.device_id, running.now.accelerator)
        self._kept.pop(key, None)
        self._kept[key] = running
        while len(self._kept) > MAX_KEPT:
            oldest = next((one for one, kept in self._kept.items() if kept.now.is_over), None)
            if oldest is None:
                return  # the bound of MAX_LIVE
            del self._kept[oldest]

    @asynccontextmanager
    async def _turn_of(self, device_id: DeviceId) -> AsyncIterator[None]:
        """One load at a time for a device, in the order in which they came."""
        turn = self._device_turns.setdefault(device_id, trio.Lock())
        try:
            async with turn:
                yield
        finally:
            state = turn.statistics()
            if not state.locked and not state.tasks_waiting:
                self._device_turns.pop(device_id, None)

    async def _record_end(self, running: RunningLoad) -> None:
        with trio.move_on_after(RECORD_SECONDS, shield=True):
            try:
                await note_ended(self._stores, running.now, self._now())
            except StoreUnavailable:
                logger.warning("the end of a load was not noted", extra={"load_id": running.now.id})


def _revoked(running: RunningLoad, cause: str) -> None:
    """The person or the device behind it was taken away."""
    words = (
        "the device was unpaired"
        if cause == Cause.DEVICE_DELETED.value
        else f"access was taken away ({cause})"
    )
    running.stop(Fault.REVOKED, f"{words} while the model was loaded")
