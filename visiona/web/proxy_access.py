"""May this caller use this device now, and over which tunnel?

The warm path answers from memory and never waits: a credential that was checked a short while ago, a device whose
tunnel is up and belongs to one of the caller's workspaces. Everything else (first use, a device that is offline or
somebody else's, a verb that must first find its accelerator) asks the store.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple

import trio

from visiona.domain.access import Actor, Scope
from visiona.domain.causes import Cause, in_words
from visiona.domain.devices import Device
from visiona.domain.errors import Conflict, Detail, DeviceOffline, NotAllowed, NotFound
from visiona.domain.ids import DeviceId
from visiona.relay.registry import LiveTunnel, Registry
from visiona.services.audit import Origin, RefusalNotes, set_origin
from visiona.services.devices import devices_named, get_device, list_devices
from visiona.stores.interfaces import Stores
from visiona.web.callers import Callers
from visiona.web.credentials import Credentials
from visiona.web.refused import note_refusal
from visiona.web.targets import Target, resolved

SETTLE_SECONDS = 5.0
"""For what a scan has found to be known, before whoever asks is answered by what was known before."""


MAX_CHOICES = 20
"""Devices that an answer names, for a person to choose from; it says how many there are."""


class Allowed(NamedTuple):
    """Yes, over this tunnel, and this is what the device is asked."""

    actor: Actor
    live: LiveTunnel
    target: Target
    scanned: Callable[[LiveTunnel], None] | None = None

    def answered(self, status: int) -> None:
        """The device has answered whole: a scan may have changed what is known of it."""
        if self.scanned is not None and 200 <= status < 300:
            self.scanned(self.live)

    @property
    def device_prefix(self) -> bytes:
        """Under which path of ours the device's own paths stand."""
        return b"/api/devices/%b/proxy" % self.live.device_id.encode()


class Access:
    """Who may reach which device.

    Attributes:
        scanned: told of a device whose accelerators changed because a caller asked it to scan.

    Args:
        settled: waits until what a device found is known.
        refusals: told of what is refused, for the audit log.
    """

    def __init__(
        self,
        callers: Callers,
        registry: Registry,
        stores: Stores,
        scanned: Callable[[LiveTunnel], None] | None = None,
        settled: Callable[[DeviceId], Awaitable[None]] | None = None,
        refusals: RefusalNotes | None = None,
    ) -> None:
        self.registry = registry
        self.scanned = scanned
        self._settled = settled
        self._refusals = refusals
        self._callers = callers
        self._stores = stores

    def known(self, credentials: Credentials, target: Target) -> Allowed | None:
        """The answer where memory has it; None says nothing, `resolve` must be asked."""
        device_id = target.device_id
        if device_id is None or target.verb is not None:
            return None
        actor = self._callers.known(credentials)
        live = self.registry.online(device_id)
        if actor is None or live is None or not _may_use(actor, live):
            return None
        return Allowed(actor, live, target)

    async def resolve(self, credentials: Credentials, target: Target, address: str = "") -> Allowed:
        """The answer, whatever it takes.

        Args:
            address: where the request comes from.

        Raises:
            NotSignedIn, NotAllowed, StoreUnavailable: nobody we know, or no right to use devices.
            NotFound: no such device, or somebody else's: the same to the caller.
            DeviceOffline: the caller's own device, without a tunnel.
            Conflict: several devices or accelerators could be meant (DEVICE_AMBIGUOUS).
        """
        set_origin(Origin(address=address, refusals=self._refusals))
        try:
            actor = await self._callers.identify(credentials)
            actor.need(Scope.DEVICES_PROXY)
        except NotAllowed as error:
            note_refusal(error)
            raise
        scanned = self.scanned if target.verb == b"scan" else None
        if target.device_id is None and target.local_id is None:
            return Allowed(actor, await self._only_online(actor), target, scanned)
        if not target.agent_target:
            await self.settle(actor, target.device_id)
        device: Device | None
        if target.device_id is None:
            device = await self._device_with(actor, target.local_id or "")
        else:
            device = await self._device(actor, target.device_id, verb=not target.agent_target)
        # Once more: all that took a while, seconds where a scan settles. What follows does not wait.
        actor = await self._callers.identify(credentials)
        live = self._live(actor, target.device_id or (device.id if device is not None else None), device)
        if not target.agent_target and device is not None:
            target = resolved(target, _accelerator(device, target.local_id))
        return Allowed(actor, live, target, scanned)

    def check_origin(
        self, get_header: Callable[[bytes], bytes | None], public_origin: bytes | None, address: str
    ) -> None:
        """As the function `check_origin`; what it refuses is taken down."""
        set_origin(Origin(address=address, refusals=self._refusals))
        try:
            check_origin(get_header, public_origin)
        except NotAllowed as error:
            note_refusal(error)
            raise

    async def settle(self, actor: Actor, device_id: DeviceId | None = None) -> None:
        """Waits until it is known what a scan has found, on one of the caller's devices or on any; not for ever."""
        if self._settled is None:
            return
        with trio.move_on_after(SETTLE_SECONDS):
            for live in self.registry.all():
                if live.session.workspace_id in actor.workspaces and device_id in {None, live.device_id}:
                    await self._settled(live.device_id)

    async def _device(self, actor: Actor, device_id: DeviceId, *, verb: bool) -> Device | None:
        """The stored device; None where the tunnel alone says all there is to know."""
        live = self.registry.online(device_id)
        if live is not None and not verb and _may_use(actor, live):
            return None
        return await get_device(self._stores, actor, device_id)

    async def _device_with(self, actor: Actor, local_id: str) -> Device:
        devices = (await list_devices(self._stores, actor)).items
        having = [
            device
            for device in devices
            if any(accelerator.local_id == local_id for accelerator in device.accelerators)
        ]
        if not having:
            raise NotFound("there is no such device")
        if len(having) > 1:
            raise self._ambiguous("several of your devices have such an accelerator", having)
        return having[0]

    async def _only_online(self, actor: Actor) -> LiveTunnel:
        mine = [live for live in self.registry.all() if live.tunnel.is_open and _may_use(actor, live)]
        if not mine:
            raise await self._none_online(actor)
        if len(mine) > 1:
            which = await devices_named(self._stores, actor, [live.device_id for live in mine[:MAX_CHOICES]])
            raise self._ambiguous("several of your devices are connected", which, len(mine))
        return mine[0]

    async def _none_online(self, actor: Actor) -> DeviceOffline:
        """Who has one device means that one, and is told why it is away."""
        devices = (await list_devices(self._stores, actor, limit=2)).items
        if len(devices) == 1:
            return offline_error(self.registry, devices[0].id, devices[0])
        return DeviceOffline("none of your devices is connected")

    def _ambiguous(self, message: str, devices: list[Device], count: int | None = None) -> Conflict:
        choices: list[dict[str, Detail]] = [
            {"id": device.id, "name": device.name, "online": self.registry.online(device.id) is not None}
            for device in devices[:MAX_CHOICES]
        ]
        return Conflict(
            f"{message}: name one by device_id",
            code="DEVICE_AMBIGUOUS",
            details={"devices": choices, "count": len(devices) if count is None else count},
        )

    def _live(self, actor: Actor, device_id: DeviceId | None, device: Device | None) -> LiveTunnel:
        if device_id is None:
            raise NotFound("there is no such device")
        live = self.registry.online(device_id)
        if live is None:
            raise offline_error(self.registry, device_id, device)
        if live.session.workspace_id not in actor.workspaces:
            raise NotFound("there is no such device")
        return live


