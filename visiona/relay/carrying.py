"""Carries one load: the file to the device, the model onto the accelerator, as often as the tunnel is lost.

A load whose tunnel is lost waits for the device and goes on with what is missing. One that another run of a server has
begun goes on likewise: what that one may have had written to the accelerator is looked at first.
"""

from collections.abc import Callable
from datetime import datetime

import trio

from visiona.domain.errors import Conflict, DeviceBroke, DeviceOffline, DeviceTooSlow
from visiona.domain.loads import Fault, LoadState
from visiona.relay.agent_request import TunnelLost
from visiona.relay.load_records import LoadRecords
from visiona.relay.model_flash import Busy, flash, look, settled
from visiona.relay.model_push import DeviceFull, WrongDigest, push, stream_count
from visiona.relay.registry import LiveTunnel, Registry, StatusChange
from visiona.relay.running_load import RunningLoad
from visiona.relay.turns import Turns
from visiona.services.load_model import fits
from visiona.services.model_files import file_of
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.interfaces import File, FileStore

AT_ONE_TIME = 16
"""Devices that are sent to at once, four pieces of 64 KiB in hand for each; the others wait."""

MAX_ATTEMPTS = 50
"""A tunnel that is lost again and again gets no further."""

PAUSE_SECONDS = 1.0


class OutcomeUnknown(Exception):
    """The accelerator was, or may have been, written to, and nobody says what is on it now."""


class Carrier:
    """Does the work of loads. Give `watch` to the registry's watchers.

    Args:
        return_seconds: how long a device is waited for.
    """

    def __init__(
        self,
        files: FileStore,
        registry: Registry,
        records: LoadRecords,
        now: Callable[[], datetime],
        return_seconds: float,
    ) -> None:
        self._files = files
        self._registry = registry
        self._records = records
        self._now = now
        self._return_seconds = return_seconds
        self._came = trio.Event()
        self._turns = trio.Semaphore(AT_ONE_TIME)
        self._lines = Turns()

    def line_up(self, running: RunningLoad) -> None:
        """One at a time for a device; whoever lines up has it carried, or leaves."""
        self._lines.line_up(running.now.device_id, running.now.id)

    def leave(self, running: RunningLoad) -> None:
        """Makes room for the next one."""
        self._lines.leave(running.now.device_id, running.now.id)

    def watch(self, change: StatusChange) -> None:
        """A device that came up may be waited for."""
        if change.cause is None:
            self._came.set()
            self._came = trio.Event()

    async def carry(self, running: RunningLoad) -> None:
        """Ends with the load over, one way or the other, or left; nothing that can be foreseen is raised."""
        try:
            await self._lines.wait(running.now.device_id, running.now.id)
            async with self._files.open_file_or_none(file_of(running.model)) as file:
                if file is None:
                    running.fail(Fault.FILE_GONE, "the model was deleted", self._now())
                    return
                await self._attempts(running, file)
        except DeviceTooSlow as error:
            running.fail(Fault.DEVICE_TIMEOUT, error.message, self._now())
        except DeviceOffline as error:
            running.fail(Fault.DEVICE_OFFLINE, error.message, self._now())
        except OutcomeUnknown as error:
            running.fail(Fault.OUTCOME_UNKNOWN, str(error), self._now())
        except DeviceFull as error:
            running.fail(Fault.DEVICE_FULL, error.message, self._now())
        except DeviceBroke as error:
            running.fail(Fault.DEVICE_ERROR, error.message, self._now())
        except WrongDigest as error:
            running.fail(Fault.DIGEST_MISMATCH, str(error), self._now())
        except Busy as error:
            running.fail(Fault.DEVICE_BUSY, str(error), self._now())
        except Conflict as error:
            running.fail(Fault.CHIP_MISMATCH, error.message, self._now())
        except StoreUnavailable:
            running.fail(
                Fault.STORE_UNAVAILABLE,
                "the server could not read the file; load the model again",
                self._now(),
            )

    async def _attempts(self, running: RunningLoad, file: File) -> None:
        for _ in range(MAX_ATTEMPTS):
            live = await self._back(running)
            if running.is_left:
                return
            try:
                async with self._turns:
                    if running.now.state is not LoadState.FLASHING:
                        running.received_as(await self._push(live, running, file))
                        await self._move(running, LoadState.FLASHING)
                        await flash(live, *self._what(running), running.written)
                    else:
                        await self._flash_again(live, running)
                await self._move(running, LoadState.ACTIVE)
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
            await self._move(running, LoadState.PUSHING)
        return await push(live, running.model, file, streams, running.sent)

    async def _flash_again(self, live: LiveTunnel, running: RunningLoad) -> None:
        """The answer may have been all that was lost: what was asked before may be done, or go on."""
        load = running.now
        digest = await settled(live, load.accelerator)
        if digest == load.sha256:
            return
        try:
            await flash(live, *self._what(running), running.written)
        except Busy as error:
            raise OutcomeUnknown(
                "the connection was lost while the accelerator was written, and now it does something else;"
                " stop that and load the model again"
            ) from error

    def _what(self, running: RunningLoad) -> tuple[str, str, str]:
        load = running.now
        return load.accelerator, load.device_model_id or load.sha256, load.sha256

    async def _move(self, running: RunningLoad, state: LoadState) -> None:
        running.move(state, self._now())
        if not running.now.is_over:
            # The end is written where everything ends. What is about to be done is written before.
            await self._records.write(running)

    async def _back(self, running: RunningLoad) -> LiveTunnel:
        """The device's tunnel, as soon as there is one."""
        device_id = running.now.device_id
        was_away = running.now.is_waiting
        with trio.move_on_after(self._return_seconds):
            while (live := self._registry.online(device_id)) is None:
                running.wait()
                was_away = True
                await self._came.wait()
            if was_away:
                await self._records.take_again(running)
                running.come_back()
            return live
        minutes = self._return_seconds / 60
        if running.now.flashing_at is not None:
            raise OutcomeUnknown(lost_while_written(minutes))
        raise DeviceOffline(f"the device did not come back within {minutes:g} minutes; load the model again")


def lost_while_written(minutes: float) -> str:
    """What is told of a load whose device never came back to say what is on its accelerator."""
    return (
        f"the device went away while the accelerator was written and did not come back within {minutes:g} minutes;"
        " what is on it is not known"
    )
