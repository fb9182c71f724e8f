"""All routes of the built-in identity provider."""

from quart import Blueprint

from visiona.web.idp.authorize import authorize_routes
from visiona.web.idp.discovery import discovery_routes
from visiona.web.idp.links import link_routes
from visiona.web.idp.provider import Provider
from visiona.web.idp.tokens import token_routes


def provider_routes(provider: Provider) -> list[Blueprint]:
    """Each is called by anybody (web/guards.py); left out where another provider is configured."""
    return [
        discovery_routes(provider),
        authorize_routes(provider),
        token_routes(provider),
        link_routes(provider),
    ]
