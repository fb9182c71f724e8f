"""From a listen address to sockets that accept, and to the URL that reaches them."""

import socket

import trio

from visiona.domain.listen import ListenAddress

BACKLOG = 2048
"""A fleet's viewers reconnect together after a restart; the kernel cuts this to its own limit."""


async def bind(address: ListenAddress) -> list[socket.socket]:
    """Listening, non-blocking sockets; all on one port, also where any free one was asked for.

    Raises:
        OSError: an address is in use, or none of this machine's.
    """
    if address.host is None:
        return [_bind_everywhere(address.port)]
    found = await trio.socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, name in found:
            port = sockets[0].getsockname()[1] if sockets else address.port
            sockets.append(_listening(family, str(name[0]), port))
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def url_of(sock: socket.socket) -> str:
    """An address by which this machine reaches the socket."""
    host, port = sock.getsockname()[:2]
    if host in {"::", "0.0.0.0"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _listening(socket.AF_INET6, "::", port, dual_stack=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return _listening(socket.AF_INET, "0.0.0.0", port)  # noqa: S104 - every address was asked for


_NO_IPV6 = frozenset({97, 99})
"""EAFNOSUPPORT, EADDRNOTAVAIL: the kernel speaks IPv6 and the machine has none."""


def _listening(family: int, host: str, port: int, *, dual_stack: bool = False) -> socket.socket:
    sock = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual_stack)
    sock.setblocking(False)
    return sock
