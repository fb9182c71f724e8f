"""Asks an agent what it is and what it has, through its own tunnel, after it came up and after a scan.

A device that does not answer, or not sensibly, is still a device: a failure here is silence. Few are asked at one
time, and a flapping one not again and again.
"""

import logging

import h11
import trio

from visiona.domain.ids import DeviceId
from visiona.relay.agent_words import accelerators, agent_version, parse_json
from visiona.relay.registry import LiveTunnel, Registry, StatusChange
from visiona.relay.settings import RelaySettings
from visiona.services import clock
from visiona.services.device_timeline import record_inventory
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import TunnelError

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
"""A unit with sixty accelerators says about 20 KiB."""

AT_ONE_TIME = 8
"""Devices asked at once: a thousand that come back together are done in a few seconds, beside everything else."""

MAX_WAITING = 10_000
AGAIN_SECONDS = 60.0
"""A device that reconnects is not asked again before; a scan is always followed by a question."""

_HEADERS = [("Host", "localhost"), ("Accept", "application/json"), ("Connection", "close")]


class Inventory:
    """Asks devices. Give `watch` to the registry's watchers."""

    def __init__(self, settings: RelaySettings, stores: Stores, registry: Registry) -> None:
        self._seconds = settings.inventory_seconds
        self._stores = stores
        self._registry = registry
        self._asked_at: dict[DeviceId, float] = {}
        self._waiting: dict[DeviceId, None] = {}
        self._wake = trio.Event()

    def watch(self, change: StatusChange) -> None:
        """Asks a device whose tunnel came up, unless it was asked a moment ago."""
        if change.cause is None:
            asked_at = self._asked_at.get(change.live.device_id)
            if asked_at is None or trio.current_time() - asked_at >= AGAIN_SECONDS:
                self.ask(change.live.device_id)

    def ask(self, device_id: DeviceId) -> None:
        """Asks soon; nothing happens if it is offline then."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[device_id] = None
            self._wake.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Asks until cancelled."""
        turns = trio.Semaphore(AT_ONE_TIME)
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                while self._waiting:
                    await turns.acquire()
                    device_id = next(iter(self._waiting))
                    del self._waiting[device_id]
                    nursery.start_soon(self._ask_one, device_id, turns)
                self._forget_old()

    async def _ask_one(self, device_id: DeviceId, turns: trio.Semaphore) -> None:
        try:
            live = self._registry.online(device_id)
            if live is not None:
                self._asked_at[device_id] = trio.current_time()
                await self._ask_and_keep(live)
        except StoreUnavailable:
            logger.info("an inventory was not kept", extra={"device_id": device_id})
        finally:
            turns.release()

    async def _ask_and_keep(self, live: LiveTunnel) -> None:
        info = parse_json(await get(live, "/api/system/info", self._seconds) or b"")
        found = accelerators(parse_json(await get(live, "/api/devices", self._seconds) or b""))
        if found is not None:
            version = live.agent_version or agent_version(info)
            await record_inventory(self._stores, live.device_id, found, clock.now(), agent_version=version)

    def _forget_old(self) -> None:
        now = trio.current_time()
        self._asked_at = {
            device_id: at for device_id, at in self._asked_at.items() if now - at < AGAIN_SECONDS
        }


async def get(live: LiveTunnel, path: str, seconds: float) -> bytes | None:
    """The body of a 200 answer to a GET, or None for whatever else happens."""
    stream = TunnelStream()
    try:
        stream.stream = live.tunnel.open_stream_nowait(stream)
    except TunnelError:
        return None
    body = None
    with trio.move_on_after(seconds):
        try:
            body = await _exchange(stream, path)
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            logger.debug("no answer to %s", path, extra={"device_id": live.device_id})
    stream.stream.reset()
    return body


async def _exchange(stream: TunnelStream, path: str) -> bytes | None:
    parser = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target=path, headers=_HEADERS)
    await stream.send_all((parser.send(request) or b"") + (parser.send(h11.EndOfMessage()) or b""))
    body = b""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Response) and event.status_code != 200:
            return None
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > MAX_BODY_BYTES:
                return None
        elif isinstance(event, h11.EndOfMessage):
            return body
        elif isinstance(event, (h11.ConnectionClosed, h11.PAUSED)):
            return None
