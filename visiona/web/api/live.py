"""`GET /api/live`: what happens to the caller's devices, as server-sent events."""

from collections.abc import AsyncIterator

import trio
from quart import Blueprint, Response

from visiona.domain.access import Actor, Scope
from visiona.web.answers import event_stream
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.live_feed import LiveFeed, spoken

HEARTBEAT_SECONDS = 15.0
"""Below the idle limit of every proxy that one meets (nginx: 60 s), so that silence means a dead connection."""

RETRY_MILLISECONDS = 2000
"""After which a browser tries again; a server that restarts is back by then."""


def live_routes(feed: LiveFeed) -> Blueprint:
    """The route."""
    routes = Blueprint("live", __name__)

    @routes.get("/api/live")
    @described(media=("text/event-stream",))
    async def live() -> Response:
        """Changes of the caller's devices and pairing tokens, as they happen (server-sent events)."""
        actor = current_actor(Scope.DEVICES_READ)
        feed.need_room(actor)
        return event_stream(_events(feed, actor))

    return routes


async def _events(feed: LiveFeed, actor: Actor) -> AsyncIterator[bytes]:
    with feed.listen(actor) as events:
        yield f"retry: {RETRY_MILLISECONDS}\n".encode() + spoken("hello", {})
        while True:
            event = b": still here\n\n"
            with trio.move_on_after(HEARTBEAT_SECONDS):
                try:
                    event = await events.receive()
                except trio.EndOfChannel:
                    return
            yield event
