"""Binding and accepting: many connections per wake-up, and no spinning when descriptors run out.

Trio's own listener takes one connection per scheduler tick; a thousand agents that come back at once would wait for
a thousand ticks (measured: p99 three times as long).
"""

import errno
import logging
import socket
from collections.abc import Callable, Sequence

import trio

from visiona.domain.listen import ListenAddress, reachable_url

logger = logging.getLogger(__name__)

ACCEPTS_PER_WAKE_UP = 64
"""Then everybody else has a turn."""

BACKLOG = 2048
"""A fleet and its viewers reconnect together after a restart; the kernel cuts this to its own limit."""

BACK_OFF_SECONDS = 0.1
"""After the process or the machine ran out of descriptors or memory: they come back when connections end."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""The kernel speaks IPv6 and the machine has none."""

OnAccepted = Callable[[socket.socket, str], None]
"""Takes a non-blocking socket over, and the address of its other end; must not wait."""


async def bind(address: ListenAddress) -> list[socket.socket]:
    """Listens on an address; a name may stand for several. Raises OSError.

    Without a host, one socket takes IPv6 and IPv4 where the machine has both.
    """
    if address.host is None:
        return [_bind_everywhere(address.port)]
    found = await trio.socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    port = address.port
    try:
        for family, where in dict.fromkeys((entry[0], entry[4]) for entry in found):
            listener = _listening(family, str(where[0]), port)
            sockets.append(listener)
            # The next address of the same name gets the port that the first was given.
            port = listener.getsockname()[1]
    except OSError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def _bind_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _listening(socket.AF_INET6, "", port, dual_stack=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return _listening(socket.AF_INET, "", port)


def _listening(family: int, host: str, port: int, *, dual_stack: bool = False) -> socket.socket:
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual_stack)
    listener.setblocking(False)
    return listener


def url_of(scheme: str, listener: socket.socket) -> str:
    """An address by which this machine reaches the port."""
    host, port = listener.getsockname()[:2]
    return reachable_url(scheme, host, port)


async def accept_forever(listeners: Sequence[socket.socket], on_accepted: OnAccepted) -> None:
    """Accepts until cancelled; closes the listeners then."""
    try:
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(_accept_on, listener, on_accepted)
    finally:
        for listener in listeners:
            if listener.fileno() >= 0:
                trio.lowlevel.notify_closing(listener.fileno())
                listener.close()


async def _accept_on(listener: socket.socket, on_accepted: OnAccepted) -> None:
    while True:
        await trio.lowlevel.wait_readable(listener.fileno())
        try:
            accept_many(listener, on_accepted)
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            logger.error("accepting failed, waiting: %s", error.strerror)  # noqa: TRY400 - the traceback says nothing
            await trio.sleep(BACK_OFF_SECONDS)


def accept_many(listener: socket.socket, on_accepted: OnAccepted) -> int:
    """Accepts what waits, at most ACCEPTS_PER_WAKE_UP, and says how many; raises OSError when exhausted."""
    for count in range(ACCEPTS_PER_WAKE_UP):
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, InterruptedError):
            return count
        except (ConnectionError, PermissionError):
            # It left while it waited (ECONNABORTED), or a firewall rule came between (EPERM): not our trouble.
            continue
        accepted.setblocking(False)
        on_accepted(accepted, plain_address(str(address[0])))
    return ACCEPTS_PER_WAKE_UP


def plain_address(address: str) -> str:
    """An IPv4 address that came over an IPv6 socket, as itself; without an interface's name."""
    address = address.partition("%")[0]
    mapped = address.removeprefix("::ffff:")
    return mapped if "." in mapped else address
