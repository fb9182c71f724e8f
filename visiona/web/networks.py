"""The network that an address is of, where counting addresses would count nothing.

A site is given a /48 of IPv6 (RFC 6177 §2), and tunnel brokers give one to whoever asks: 65,536 networks of the size
that `address_key` counts as one. In IPv4 addresses are dear, and an address stands for itself.
"""

import ipaddress

from visiona.domain.rates import address_key

SITE_BITS = 48


def network_key(address: str) -> str:
    """The key under which everybody of a site is limited: an IPv4 address itself, the /48 of an IPv6 one."""
    key = address_key(address)
    if ":" not in key:
        return key
    try:
        return str(ipaddress.IPv6Network(key).supernet(new_prefix=SITE_BITS))
    except ValueError:
        return key
