"""Asks an agent what it is and what it has, through its own tunnel, after it came up and after a scan.

A device that does not answer, or not sensibly, is still a device: a failure here is silence. Few are asked at one
time, and a flapping one not again and again.
"""

import logging
import math
from collections.abc import Callable

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
AGAIN_SECONDS = 5.0
"""A device that reconnects is not asked again before; it is asked then. After a scan it is asked at once.

So long is also waited before it is asked anew where its answer could not be written down."""

_HEADERS = [("Host", "localhost"), ("Accept", "application/json"), ("Connection", "close")]


class Inventory:
    """Asks devices, each about one thing at a time, so that the newest answer is the one that stays.

    Give `watch` to the registry's watchers.

    Attributes:
        watchers: told of a device that answered, whatever it said; plain functions that must neither block nor raise.
    """

    def __init__(self, settings: RelaySettings, stores: Stores, registry: Registry) -> None:
        self._seconds = settings.inventory_seconds
        self._stores = stores
        self._registry = registry
        self.watchers: list[Callable[[LiveTunnel], None]] = []
        self._asked_at: dict[DeviceId, float] = {}
        self._due_at: dict[DeviceId, float] = {}
        self._running: dict[DeviceId, trio.Event] = {}
        self._awaited: dict[DeviceId, trio.Event] = {}
        self._wake = trio.Event()

    def watch(self, change: StatusChange) -> None:
        """Asks a device whose tunnel came up; a moment later, if it was asked a moment ago."""
        if change.cause is None:
            device_id = change.live.device_id
            asked_at = self._asked_at.get(device_id, -math.inf)
            self._plan(device_id, max(trio.current_time(), asked_at + AGAIN_SECONDS))

    def ask(self, device_id: DeviceId) -> None:
        """Asks soon; nothing happens if it is offline then. From now on `settled` waits for it."""
        self._plan(device_id, trio.current_time())
        if device_id in self._due_at:
            self._awaited.setdefault(device_id, trio.Event())

    async def settled(self, device_id: DeviceId) -> None:
        """Waits until what was asked for is known, or is known not to come; give it a deadline."""
        await trio.lowlevel.checkpoint()
        while (event := self._awaited.get(device_id, self._running.get(device_id))) is not None:
            await event.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Asks until cancelled."""
        turns = trio.Semaphore(AT_ONE_TIME)
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                self._wake = trio.Event()
                for device_id in self._ready():
                    await turns.acquire()
                    del self._due_at[device_id]
                    self._running[device_id] = self._awaited.pop(device_id, trio.Event())
                    nursery.start_soon(self._ask_one, device_id, turns)
                self._forget_old()
                with trio.move_on_at(self._next_at()):
                    await self._wake.wait()

    def _plan(self, device_id: DeviceId, at: float) -> None:
        known = self._due_at.get(device_id)
        if known is not None or len(self._due_at) < MAX_WAITING:
            self._due_at[device_id] = at if known is None else min(at, known)
            self._wake.set()

    def _ready(self) -> list[DeviceId]:
        now = trio.current_time()
        return [one for one, at in self._due_at.items() if at <= now and one not in self._running]

    def _next_at(self) -> float:
        return min((at for one, at in self._due_at.items() if one not in self._running), default=math.inf)

    async def _ask_one(self, device_id: DeviceId, turns: trio.Semaphore) -> None:
        try:
            live = self._registry.online(device_id)
            if live is not None:
                self._asked_at[device_id] = trio.current_time()
                await self._ask_and_keep(live)
        except StoreUnavailable:
            logger.info("an inventory was not kept; it is asked for again", extra={"device_id": device_id})
            self._plan(device_id, trio.current_time() + AGAIN_SECONDS)
        finally:
            turns.release()
            self._running.pop(device_id).set()
            self._wake.set()

    async def _ask_and_keep(self, live: LiveTunnel) -> None:
        info = await get(live, "/api/system/info", self._seconds)
        devices = await get(live, "/api/devices", self._seconds)
        now_live = self._registry.online(live.device_id)
        if now_live is not None and now_live is not live:
            # What came by a tunnel that was replaced is old; the new one is asked next.
            return
        if (found := accelerators(parse_json(devices or b""))) is not None:
            version = live.agent_version or agent_version(parse_json(info or b""))
            await record_inventory(self._stores, live.device_id, found, clock.now(), agent_version=version)
        if info is not None or devices is not None:
            for watcher in self.watchers:
                watcher(live)

    def _forget_old(self) -> None:
        now = trio.current_time()
        self._asked_at = {
            device_id: at for device_id, at in self._asked_at.items() if now - at < AGAIN_SECONDS
        }


async def get(live: LiveTunnel, path: str, seconds: float) -> bytes | None:
    """The body of a 200 answer to a GET, empty of any other answer; None where nothing came that is an answer."""
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
            return b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > MAX_BODY_BYTES:
                return None
        elif isinstance(event, h11.EndOfMessage):
            return body
        elif isinstance(event, (h11.ConnectionClosed, h11.PAUSED)):
            return None
