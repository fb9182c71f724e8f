"""Snapshots of cameras. Their moving pictures are the data path's (relay/cameras.py)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from quart import Blueprint, Response, request

from visiona.domain.access import Actor, Scope
from visiona.domain.errors import DeviceBroke, DeviceOffline, DeviceTooSlow, NotFound
from visiona.domain.ids import DeviceId, is_uuid
from visiona.relay.camera_frames import Picture
from visiona.relay.registry import Registry
from visiona.services.devices import get_device
from visiona.stores.interfaces import Stores
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.proxy_access import offline_error
from visiona.web.proxy_request import raw_target
from visiona.web.site import current_request_id
from visiona.web.snapshots import Snapshots
from visiona.wire.http1.forward import agent_path

_CAMERA = re.compile(rb"(/api/devices/[^/?]*/cameras)(/[^?]+)/snapshot(\?.*)?")


def camera_routes(
    stores: Stores, registry: Registry, snapshots: Snapshots, now: Callable[[], datetime]
) -> Blueprint:
    """The routes."""
    routes = Blueprint("cameras", __name__)

    @routes.get("/api/devices/<device_id>/cameras/<path:path>/snapshot")
    @described(media="image/jpeg", refusals=(DeviceOffline, DeviceBroke, DeviceTooSlow))
    async def snapshot(device_id: str, path: str) -> Response:
        """The last good picture of the camera at /{path} of the device, and how old it is."""
        actor = current_actor(Scope.DEVICES_PROXY)
        if not is_uuid(device_id):
            raise NotFound("there is no such device")
        return _shown(await picture(actor, DeviceId(device_id), _target()), now())

    async def picture(actor: Actor, device_id: DeviceId, target: bytes) -> Picture:
        live = registry.online(device_id)
        if live is not None and live.session.workspace_id in actor.workspaces:
            return await snapshots.take(actor, live, target, current_request_id())
        device = await get_device(stores, actor, device_id)
        kept = snapshots.kept_or_none(device.workspace_id, device_id, target)
        if kept is None:
            raise offline_error(registry, device_id, device)
        return kept

    return routes


def _target() -> bytes:
    # From what was sent, as the data path does it: nothing is decoded on the way to the device (H-07).
    match = _CAMERA.fullmatch(raw_target(dict(request.scope)))
    if match is None:
        raise NotFound("there is nothing at this path")
    prefix, path, query = match.groups()
    return agent_path(prefix + path + (query or b""), prefix)


def _shown(picture: Picture, now: datetime) -> Response:
    age_seconds = max((now - picture.at).total_seconds(), 0.0)
    response = Response(picture.body, content_type=picture.content_type.decode())
    response.headers["Cache-Control"] = "no-store"
    response.headers["Age"] = str(int(age_seconds))
    response.headers["X-Visiona-Frame-Age"] = f"{age_seconds:.3f}"
    response.headers["Last-Modified"] = format_datetime(picture.at.astimezone(UTC), usegmt=True)
    return response
