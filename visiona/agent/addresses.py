"""Addresses as an installer types them: where the relay or the web site is, and which local service is served.

Text becomes a value here, once, with one sentence for whatever is wrong with it.
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_SECURE = frozenset({"https", "wss"})


class AddressInvalid(ValueError):
    """The text is no address of the wanted kind; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port, with or without TLS, and the path under which a site lives (empty for most).

    Attributes:
        host: a name or an address, IPv6 without brackets.
        path: no slash at its end.
    """

    secure: bool
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str, what: str) -> Self:
        """Reads `http://…`, `https://…`, `ws://…` or `wss://…`; `what` names it in the sentence of AddressInvalid."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise AddressInvalid(f"the {what} address cannot be read: {error}") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise AddressInvalid(f"the {what} address must look like https://host or http://host:port")
        if parts.username is not None or parts.query or parts.fragment:
            raise AddressInvalid(f"the {what} address must be a plain one, without user, query or fragment")
        if not parts.netloc.isascii() or any(c in parts.path for c in " \t\r\n"):
            raise AddressInvalid(f"the {what} address has characters that no address has")
        secure = parts.scheme in _SECURE
        return cls(
            secure, parts.hostname, _PORTS[parts.scheme] if port is None else port, parts.path.rstrip("/")
        )

    @property
    def authority(self) -> str:
        """For the Host header: the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}"


def websocket_url(relay: Address) -> str:
    """As a relay's address is written everywhere else: `ws://…`, `wss://…`."""
    return f"ws{str(relay).removeprefix('http')}"


def parse_target(text: str) -> Address:
    """The local service: plain HTTP on a host and a port, nothing more. Raises AddressInvalid."""
    target = Address.parse(text, "target")
    if target.secure:
        raise AddressInvalid("the target must be http://host:port; TLS to a local service is not spoken")
    if target.path:
        raise AddressInvalid(
            "the target must be http://host:port without a path: all of the service is served"
        )
    return target
