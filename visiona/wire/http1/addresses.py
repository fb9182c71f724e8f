"""Who is at the other end, when proxies that we trust stand between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from visiona.wire.http1.fields import Header

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(peer: str, headers: Sequence[Header], trusted: Sequence[Network]) -> str:
    """The right-most address that no trusted proxy vouches for by being one itself (H-04).

    Each trusted proxy appends the address it saw to X-Forwarded-For; the first entry from the right that is not a
    trusted proxy is the client, and what stands left of it is only what the client says.

    Args:
        peer: the address of the connection. A text that is no address (a Unix socket's) is handed back.
        headers: the request's fields.
        trusted: networks of our own reverse proxies; empty means the peer is the client.
    """
    here = _address_or_none(peer)
    if here is None or not _is_trusted(here, trusted):
        return peer if here is None else str(here)
    entries = [
        entry
        for name, value in headers
        if name.lower() == b"x-forwarded-for"
        for entry in value.decode("latin-1").split(",")
    ]
    for entry in reversed(entries):
        next_hop = _address_or_none(_without_port(entry.strip()))
        if next_hop is None:
            break
        here = next_hop
        if not _is_trusted(here, trusted):
            break
    return str(here)


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)


def _address_or_none(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    # A dual-stack listener sees IPv4 clients as ::ffff:a.b.c.d; a zone is free text, and means nothing elsewhere.
    return address.ipv4_mapped or IPv6Address(int(address))


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    host, _, port = entry.rpartition(":")
    return host if host.count(":") == 0 and host and port.isdigit() else entry
