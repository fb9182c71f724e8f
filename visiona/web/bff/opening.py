"""Puts the parts of the sign-in together, for as long as the server runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from quart import Blueprint

from visiona.integrations.oidc.client import OidcClient, Registration
from visiona.integrations.oidc.fetching import open_fetcher
from visiona.services.clock import now
from visiona.stores.interfaces import Stores
from visiona.web.bff.place import Place
from visiona.web.bff.routes import bff_routes
from visiona.web.bff.settings import OidcSettings, SessionSettings
from visiona.web.cookies import SessionCookie
from visiona.web.revoking import Revoking

BUILTIN_PATH = "/idp"
"""Of the built-in provider's issuer, below the public base."""


@asynccontextmanager
async def open_bff(
    oidc: OidcSettings,
    session: SessionSettings,
    stores: Stores,
    place: Place,
    revoking: Revoking,
    cookie: SessionCookie,
    builtin: httpx.AsyncBaseTransport,
    *,
    rate_limits: bool = True,
) -> AsyncIterator[list[Blueprint]]:
    """The routes of people's sign-in; the provider's connections are closed at the end.

    Args:
        builtin: how the built-in provider is reached, where no other is configured.
        rate_limits: False for load tests.
    """
    issuer = oidc.issuer
    registration = Registration(oidc.client_id, oidc.client_secret, oidc.scopes)
    async with open_fetcher(builtin if issuer is None else None) as fetcher:
        provider = OidcClient(
            lambda: issuer if issuer is not None else place.base + BUILTIN_PATH, registration, fetcher, now
        )
        yield bff_routes(stores, provider, place, revoking, cookie, session.limits, rate_limits=rate_limits)
