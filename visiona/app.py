"""The composition root: opens stores, nurseries and servers, and closes them in the right order.

People's requests end first, tunnels second, stores last: a request in flight must keep its tunnel, and the end of a
tunnel is still written down.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import trio

from visiona.config import Settings
from visiona.ops.health import HealthBoard, check_forever
from visiona.ops.internal import serve_internal
from visiona.ops.metrics import Metrics, Sources
from visiona.ops.stalls import watching_stalls
from visiona.ops.systemd import Notifier, feed_watchdog
from visiona.relay.deadlines import Sweeper
from visiona.relay.registry import Registry
from visiona.services.clock import now
from visiona.stores.opening import open_stores
from visiona.web.api.routes import api_routes
from visiona.web.callers import Callers
from visiona.web.door import open_door
from visiona.web.proxy import Proxy
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.rate_limits import ExchangeLimits
from visiona.web.relay_url import relay_url_from
from visiona.web.revoking import Revoking
from visiona.web.site import build_site

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the server accepts, as URLs by which this machine reaches it."""

    web: str
    relay: str
    internal: str


async def run(settings: Settings, *, stop: trio.Event, ready: Callable[[Bound], None]) -> None:
    """Serves until `stop` is set and what was in flight has ended.

    Args:
        settings: everything that can be set.
        stop: begins the drain.
        ready: told what was bound, once everything accepts.

    Raises:
        OSError: an address cannot be bound.
        StoreBusy, SchemaMismatch, StoreDamaged, StoreUnavailable: the stores cannot be opened.
    """
    notifier = Notifier(settings.manager.notify_socket)
    with watching_stalls() as stalls:
        async with open_stores(settings.stores, exclusive=True) as stores:
            registry, board, sweeper = Registry(), HealthBoard(), Sweeper()
            callers = Callers(stores, ttl_seconds=settings.web.caller_cache_seconds)
            revoking = Revoking(callers, registry, now)
            access = Access(callers, registry, stores)
            bound_relay: list[str] = []
            relay_url = relay_url_from(
                settings.relay.public_url, settings.web.public_url, lambda: bound_relay[0]
            )
            limits = ExchangeLimits(enabled=settings.web.rate_limits)
            site = build_site(
                settings.web,
                callers,
                api_routes(stores, registry, revoking, limits, board, relay_url=relay_url),
            )
            proxy = Proxy(site, access, sweeper, outside=Outside.from_web(settings.web))
            metrics = Metrics(Sources(health=board.snapshot, stalls=stalls.statistics))
            async with trio.open_nursery() as background:
                await background.start(sweeper.run)
                await background.start(check_forever, settings.health, board, registry, stores)
                internal = await background.start(serve_internal, settings.internal.listen, board, metrics)
                background.start_soon(feed_watchdog, notifier, settings.manager.watchdog_usec)
                async with trio.open_nursery() as doors:
                    web = await doors.start(open_door, settings.web, proxy, access, sweeper, _no_agents, stop)
                    bound_relay.append(web[0].replace("http", "ws", 1))
                    host, port = internal[0].socket.getsockname()[:2]
                    ready(Bound(web[0], bound_relay[0], f"http://{host}:{port}"))
                    notifier.ready("serving")
                    await stop.wait()
                    board.drain()
                    notifier.stopping("requests in flight may finish")
                background.cancel_scope.cancel()
    notifier.close()


async def _no_agents(sock: object, head: object, leftover: bytes, address: str) -> None:
    """Until the relay's listener is in its place."""
