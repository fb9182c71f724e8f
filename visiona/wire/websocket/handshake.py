"""The opening handshake, from both ends (RFC 6455 §4). Extensions are declined; nothing is compressed here."""

import base64
import binascii
import hashlib

from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.fields import Header, is_host, is_token, is_value, list_members
from visiona.wire.http1.framing import NO_BODY, Sized, request_framing
from visiona.wire.http1.head import VISIBLE, RequestHead, ResponseHead
from visiona.wire.http1.upgrade import connection_options

VERSION = b"13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16


def check_upgrade(head: RequestHead) -> bytes:
    """Checks a client's handshake and gives its key (T-07). Offered extensions and subprotocols are not looked at.

    Raises:
        RemoteProtocolError: kind `handshake`: 405 for another method than GET, 426 where WebSocket or its version 13 is
            not asked for (answer with `Upgrade: websocket` and `Sec-WebSocket-Version: 13`), else 400.
    """
    if head.method != b"GET":
        raise _refused("a WebSocket begins with GET", status=405)
    if head.version != b"1.1":
        raise _refused("a WebSocket begins with HTTP/1.1")
    upgrade = b",".join(head.get_all(b"upgrade"))
    if b"websocket" not in list_members(upgrade) or b"upgrade" not in connection_options(head):
        raise _refused("this path speaks WebSocket only", status=426)
    if head.get(b"sec-websocket-version") != VERSION:
        raise _refused("the WebSocket version is not 13", status=426)
    if request_framing(head) not in {NO_BODY, Sized(0)}:
        raise _refused("a handshake has no body")
    key = head.get(b"sec-websocket-key")
    if key is None or not is_key(key):
        raise _refused("Sec-WebSocket-Key is not 16 bytes in base64")
    return key


def is_key(key: bytes) -> bool:
    """Whether this is the base64 form of 16 bytes."""
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def accept_value(key: bytes) -> bytes:
    """What Sec-WebSocket-Accept must say to this key. SHA-1 is the protocol's; it protects nothing."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def switching_protocols(key: bytes, headers: tuple[Header, ...] = ()) -> bytes:
    """The answer that accepts, with its empty line. No extension and no subprotocol, unless `headers` names one."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_value(key),
        *_field_lines(headers),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def upgrade_request(host: bytes, target: bytes, key: bytes, headers: tuple[Header, ...] = ()) -> bytes:
    """A client's handshake, with its empty line. `key`: from `new_key`'s 16 random bytes, one for each connection.

    Raises:
        LocalProtocolError: a host, target, key or field that could not be read back.
    """
    if not is_host(host) or not is_key(key) or target[:1] != b"/" or target.translate(None, VISIBLE):
        raise LocalProtocolError("a handshake needs a host, a target in origin form and a key")
    lines = [
        b"GET %b HTTP/1.1" % target,
        b"Host: " + host,
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + key,
        b"Sec-WebSocket-Version: " + VERSION,
        *_field_lines(headers),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def new_key(random_bytes: bytes) -> bytes:
    """A key from 16 random bytes."""
    if len(random_bytes) != _KEY_BYTES:
        raise LocalProtocolError("a key is made of 16 random bytes")
    return base64.b64encode(random_bytes)


def check_answer(
    head: ResponseHead, key: bytes, *, offered_protocols: tuple[bytes, ...] = ()
) -> bytes | None:
    """Checks a server's answer to our handshake and gives the subprotocol it chose.

    Raises:
        RemoteProtocolError: kind `handshake`; the status is the answer's own when it is a refusal, else 502.
    """
    if head.status != 101:
        raise _refused(f"the server answered {head.status}, not 101", status=head.status)
    upgrade = b",".join(head.get_all(b"upgrade"))
    connection = b",".join(head.get_all(b"connection"))
    if list_members(upgrade) != [b"websocket"] or b"upgrade" not in list_members(connection):
        raise _refused("the server switched to something that is not WebSocket", status=502)
    if head.get_all(b"sec-websocket-accept") != [accept_value(key)]:
        raise _refused("Sec-WebSocket-Accept does not answer our key", status=502)
    if head.get(b"sec-websocket-extensions") is not None:
        raise _refused("the server chose an extension that was not offered", status=502)
    protocols = head.get_all(b"sec-websocket-protocol")
    if len(protocols) > 1 or not set(protocols) <= set(offered_protocols):
        raise _refused("the server chose a subprotocol that was not offered", status=502)
    return protocols[0] if protocols else None


def _field_lines(headers: tuple[Header, ...]) -> list[bytes]:
    for name, value in headers:
        if not is_token(name) or not is_value(value):
            raise LocalProtocolError("a field that is not a name and a value")
    return [b"%b: %b" % field for field in headers]


def _refused(message: str, *, status: int = 400) -> RemoteProtocolError:
    return RemoteProtocolError(message, kind="handshake", status=status)
