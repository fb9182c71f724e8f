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
from visiona.wire.http1.fate import KNOWN_IN_ANSWERS, USUAL_ANSWER_FATES, Fate, answer_fate, droppable_by_name
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import Chunked, Framing, NoBody, Sized, UntilClose
from visiona.wire.http1.head import ResponseHead
from visiona.wire.http1.location import location_for_client, refresh_for_client
from visiona.wire.http1.nominated import named_by_connection

SANDBOX_POLICY = b"sandbox allow-scripts allow-forms allow-downloads; frame-ancestors 'self'"
OPEN_POLICY = b"frame-ancestors 'self'"

_FOR_ALL = (
    b"X-Content-Type-Options: nosniff\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"X-Frame-Options: SAMEORIGIN\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"Content-Security-Policy: "
)
_SANDBOXED = _FOR_ALL + SANDBOX_POLICY
_OPEN = _FOR_ALL + OPEN_POLICY
_UPGRADED = b"Connection: Upgrade\r\nUpgrade: websocket"
_SHARED_CACHE_DIRECTIVES = (
    b"public",
    b"s-maxage",
    b"proxy-revalidate",
    b"private",
    b"stale-while-revalidate",
)
_USUAL_CACHE_CONTROL = {
    b"no-cache": b"Cache-Control: private, no-cache",
    b"no-store": b"Cache-Control: private, no-store",
    b"private": b"Cache-Control: private",
}


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
    reason = head.reason if head.reason.isascii() else b""
    lines = [b"HTTP/1.1 %d %b" % (head.status, reason), *_crossing_lines(head, crossing, framing)]
    if head.status == 101:
        lines.append(_UPGRADED)
    elif not keep_alive:
        lines.append(b"Connection: close")
    if isinstance(framing, Chunked):
        lines.append(b"Transfer-Encoding: chunked")
    lines.append(b"\r\n")
    text = b"\r\n".join(lines)
    expected = len(lines) + (1 if head.status == 101 else _FOR_ALL.count(b"\n"))
    if text.count(b"\n") != expected or text.count(b"\r") != expected or b"\0" in text:
        raise LocalProtocolError("a field would not be read back as one field")
    return text


def answer_headers(head: ResponseHead, crossing: Crossing, framing: Framing) -> list[Header]:
    """The fields of the answer as ASGI takes them: lower-case names, no framing but Content-Length.

    Raises:
        RemoteProtocolError: as answer_for_client.
    """
    lines = b"\r\n".join(_crossing_lines(head, crossing, framing)).split(b"\r\n")
    return [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]


def trailers_for_client(trailers: tuple[Header, ...]) -> tuple[Header, ...]:
    """The trailers that may follow an answer's body: none that would be dropped, or means something, in its head."""
    return tuple(
        (name, value)
        for name, value in trailers
        if answer_fate(name.lower()) is Fate.PASS and droppable_by_name(name.lower())
    )


def _crossing_lines(head: ResponseHead, crossing: Crossing, framing: Framing) -> list[bytes]:
    """All fields but the connection's own, as lines; the last of them holds several."""
    if head.status < 200 and not (head.status == 101 and crossing.is_websocket):
        raise RemoteProtocolError(f"status {head.status} that nobody asked for", kind="status", status=502)
    named = named_by_connection(head)
    headers = [field for field in head.headers if field[0].lower() not in named] if named else head.headers
    lines = [b"X-Request-Id: " + crossing.request_id]
    for name, value in headers:
        start = KNOWN_IN_ANSWERS.get(name)
        if start:
            lines.append(start + value)
        elif start is None:
            kept = _judged(name, value, crossing)
            if kept is not None:
                lines.append(b"%b: %b" % (name, kept))
    length = _content_length(head, framing)
    if length is not None:
        lines.append(b"Content-Length: " + length)
    if head.status != 101:
        lines.append(_cache_control(head))
        lines.append(_SANDBOXED if crossing.sandbox else _OPEN)
    return lines


def _judged(name: bytes, value: bytes, crossing: Crossing) -> bytes | None:
    """The value that crosses, if the field does."""
    match USUAL_ANSWER_FATES.get(name) or answer_fate(name.lower()):
        case Fate.PASS:
            return value
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
    first = head.get(b"cache-control")
    if first is None:
        return b"Cache-Control: private"
    usual = _USUAL_CACHE_CONTROL.get(first)
    if usual is not None and not head.has_repeats:
        return usual
    directives = [raw.strip(b" \t") for raw in b",".join(head.get_all(b"cache-control")).split(b",")]
    kept = [raw for raw in directives if raw and not raw.lower().startswith(_SHARED_CACHE_DIRECTIVES)]
    return b"Cache-Control: " + b", ".join([b"private", *kept])