def offline_error(registry: Registry, device_id: DeviceId, device: Device | None) -> DeviceOffline:
    """Since when and why a device is away."""
    seen = registry.last_seen(device_id)
    since = seen.since if seen else device.last_seen_at if device else None
    cause = seen.cause if seen else device.offline_cause if device else None
    why = in_words(cause) if cause else "it has not connected yet"
    return DeviceOffline(f"the device is not connected: {why}", details=_facts(since, cause))


def _facts(since: datetime | None, cause: Cause | None) -> dict[str, str]:
    facts = {}
    if since is not None:
        facts["since"] = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if cause is not None:
        facts["cause"] = cause.value
    return facts


def _may_use(actor: Actor, live: LiveTunnel) -> bool:
    return Scope.DEVICES_PROXY in actor.scopes and live.session.workspace_id in actor.workspaces


def _accelerator(device: Device, chosen: str | None) -> str:
    ids = [accelerator.local_id for accelerator in device.accelerators]
    if chosen is not None:
        if chosen not in ids:
            raise NotFound("the device has no such accelerator")
        return chosen
    if not ids:
        raise NotFound("the device reports no accelerator: scan first")
    if len(ids) > 1:
        raise Conflict(
            "the device has several accelerators: choose one by ?accelerator=",
            code="DEVICE_AMBIGUOUS",
            details={"accelerators": ids},
        )
    return ids[0]


def check_origin(get_header: Callable[[bytes], bytes | None], public_origin: bytes | None) -> None:
    """A WebSocket that rides on a cookie must come from our own pages (H-14).

    A bearer token is not sent by a browser on its own, so no page can misuse it.

    Raises:
        NotAllowed: another site's page opened it.
    """
    origin = get_header(b"origin")
    authorization = get_header(b"authorization") or b""
    if origin is None or authorization[:7].lower() == b"bearer ":
        return
    host = get_header(b"host") or b""
    own = {b"http://" + host, b"https://" + host} if public_origin is None else {public_origin}
    if origin.lower() not in own:
        raise NotAllowed("this WebSocket was opened by another site's page")
