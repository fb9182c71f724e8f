"""Devices: what the store knows, joined with the tunnel that is up now.

Scanning, connecting, flashing and inference are requests to the device and never come here (targets.py).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from quart import Blueprint, Response

from visiona.domain.access import Actor, Scope
from visiona.domain.devices import Accelerator, Device, DeviceEvent, RemoteStatus
from visiona.domain.errors import NotFound
from visiona.domain.ids import DeviceId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.relay.registry import Registry
from visiona.services.devices import device_events, get_device, list_devices, rename_and_tag, unpair
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, listed, moment, ok, page_asked, without_nothing
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import body_fields
from visiona.web.live_feed import LiveFeed
from visiona.web.revoking import Revoking
from visiona.web.shapes import DeviceChange, DeviceEventItem, DeviceItem, Unpaired

EVENTS_PAGE = 100
"""Events a page where nobody asks for another number."""


Settle = Callable[[Actor, DeviceId | None], Awaitable[None]]
"""Waits until what a scan has found is known: on one of the caller's devices, or on any."""


async def at_once(_: Actor, __: DeviceId | None) -> None:
    """Waits for nothing."""


def device_routes(
    stores: Stores,
    registry: Registry,
    revoking: Revoking,
    settle: Settle,
    feed: LiveFeed,
    now: Callable[[], datetime],
) -> Blueprint:
    """The routes."""
    routes = Blueprint("devices", __name__)

    @routes.get("/api/devices")
    @described(answer=DeviceItem, is_kept_list=True)
    async def list_all() -> Response:
        """The caller's devices."""
        limit, cursor = page_asked()
        actor = current_actor(Scope.DEVICES_READ)
        await settle(actor, None)
        page = await list_devices(stores, actor, limit=limit, cursor=cursor)
        moment_now = now()
        return listed(page, lambda device: device_item(device, registry, moment_now), bare=limit is None)

    @routes.get("/api/devices/<device_id>")
    @described(answer=DeviceItem)
    async def get(device_id: str) -> Response:
        """One device."""
        actor = current_actor(Scope.DEVICES_READ)
        await settle(actor, _id(device_id))
        return ok(device_item(await get_device(stores, actor, _id(device_id)), registry, now()))

    @routes.patch("/api/devices/<device_id>")
    @described(answer=DeviceItem, body=DeviceChange)
    async def change(device_id: str) -> Response:
        """Rename and tag a device."""
        actor = current_actor(Scope.DEVICES_WRITE)
        fields = await body_fields()
        device = await rename_and_tag(
            stores,
            actor,
            _id(device_id),
            now(),
            name=fields.text_or_none("name"),
            tags=fields.texts_or_none("tags"),
        )
        feed.changed(device.workspace_id, device.id)
        return ok(device_item(device, registry, now()))

    @routes.get("/api/devices/<device_id>/events")
    @described(answer=DeviceEventItem, is_paged=True)
    async def events(device_id: str) -> Response:
        """A device's connections and other events, the newest first."""
        actor = current_actor(Scope.DEVICES_READ)
        limit, cursor = page_asked()
        size = EVENTS_PAGE if limit is None else limit
        return listed(await device_events(stores, actor, _id(device_id), limit=size, cursor=cursor), _event)

    @routes.post("/api/devices/<device_id>/unpair")
    @routes.delete("/api/devices/<device_id>")
    @described(answer=Unpaired)
    async def end(device_id: str) -> Response:
        """Unpair a device: its tokens end, its tunnel, streams and sockets close."""
        actor = current_actor(Scope.DEVICES_WRITE)
        ended = await unpair(stores, actor, _id(device_id), now())
        # The device's end first: it is the cause to be on record, not that of its tokens, which follows from it.
        cut = revoking.at_once(NoticeKind.DEVICE_DELETED, ended.device_id)
        for token_id in ended.session_tokens:
            cut = cut.plus(revoking.at_once(NoticeKind.SESSION_TOKEN_REVOKED, token_id))
        feed.changed(ended.workspace_id, ended.device_id, removed=True)
        return ok(
            {
                "device_id": ended.device_id,
                "tokens_revoked": len(ended.session_tokens),
                "tunnels_closed": cut.tunnels,
                "streams_closed": cut.streams,
                "sockets_closed": cut.sockets,
            }
        )

    return routes


def device_item(device: Device, registry: Registry, now: datetime) -> Json:
    """A device as the API shows it; its status is the live tunnel's, never a stored flag."""
    live = registry.online(device.id)
    item: dict[str, object] = {
        "id": device.id,
        "name": device.name,
        "device_type": device.device_type,
        "serial_number": device.serial_number,
        "status": device.status.value,
        "accelerators": [_accelerator(accelerator) for accelerator in device.accelerators],
        "tags": list(device.tags),
        "agent_version": device.agent_version,
        "workspace_id": device.workspace_id,
        "created_at": moment(device.created_at),
        "updated_at": moment(device.updated_at),
        "tunnel_online": live is not None,
    }
    if live is not None:
        item["remote_status"] = RemoteStatus.ONLINE.value
        item["last_seen_at"] = moment(now)
        item["last_connected_at"] = moment(live.connected_at)
        item["agent_version"] = live.agent_version or device.agent_version
        return without_nothing(item)
    seen = registry.last_seen(device.id)
    cause = seen.cause if seen is not None else device.offline_cause
    # Never seen is not the same as gone: nobody knows anything about it yet.
    known = seen is not None or device.last_connected_at is not None
    item["remote_status"] = (RemoteStatus.OFFLINE if known else RemoteStatus.UNKNOWN).value
    item["last_seen_at"] = moment(seen.since if seen is not None else device.last_seen_at)
    item["last_connected_at"] = moment(device.last_connected_at)
    item["offline_cause"] = cause.value if cause is not None else None
    return without_nothing(item)


def _id(text: str) -> DeviceId:
    # The same sentence as for a device that does not exist or is somebody else's (H-08).
    if not is_uuid(text):
        raise NotFound("there is no such device")
    return DeviceId(text)


def _accelerator(accelerator: Accelerator) -> Json:
    return without_nothing(
        {
            "id": accelerator.local_id,
            "name": accelerator.name,
            "chip": accelerator.chip,
            "status": accelerator.status.value,
            "firmware_version": accelerator.firmware_version,
            "port": accelerator.port,
            "model": accelerator.model,
        }
    )


def _event(event: DeviceEvent) -> Json:
    return without_nothing(
        {
            "id": event.id,
            "kind": event.kind.value,
            "at": moment(event.at),
            "cause": event.cause.value if event.cause is not None else None,
            "detail": event.detail,
        }
    )
