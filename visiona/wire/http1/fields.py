"""The small grammar that heads, trailers and forwarded fields share (RFC 9110 §5)."""

import re
from functools import lru_cache

from visiona.wire.errors import RemoteProtocolError

Header = tuple[bytes, bytes]
"""A field's name and value. Names keep the case they were sent in."""

SINGLE_FIELDS = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"origin",
        b"expect",
        b"upgrade",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"x-visiona-device",
    }
)
"""Fields whose second copy two parsers could choose differently; a head with two of one is refused."""

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
# Narrower than RFC 3986: no userinfo, no percent-encoding, no sub-delims. Nothing that serves us is named so.
_HOST = re.compile(rb"(?:[0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def is_token(text: bytes) -> bool:
    """Whether this can be a field name, a method or a cookie name."""
    return _TOKEN.fullmatch(text) is not None


def is_value(text: bytes) -> bool:
    """Whether this can be a field value: no CR, LF, NUL or other control byte but the tab."""
    return _VALUE.fullmatch(text) is not None


@lru_cache(maxsize=64)
def is_host(text: bytes) -> bool:
    """Whether this is a host name or address with an optional port, and nothing else."""
    return _HOST.fullmatch(text) is not None


def parse_field_line(line: bytes) -> Header:
    """Reads one field line, without its CRLF.

    Raises:
        RemoteProtocolError: kind `field`: no colon, white space before it, a folded line, a control byte.
    """
    name, colon, value = line.partition(b":")
    value = value.strip(b" \t")
    if not colon or not is_token(name) or not is_value(value):
        raise RemoteProtocolError("a field line that is not a name, a colon and a value", kind="field")
    return name, value


def list_members(value: bytes) -> list[bytes]:
    """The members of a comma-separated list, in lower case; empty ones are left out (RFC 9110 §5.6.1)."""
    return [member for raw in value.lower().split(b",") if (member := raw.strip(b" \t"))]
