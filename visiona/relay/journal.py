"""What happened to tunnels, written to the store behind their backs.

Tunnels never wait for the store and survive its outages: what there is to write waits here, a few lines a device,
and goes in batches. A device that flaps costs a line every few seconds and not every time (T-41).
"""

import logging
from collections import deque

import trio

from visiona.domain.causes import Cause
from visiona.domain.ids import DeviceId
from visiona.relay.registry import StatusChange
from visiona.services import clock
from visiona.services.device_timeline import Alarmed, Connected, Disconnected, Report, record
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

logger = logging.getLogger(__name__)

MAX_REPORTS_PER_DEVICE = 4
"""What waits for one device; of more, the oldest go: how it stands now is in the newest."""

MAX_DEVICES = 100_000
BATCH_REPORTS = 200
"""One transaction. A thousand agents that come back at once are five."""

GATHER_SECONDS = 0.2
"""Between a first report and its being written: what comes with it goes with it."""

QUIET_SECONDS = 5.0
"""Between two writes about one device."""

LAST_WORDS_SECONDS = 3.0
"""For the final write when the server stops."""


class Journal:
    """Collects reports and writes them. Give `watch` to the registry's watchers."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._waiting: dict[DeviceId, deque[Report]] = {}
        self._written_at: dict[DeviceId, float] = {}
        self._something = trio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def watch(self, change: StatusChange) -> None:
        """Takes a change of status."""
        live, _, at, cause, detail = change
        if cause is None:
            self._add(Connected(live.device_id, at, live.agent_version, live.instance))
        elif cause is not Cause.REPLACED:
            self._add(Disconnected(live.device_id, at, cause, detail))
        else:
            self._add(Disconnected(live.device_id, at, cause, detail or live.peer_address))

    def alarm(self, device_id: DeviceId, detail: str) -> None:
        """Takes something that a person should look at."""
        logger.warning("alarm: %s", detail, extra={"device_id": device_id})
        self._add(Alarmed(device_id, clock.now(), detail))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until cancelled, and then once more."""
        task_status.started()
        try:
            while True:
                await self._something.wait()
                await trio.sleep(GATHER_SECONDS)
                await self._write_due()
        finally:
            await self._write_last_words()

    def _add(self, report: Report) -> None:
        waiting = self._waiting.get(report.device_id)
        if waiting is None:
            if len(self._waiting) >= MAX_DEVICES:
                return
            waiting = self._waiting[report.device_id] = deque(maxlen=MAX_REPORTS_PER_DEVICE)
        waiting.append(report)
        self._something.set()

    async def _write_due(self) -> None:
        now = trio.current_time()
        self._written_at = {
            device_id: at for device_id, at in self._written_at.items() if now - at < QUIET_SECONDS
        }
        due = [device_id for device_id in self._waiting if device_id not in self._written_at]
        try:
            while due and (batch := self._take_batch(due)):
                await self._write(batch)
        except StoreUnavailable as error:
            logger.warning("the timeline cannot be written now", extra={"waiting": len(self)})
            await trio.sleep(error.retry_after_seconds)
        if not self._waiting:
            self._something = trio.Event()

    def _take_batch(self, due: list[DeviceId]) -> list[Report]:
        """Takes reports of the first devices that are due, whole devices each."""
        batch: list[Report] = []
        while due and len(batch) < BATCH_REPORTS:
            batch += self._waiting.pop(due.pop(), ())
        return batch

    async def _write(self, batch: list[Report]) -> None:
        is_written = False
        try:
            await record(self._stores, batch)
            is_written = True
        finally:
            if not is_written:
                # Unavailable, or cancelled before it began: these are older than what came in the meantime.
                self._put_back(batch)
        now = trio.current_time()
        self._written_at.update((report.device_id, now) for report in batch)

    def _put_back(self, batch: list[Report]) -> None:
        for report in reversed(batch):
            waiting = self._waiting.setdefault(report.device_id, deque(maxlen=MAX_REPORTS_PER_DEVICE))
            if len(waiting) < MAX_REPORTS_PER_DEVICE:
                waiting.appendleft(report)

    async def _write_last_words(self) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_WORDS_SECONDS):
            try:
                due = list(self._waiting)
                while batch := self._take_batch(due):
                    await self._write(batch)
            except StoreUnavailable:
                logger.warning("the end of %d tunnels could not be written down", len(self._waiting))
