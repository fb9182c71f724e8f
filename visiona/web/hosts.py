"""Does this request mean us? (H-05) Links and redirects are made from the configured URL; this is about being asked at all.

Who is asked by a name that is not its own is behind somebody else's proxy, or the victim of a page whose own name was
pointed at us (DNS rebinding). Without a public URL nobody knows our names, and every well-formed one is taken.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address

from visiona.relay.accepting import plain_address
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import is_host


def check_host(host: bytes | None, public_host: bytes | None, local_address: Callable[[], str]) -> None:
    """Passes a request on that names us by the public host, `localhost`, or an address by which it really came.

    Args:
        host: as sent; None only where HTTP/1.0 may leave it out.
        public_host: name and perhaps port of the configured URL, in lower case. Ports are not compared: proxies and
            containers change them.
        local_address: our end of the connection; asked only where it matters.

    Raises:
        RemoteProtocolError: no host and port (400); of somebody else (421).
    """
    if host is None or host == public_host:
        return
    if not is_host(host):
        raise RemoteProtocolError("Host is not a host and a port", kind="host")
    if public_host is None or _name(host) == _name(public_host):
        return
    if not _is_here(_name(host), local_address):
        raise RemoteProtocolError(
            "this server does not go by that name: see web.public_url", kind="host", status=421
        )


def _is_here(name: str, local_address: Callable[[], str]) -> bool:
    if name == "localhost":
        return True
    try:
        address = ip_address(plain_address(name))
    except ValueError:
        return False
    return address.is_loopback or str(address) == plain_address(local_address())


@lru_cache(maxsize=64)
def _name(host: bytes) -> str:
    """Without the port, the brackets of IPv6, capitals and the root's dot."""
    text = host.decode("ascii").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")
