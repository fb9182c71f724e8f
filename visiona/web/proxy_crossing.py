"""What both layers know of an exchange before it crosses, gathered the same way."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from visiona.web.credentials import CredentialReader
from visiona.web.proxy_access import Allowed
from visiona.web.settings import WebSettings
from visiona.wire.http1.forward import Crossing, client_address
from visiona.wire.http1.head import RequestHead

ANYWHERE: Final = CredentialReader()


class Outside(NamedTuple):
    """How clients see this server.

    Attributes:
        scheme, host: of the configured public URL; None: as each request has it.
        trusted_proxies: whose X-Forwarded-For is believed.
        reader: reads who a request says it is from.
    """

    scheme: bytes | None = None
    host: bytes | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    reader: CredentialReader = ANYWHERE

    @classmethod
    def from_web(cls, web: WebSettings) -> "Outside":
        """From the web's settings."""
        reader = CredentialReader.from_web(web)
        if web.public_url is None:
            return cls(trusted_proxies=web.trusted_proxies, reader=reader)
        parts = urlsplit(web.public_url)
        return cls(parts.scheme.lower().encode(), parts.netloc.lower().encode(), web.trusted_proxies, reader)

    @property
    def origin(self) -> bytes | None:
        """As browsers spell it; None without a public URL."""
        own = self.reader.own_origin
        return None if own is None else own.encode()

    def address_of(self, peer: str, head: RequestHead) -> str:
        """Who the client is, behind the proxies we trust."""
        return client_address(peer, head.headers, self.trusted_proxies) if self.trusted_proxies else peer


def crossing_of(
    head: RequestHead,
    allowed: Allowed,
    outside: Outside,
    address: str,
    request_id: str,
    *,
    is_websocket: bool,
) -> Crossing:
    """The facts that the two heads are rebuilt with."""
    return Crossing(
        request_id=request_id.encode(),
        peer_address=address,
        scheme=outside.scheme or b"http",
        public_host=outside.host or head.get(b"host") or b"localhost",
        device_prefix=allowed.device_prefix,
        is_websocket=is_websocket,
        agent_target=allowed.target.agent_target,
    )
