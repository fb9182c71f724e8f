"""All routes of people's sign-in, for the site that serves them."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint

from visiona.domain.sessions import SessionLimits
from visiona.integrations.interface import IdentityProvider
from visiona.services.clock import now as wall_clock
from visiona.stores.interfaces import Stores
from visiona.web.bff.backchannel import backchannel_routes
from visiona.web.bff.callback import callback_routes
from visiona.web.bff.login import login_routes
from visiona.web.bff.logout import logout_routes
from visiona.web.bff.loops import Loops
from visiona.web.bff.place import Place
from visiona.web.cookies import SessionCookie
from visiona.web.rate_limits import SignInBeginnings
from visiona.web.revoking import Revoking


def bff_routes(
    stores: Stores,
    provider: IdentityProvider,
    place: Place,
    revoking: Revoking,
    cookie: SessionCookie,
    limits: SessionLimits,
    *,
    rate_limits: bool = True,
    now: Callable[[], datetime] = wall_clock,
) -> list[Blueprint]:
    """Each route's blueprint; call it inside the event loop.

    Args:
        provider: visiona.integrations.oidc.client.OidcClient over a fetcher, for the built-in issuer too.
        cookie: the same that `Callers` has.
        rate_limits: False for load tests.
    """
    loops = Loops()
    return [
        login_routes(
            stores, provider, place, loops, SignInBeginnings(stores.rates, enabled=rate_limits), now
        ),
        callback_routes(stores, provider, place, loops, revoking, cookie, limits, now),
        logout_routes(stores, provider, place, revoking, cookie, now),
        backchannel_routes(stores, provider, revoking, now),
    ]
