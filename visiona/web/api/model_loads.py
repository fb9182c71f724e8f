"""Loading models onto devices: begun by one request and watched as server-sent events, here or by whoever comes later.

A load belongs to the device, not to the request: it goes on when the viewer leaves.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime

import trio
from quart import Blueprint, Response

from visiona.domain.access import Actor, Scope
from visiona.domain.errors import Conflict, DeviceOffline, NotFound, TooMany
from visiona.domain.ids import DeviceId, LoadId, ModelId
from visiona.domain.loads import Load
from visiona.relay.calls import LiveCalls
from visiona.relay.load_news import follow as news_of
from visiona.relay.model_loads import Loads
from visiona.services.devices import get_device
from visiona.services.kept_loads import get_load, loads_of_device
from visiona.services.load_model import plan_load
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, event_stream, moment, no_content, ok, without_nothing
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import body_fields
from visiona.web.live_feed import LiveFeed
from visiona.web.model_shapes import LoadItem, LoadWish

QUIET_SECONDS = 15.0
"""Without news a comment is sent, so that silence means a dead connection."""

MAX_VIEWERS = 32
"""Of one load."""


def load_routes(
    stores: Stores, loads: Loads, calls: LiveCalls, feed: LiveFeed, now: Callable[[], datetime]
) -> Blueprint:
    """The routes."""
    routes = Blueprint("model_loads", __name__)

    @routes.post("/api/models/<model_id>/load-to-device")
    @described(
        media="text/event-stream",
        body=LoadWish,
        refusals=(NotFound, Conflict, DeviceOffline),
    )
    async def begin(model_id: str) -> Response:
        """Load a model onto an accelerator of a device; each event is the load's state (server-sent events)."""
        actor = _user(Scope.MODELS_READ)
        fields = await body_fields()
        device_id, accelerator = DeviceId(fields.text("device_id")), fields.text_or_none("accelerator")
        plan = await plan_load(stores, actor, ModelId(model_id), device_id, accelerator, now())
        load = await loads.begin(plan)
        feed.changed(load.workspace_id, load.device_id)
        return _followed(load, actor)

    @routes.get("/api/devices/<device_id>/loads")
    @described(answer=list[LoadItem])
    async def list_all(device_id: str) -> Response:
        """The last load of each accelerator of a device, and the one that is on it."""
        found = await loads_of_device(stores, current_actor(Scope.DEVICES_READ), DeviceId(device_id))
        return ok([load_item(loads.as_seen_here(load)) for load in found])

    @routes.get("/api/devices/<device_id>/loads/<load_id>/events")
    @described(media="text/event-stream")
    async def follow(device_id: str, load_id: str) -> Response:
        """A load's states so far and from now on, to its end (server-sent events)."""
        actor = current_actor(Scope.DEVICES_READ)
        device = await get_device(stores, actor, DeviceId(device_id))
        return _followed((await get_load(stores, device.id, LoadId(load_id))).load, actor)

    @routes.delete("/api/devices/<device_id>/loads/<load_id>")
    @described(status=204, refusals=(Conflict,))
    async def cancel(device_id: str, load_id: str) -> Response:
        """Cancel a load that is not being written to the accelerator yet."""
        device = await get_device(stores, _user(), DeviceId(device_id))
        await loads.cancel(device.id, LoadId(load_id))
        return no_content()

    def _followed(load: Load, actor: Actor) -> Response:
        if loads.viewers[load.id] >= MAX_VIEWERS:
            raise TooMany("too many watch this load; it goes on all the same", retry_after_seconds=10)
        return event_stream(_events(stores, loads, load, calls, actor))

    return routes


def load_item(load: Load) -> Json:
    """A load as the API shows it."""
    return without_nothing(
        {
            "id": load.id,
            "model_id": load.model_id,
            "model_name": load.model_name,
            "model_version": load.model_version,
            "device_id": load.device_id,
            "accelerator": load.accelerator,
            "chip": load.chip,
            "state": load.state.value,
            "sent_bytes": load.sent_bytes,
            "total_bytes": load.size,
            "progress": load.progress,
            "waiting_for_device": load.is_waiting,
            "code": load.fault.value if load.fault is not None else None,
            "message": load.sentence,
            "current": load.current_since is not None,
            "created_at": moment(load.created_at),
            "updated_at": moment(load.updated_at),
        }
    )


def _user(*scopes: Scope) -> Actor:
    """Who may use devices."""
    actor = current_actor(Scope.DEVICES_PROXY)
    for scope in scopes:
        actor.need(scope)
    return actor


async def _events(
    stores: Stores, loads: Loads, load: Load, calls: LiveCalls, actor: Actor
) -> AsyncIterator[bytes]:
    cut = trio.Event()

    def end(_: str) -> None:
        cut.set()
        if (running := loads.running(load.id)) is not None:
            running.wake()

    call = calls.add(actor.user_id, actor.credential_id, load.device_id, end, actor.expires_at)
    loads.viewers[load.id] += 1
    try:
        async with aclosing(news_of(stores, loads, load, QUIET_SECONDS, cut)) as news:
            async for one in news:
                yield _spoken(one) if one is not None else b": still here\n\n"
    finally:
        loads.viewers[load.id] -= 1
        if not loads.viewers[load.id]:
            del loads.viewers[load.id]
        call.remove()


def _spoken(load: Load) -> bytes:
    return (
        f"event: {load.state.value}\ndata: {json.dumps(load_item(load), separators=(',', ':'))}\n\n".encode()
    )
