"""Moving a device to another workspace."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response

from visiona.domain.access import Scope
from visiona.domain.errors import Conflict
from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.domain.notices import NoticeKind
from visiona.relay.registry import Registry
from visiona.services.move_device import move_device
from visiona.stores.interfaces import Stores
from visiona.web.answers import ok
from visiona.web.api.devices import device_item
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import body_fields
from visiona.web.live_feed import LiveFeed
from visiona.web.revoking import Revoking
from visiona.web.workspace_shapes import Destination, MovedDevice


def moving_routes(
    stores: Stores, registry: Registry, revoking: Revoking, feed: LiveFeed, now: Callable[[], datetime]
) -> Blueprint:
    """The one route."""
    routes = Blueprint("moving", __name__)

    @routes.post("/api/devices/<device_id>/transfer")
    @described(answer=MovedDevice, body=Destination, refusals=(Conflict,))
    async def transfer(device_id: str) -> Response:
        """Move a device to another workspace, with its history and its tokens; its tunnel stays."""
        actor = current_actor(Scope.DEVICES_WRITE)
        fields = await body_fields()
        target, at = WorkspaceId(fields.text("workspace_id")), now()
        moved = await move_device(stores, actor, DeviceId(device_id), target, at)
        cut = revoking.at_once(NoticeKind.DEVICE_MOVED, moved.move.subject, at)
        feed.changed(moved.source, moved.device.id, removed=True)
        feed.changed(target, moved.device.id)
        return ok({"device": device_item(moved.device, registry, now()), "sockets_closed": cut.sockets})

    return routes
