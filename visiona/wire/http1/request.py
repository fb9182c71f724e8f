"""A client's request head, rebuilt for the device: an ordinary HTTP/1.1 request in origin form.

What crosses unchanged is the method, the target that `agent_path` gave, and every field that fate.py passes, byte for
byte. Written by us: Host (the public host, as httputil.ReverseProxy of the first relay sends, so that virtual hosts and
absolute links of a device work as before), X-Forwarded-For/-Proto/-Host/-Prefix, Forwarded, X-Request-Id, the body's
framing, and Connection. A client's `Via` passes; none is added, since common device servers stop compressing at one.
"""

from functools import lru_cache

from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.cookies import cookie_for_agent
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.fate import (
    KNOWN_IN_REQUESTS,
    USUAL_REQUEST_FATES,
    Fate,
    droppable_by_name,
    request_fate,
)
from visiona.wire.http1.fields import Header, is_host, is_token, is_value
from visiona.wire.http1.framing import Chunked, NoBody, Sized
from visiona.wire.http1.head import REFUSED_METHODS, VISIBLE, RequestHead, check_single_fields
from visiona.wire.http1.nominated import named_by_connection

OUR_TOKEN_MARKS = (b"vAp_", b"vAs_", b"vAc_")

_INNER_LINES = 6
"""Line ends within our own pieces: Host 1, the client 4, the empty line 2, less the join after the last line."""


def request_for_agent(
    head: RequestHead, target: bytes, crossing: Crossing, framing: NoBody | Sized | Chunked
) -> bytes:
    """The whole head for the device, with its empty line.

    A sized body stays sized and a chunked one chunked, so the caller forwards pieces or chunks accordingly. `Expect` does
    not cross: the caller answers `100 Continue` itself. An Authorization that is not ours crosses: a caller who sends one
    was authenticated by the cookie.

    Args:
        head: as parsed, or as `checked_request` built it.
        target: from `agent_path`.
        crossing: with `is_websocket` the upgrade crosses, Sec-WebSocket-Extensions as offered; a caller that ends the
            WebSocket itself leaves them out of the head.
        framing: from `request_framing(head)`.

    Raises:
        RemoteProtocolError: kind `method`, status 405.
        LocalProtocolError: the head or the target would not be read back as one head.
    """
    if head.method in REFUSED_METHODS:
        raise RemoteProtocolError("this method is not served", kind="method", status=405)
    named = named_by_connection(head)
    headers = [field for field in head.headers if field[0].lower() not in named] if named else head.headers
    lines = [b"%b %b HTTP/1.1\r\nHost: %b" % (head.method, target, crossing.public_host)]
    for name, value in headers:
        start = KNOWN_IN_REQUESTS.get(name)
        if start:
            lines.append(start + value)
        elif start is None:
            kept = _judged(name, value, crossing)
            if kept is not None:
                lines.append(b"%b: %b" % (name, kept))
    host, prefix = crossing.public_host, crossing.device_prefix
    lines.append(_about_the_client(crossing.peer_address, crossing.scheme, host, prefix))
    lines.append(b"X-Request-Id: " + crossing.request_id)
    lines.append(_about_the_body(crossing, framing))
    text = b"\r\n".join(lines)
    expected = len(lines) + _INNER_LINES + crossing.is_websocket + (not isinstance(framing, NoBody))
    if text.count(b"\n") != expected or text.count(b"\r") != expected or b"\0" in text:
        raise LocalProtocolError("a field would not be read back as one field")
    if target[:1] != b"/" or target.translate(None, VISIBLE):
        raise LocalProtocolError("the target is not in origin form")
    return text


def checked_request(
    method: bytes, target: bytes, headers: tuple[Header, ...], version: bytes = b"1.1"
) -> RequestHead:
    """A head from a server that has parsed the request itself (ASGI, HTTP/2), held to the same rules as one of ours.

    Raises:
        RemoteProtocolError: kind `method`, `field`, `head` (a field twice) or `host`.
    """
    if not is_token(method):
        raise RemoteProtocolError("the method is not a token", kind="method")
    for name, value in headers:
        if not is_token(name) or not is_value(value):
            raise RemoteProtocolError("a field that is not a name and a value", kind="field")
    head = RequestHead(method, target, version, headers)
    check_single_fields(head)
    host = head.get(b"host")
    if host is not None and not is_host(host):
        raise RemoteProtocolError("Host is not a host and a port", kind="host")
    return head


def trailers_for_agent(trailers: tuple[Header, ...]) -> tuple[Header, ...]:
    """The trailers that may follow a request's body: none that would be dropped, or means something, in its head."""
    return tuple(
        (name, value)
        for name, value in trailers
        if request_fate(name.lower()) is Fate.PASS and droppable_by_name(name.lower())
    )


def _judged(name: bytes, value: bytes, crossing: Crossing) -> bytes | None:
    """The value that crosses, if the field does."""
    match USUAL_REQUEST_FATES.get(name) or request_fate(name.lower()):
        case Fate.PASS:
            return value
        case Fate.COOKIE:
            return cookie_for_agent(value)
        case Fate.AUTHORIZATION:
            return None if any(mark in value for mark in OUR_TOKEN_MARKS) else value
        case Fate.WITH_UPGRADE if crossing.is_websocket:
            return value
        case _:
            return None


@lru_cache(maxsize=512)
def _about_the_client(peer_address: str, scheme: bytes, host: bytes, prefix: bytes) -> bytes:
    """What the device is told about the client: the same for each request of a client to a device."""
    address = peer_address.encode("ascii", "replace") or b"unknown"
    node = b'"[%b]"' % address if b":" in address else address
    return (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Prefix: %b\r\n"
        b'Forwarded: for=%b;host="%b";proto=%b'
    ) % (address, scheme, host, prefix, node, host, scheme)


def _about_the_body(crossing: Crossing, framing: NoBody | Sized | Chunked) -> bytes:
    """Connection, the framing, and the empty line. `close`: a stream carries one exchange."""
    connection = b"Upgrade\r\nUpgrade: websocket" if crossing.is_websocket else b"close"
    if isinstance(framing, NoBody):
        return b"Connection: %b\r\n\r\n" % connection
    if isinstance(framing, Sized):
        return b"Connection: %b\r\nContent-Length: %d\r\n\r\n" % (connection, framing.length)
    return b"Connection: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % connection
