"""A device's answer head, rebuilt for the client: what a device may say on our origin (H-09, H-10, H-22, H-24).

A device's pages share their origin with our API, so each answer carries `Content-Security-Policy: sandbox` without
`allow-same-origin`: as a page it has an opaque origin, its scripts send none of our cookies and read none of our answers.
It is on every answer, not on HTML alone: which types a browser runs (SVG, XSLT, multipart parts, PDF) is a list that
grows. The price, on purpose: in prefix mode a device's page cannot load files beside it with our cookie; whole web
interfaces need a host of their own per device. What our own console fetches or embeds is not touched by it.
"""

from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.cookies import set_cookie_for_client
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.fate import ANSWER_FATES, Fate, answer_fate, droppable_by_name
from visiona.wire.http1.fields import Header, list_members
from visiona.wire.http1.framing import Chunked, Framing, NoBody, Sized, UntilClose
from visiona.wire.http1.head import ResponseHead
from visiona.wire.http1.location import location_for_client, refresh_for_client

SANDBOX_POLICY = b"sandbox allow-scripts allow-forms allow-downloads; frame-ancestors 'self'"
OPEN_POLICY = b"frame-ancestors 'self'"

_FOR_ALL: tuple[Header, ...] = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"X-Frame-Options", b"SAMEORIGIN"),
    (b"Referrer-Policy", b"no-referrer"),
)
_SANDBOXED = (*_FOR_ALL, (b"Content-Security-Policy", SANDBOX_POLICY))
_OPEN = (*_FOR_ALL, (b"Content-Security-Policy", OPEN_POLICY))
_PRIVATE = (b"Cache-Control", b"private")
_SHARED_CACHE_DIRECTIVES = (
    b"public",
    b"s-maxage",
    b"proxy-revalidate",
    b"private",
    b"stale-while-revalidate",
)
_PLAIN_CONNECTION = frozenset({b"keep-alive", b"close", b"upgrade"})


def answer_for_client(head: ResponseHead, crossing: Crossing, framing: Framing, *, keep_alive: bool) -> bytes:
    """The whole head for an HTTP/1.1 client, with its empty line.

    Args:
        head: from `parse_response_head`; not an interim answer (1xx) but 101.
        crossing: the same as for the request.
        framing: of the body toward the client: UntilClose of the device may go on as Chunked.
        keep_alive: whether this connection takes another request after the answer.

    Raises:
        RemoteProtocolError: kind `status`: an interim answer, or 101 that nobody asked for.
        LocalProtocolError: keep_alive with a body that ends with the connection, or a field that would not be read
            back as one field.
    """
    if keep_alive and isinstance(framing, UntilClose):
        raise LocalProtocolError("a body until the close, on a connection that stays")
    fields = [(b"X-Request-Id", crossing.request_id), *_crossing_fields(head, crossing, framing)]
    if head.status == 101:
        fields += (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")
    elif not keep_alive:
        fields.append((b"Connection", b"close"))
    if isinstance(framing, Chunked):
        fields.append((b"Transfer-Encoding", b"chunked"))
    reason = head.reason if head.reason.isascii() else b""
    lines = [b"HTTP/1.1 %d %b" % (head.status, reason)]
    lines += [b"%b: %b" % field for field in fields]
    lines.append(b"\r\n")
    text = b"\r\n".join(lines)
    if text.count(b"\n") != len(lines) or text.count(b"\r") != len(lines) or b"\0" in text:
        raise LocalProtocolError("a field would not be read back as one field")
    return text


def answer_headers(head: ResponseHead, crossing: Crossing, framing: Framing) -> list[Header]:
    """The fields of the answer as ASGI takes them: lower-case names, no framing but Content-Length.

    Raises:
        RemoteProtocolError: as answer_for_client.
    """
    fields = [(name.lower(), value) for name, value in _crossing_fields(head, crossing, framing)]
    return [(b"x-request-id", crossing.request_id), *fields]


def trailers_for_client(trailers: tuple[Header, ...]) -> tuple[Header, ...]:
    """The trailers that may follow an answer's body: none that would be dropped, or means something, in its head."""
    return tuple(
        (name, value)
        for name, value in trailers
        if answer_fate(name.lower()) is Fate.PASS and droppable_by_name(name.lower())
    )


def _crossing_fields(head: ResponseHead, crossing: Crossing, framing: Framing) -> list[Header]:
    if head.status < 200 and not (head.status == 101 and crossing.is_websocket):
        raise RemoteProtocolError(f"status {head.status} that nobody asked for", kind="status", status=502)
    named = _named_by_connection(head)
    fields: list[Header] = []
    for field in head.headers:
        name, value = field
        fate = ANSWER_FATES.get(name) or answer_fate(name.lower())
        if fate is Fate.PASS:
            if not named or name.lower() not in named:
                fields.append(field)
        elif fate is not Fate.DROP:
            kept = _conditional(fate, value, crossing)
            if kept is not None:
                fields.append((name, kept))
    length = _content_length(head, framing)
    if length is not None:
        fields.append((b"Content-Length", length))
    if head.status == 101:
        return fields
    fields.append((b"Cache-Control", _cache_control(head)))
    fields += _SANDBOXED if crossing.sandbox else _OPEN
    return fields


def _conditional(fate: Fate, value: bytes, crossing: Crossing) -> bytes | None:
    match fate:
        case Fate.SET_COOKIE:
            return set_cookie_for_client(value, device_prefix=crossing.device_prefix)
        case Fate.LOCATION:
            return location_for_client(value, crossing)
        case Fate.REFRESH:
            return refresh_for_client(value)
        case Fate.WITH_UPGRADE if crossing.is_websocket:
            return value
        case _:
            return None


def _content_length(head: ResponseHead, framing: Framing) -> bytes | None:
    """The length to state. An answer to HEAD, or 304, may state what a GET would have brought (RFC 9110 §8.6)."""
    if isinstance(framing, Sized):
        return b"%d" % framing.length
    if isinstance(framing, NoBody) and head.status >= 200 and head.status != 204:
        return head.get(b"content-length")
    return None


def _cache_control(head: ResponseHead) -> bytes:
    """What the device says, without what shared caches would store by: an answer belongs to one caller (H-22)."""
    said = b", ".join(head.get_all(b"cache-control"))
    if not said:
        return b"private"
    directives = [raw.strip(b" \t") for raw in said.split(b",")]
    kept = [raw for raw in directives if raw and not raw.lower().startswith(_SHARED_CACHE_DIRECTIVES)]
    return b", ".join([b"private", *kept])


def _named_by_connection(head: ResponseHead) -> frozenset[bytes]:
    """What Connection takes out of the answer beyond the hop-by-hop fields, in lower case."""
    connection = head.get(b"connection")
    if connection is None or (connection.lower() in _PLAIN_CONNECTION and not head.has_repeats):
        return frozenset()
    options = (option for value in head.get_all(b"connection") for option in list_members(value))
    return frozenset(option for option in options if droppable_by_name(option))
