"""Where one-time links lead. What comes out of here is a secret: for a person's eyes, once, and for no log."""

from datetime import datetime

from visiona.domain.ids import UserId
from visiona.services.one_time_links import mint_first_admin_link, mint_sign_in_link
from visiona.stores.interfaces import Stores
from visiona.web.bff.place import Place


async def first_admin_url(stores: Stores, place: Place, now: datetime) -> str | None:
    """A new link with which the first account is made; None where somebody has a password already."""
    minted = await mint_first_admin_link(stores, now)
    return f"{place.base}/idp/first/{minted.text}" if minted is not None else None


async def sign_in_url(stores: Stores, place: Place, user_id: UserId, now: datetime) -> str:
    """A new link that signs this user in; raises NotFound, Conflict for a disabled account."""
    minted = await mint_sign_in_link(stores, user_id, now)
    return f"{place.base}/idp/link/{minted.text}"
