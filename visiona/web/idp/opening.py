"""Puts the built-in provider together, where no other is configured."""

from pathlib import Path

import trio

from visiona.services.clock import now
from visiona.stores.interfaces import Stores
from visiona.web.bff.place import Place
from visiona.web.bff.settings import OidcSettings
from visiona.web.idp.key_file import key_path
from visiona.web.idp.key_ring import KeyRing
from visiona.web.idp.provider import ClientName, Provider


async def open_provider(
    oidc: OidcSettings, stores: Stores, place: Place, state_dir: Path | None, *, rate_limits: bool
) -> Provider | None:
    """The provider, its keys read or made; None where another is configured.

    Args:
        oidc: says whether another is, and what the client is called.
        stores: accounts and links.
        place: where browsers reach this server.
        state_dir: where the keys are kept; None keeps them nowhere.
        rate_limits: False for load tests.

    Raises:
        OSError: the keys cannot be read or made.
    """
    if oidc.issuer is not None:
        return None
    ring = KeyRing(key_path(state_dir) if state_dir is not None else None, now)
    client = ClientName(oidc.client_id, oidc.client_secret)
    provider = Provider(stores, place, ring, client, now, trio.current_time, rate_limits=rate_limits)
    await provider.warm_up()
    return provider
