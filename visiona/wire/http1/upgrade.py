"""Whether an exchange may become a pipe. The only protocol it may become is WebSocket.

Any other upgrade (h2c, TLS, a device's own) is forwarded as an ordinary request without its Upgrade field: the
peer behind it would speak a protocol whose messages nobody here checks (H-02, frp #5436).
"""

from visiona.wire.http1.fields import list_members
from visiona.wire.http1.head import RequestHead


def connection_options(head: RequestHead) -> list[bytes]:
    """What Connection names, in lower case, from all its lines."""
    return [option for value in head.get_all(b"connection") for option in list_members(value)]


def asks_for_upgrade(head: RequestHead) -> bool:
    """Whether the client would like to speak something else after this request, whatever it is."""
    return head.get(b"upgrade") is not None and b"upgrade" in connection_options(head)


def is_websocket_upgrade(head: RequestHead) -> bool:
    """Whether this is a WebSocket opening handshake in form; wire.websocket.handshake checks the rest."""
    upgrade = head.get(b"upgrade")
    if upgrade is None or head.method != b"GET" or head.version != b"1.1":
        return False
    return upgrade.lower() == b"websocket" and b"upgrade" in connection_options(head)


def keeps_alive(head: RequestHead) -> bool:
    """Whether the client means to send another request on this connection (RFC 9112 §9.3)."""
    options = connection_options(head)
    return head.version == b"1.1" and b"close" not in options
