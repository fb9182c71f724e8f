"""The web's parts put together: API, device routes, and who may use them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from visiona.ops.health import HealthBoard
from visiona.relay.deadlines import Sweeper
from visiona.relay.registry import LiveTunnel, Registry
from visiona.stores.interfaces import Stores
from visiona.web.api.routes import api_routes
from visiona.web.callers import Callers
from visiona.web.proxy import ASGIApp, Proxy
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.rate_limits import ExchangeLimits
from visiona.web.revoking import Revoking
from visiona.web.settings import WebSettings
from visiona.web.site import build_site


@dataclass(frozen=True, slots=True)
class Web:
    """What the door needs.

    Attributes:
        proxy: device routes in front of the site, as one ASGI app.
        access: who may reach which device.
    """

    proxy: Proxy
    access: Access


def assemble_web(
    settings: WebSettings,
    stores: Stores,
    callers: Callers,
    revoking: Revoking,
    registry: Registry,
    board: HealthBoard,
    sweeper: Sweeper,
    *,
    relay_url: Callable[[], str],
    scanned: Callable[[LiveTunnel], None],
) -> Web:
    """Makes the parts; call it inside the event loop.

    Args:
        settings: of the web port.
        stores: where everything is kept.
        callers: shared with `revoking`.
        revoking: cuts at once what a route takes away.
        registry: who is online.
        board: who is well.
        sweeper: deadlines of exchanges with devices.
        relay_url: what agents are told to dial.
        scanned: told of a device whose accelerators a caller had looked for.
    """
    limits = ExchangeLimits(enabled=settings.rate_limits)
    routes = api_routes(stores, registry, revoking, limits, board, relay_url=relay_url)
    site = build_site(settings, callers, routes)
    access = Access(callers, registry, stores, scanned)
    # Quart spells out what an ASGI message can be; the proxy only passes them on.
    proxy = Proxy(cast("ASGIApp", site), access, sweeper, outside=Outside.from_web(settings))
    return Web(proxy, access)
