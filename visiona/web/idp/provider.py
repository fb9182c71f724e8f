"""The provider, whole: what its routes share."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from quart import g, request

from visiona.domain.users import User
from visiona.services.minting import mint_secret
from visiona.stores.interfaces import Stores
from visiona.web.bff.place import Place
from visiona.web.idp.authenticate import Hashing, PasswordCheck
from visiona.web.idp.client import Client
from visiona.web.idp.issued import Issued, SignedIn, password_mark
from visiona.web.idp.key_ring import KeyRing
from visiona.web.idp.limits import SignInLimits
from visiona.web.idp.oauth import Server
from visiona.web.idp.pages import Page
from visiona.web.idp.texts import language_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClientName:
    """What the one client is called.

    Attributes:
        secret: None for a public client.
    """

    client_id: str = "visiona"
    secret: str | None = None

    def __repr__(self) -> str:
        return f"ClientName({self.client_id!r})"


class Provider:
    """The built-in provider of this process.

    Args:
        stores: accounts and links.
        place: where browsers reach this server.
        ring: its keys.
        client: who may ask it.
        now: the wall clock.
        clock: monotonic seconds.
        rate_limits: False for load tests.
    """

    def __init__(
        self,
        stores: Stores,
        place: Place,
        ring: KeyRing,
        client: ClientName,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        *,
        rate_limits: bool = True,
    ) -> None:
        self.stores = stores
        self.place = place
        self.ring = ring
        self.now = now
        self.issued = Issued(clock)
        self.hashing = Hashing()
        self.passwords = PasswordCheck(stores, SignInLimits(stores.rates, enabled=rate_limits), self.hashing)
        self._client = client

    async def warm_up(self) -> None:
        """Makes or reads the keys, so that a start fails where a sign-in would; raises OSError."""
        await self.ring.keys()
        await self.passwords.stand_in()

    @property
    def issuer(self) -> str:
        """How it calls itself: where it is found."""
        return f"{self.place.base}/idp"

    @property
    def client(self) -> Client:
        """The one client, with where its codes are sent."""
        return Client(self._client.client_id, self._client.secret, self.place.callback_url)

    async def server(self) -> Server:
        """Its rules, for the current request."""
        return Server(self.issuer, self.client, await self.ring.keys(), self.issued, self.now())

    def signed_in(self, user: User, how: str) -> SignedIn:
        """Notes that somebody has just signed in, by `how`."""
        log.info("signed in at the provider", extra={"user_id": user.id, "how": how, "address": address()})
        return SignedIn(user.id, self.now(), mint_secret(), password_mark(user))


def address() -> str:
    """From where the current request comes."""
    found: str = g.get("address", "")
    return found


def page_of_request() -> Page:
    """The pages in the language of the person who asks."""
    accepted = ",".join(request.headers.getlist("Accept-Language"))
    return Page(language_of(accepted[:500], request.args.get("ui_locales", "")[:100]))
