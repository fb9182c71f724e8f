"""Request and response heads: from bytes to a value, as a pure function.

llhttp reads each head, strictly, in a parser made for that head and dropped after it: a parser that lives on
remembers the body of the last message, and the next request then goes out with the previous method and URL.
On top of it stand checks of our own, where llhttp forgives what another parser reads differently (RFC 9112 §11.2).
This module refuses to know sockets, bodies and what a head is for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import httptools

from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import SINGLE_FIELDS, Header, is_host, is_value

MAX_HEAD_BYTES = 16_384
"""Of a request: what nginx (4 × 8 KiB) and Hypercorn (16 KiB) allow; a browser sends 1–2 KiB."""

MAX_RESPONSE_HEAD_BYTES = 65_536
"""Of an answer: the agent is known and paired, and long Content-Security-Policies exist."""

MAX_HEADERS = 100
"""As Apache. Each costs us an object."""

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TLS_HANDSHAKE = 0x16

REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE", b"TRACK"})
"""A tunnel to anywhere, and two that echo credentials (H-06)."""

_VERSIONS = {b"HTTP/1.1": b"1.1", b"HTTP/1.0": b"1.0"}
VISIBLE = bytes(range(0x21, 0x7F))
"""What a request target is made of."""

_UPPER_LETTERS = frozenset(range(ord("A"), ord("Z") + 1))


class Fields:
    """The fields of a head, and how they are looked up."""

    __slots__ = ()
    headers: tuple[Header, ...]
    _first: dict[bytes, bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_first", {name.lower(): value for name, value in reversed(self.headers)})

    @property
    def has_repeats(self) -> bool:
        """Whether any field stands there more than once."""
        return len(self._first) != len(self.headers)

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field, its name given in lower case; of a request those in SINGLE_FIELDS have no second one."""
        return self._first.get(name)

    def get_all(self, name: bytes) -> list[bytes]:
        """Every value of a field, its name given in lower case, in the order sent."""
        return _values(self.headers, name) if name in self._first else []


@dataclass(frozen=True, slots=True)
class RequestHead(Fields):
    """A request line and its fields, names and values as they were sent, without the white space around them."""

    method: bytes
    target: bytes
    version: bytes
    """`1.1` or `1.0`."""
    headers: tuple[Header, ...]
    _first: dict[bytes, bytes] = field(init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ResponseHead(Fields):
    """A status line and its fields, names and values as they were sent, without the white space around them."""

    status: int
    reason: bytes
    version: bytes
    """`1.1` or `1.0`."""
    headers: tuple[Header, ...]
    _first: dict[bytes, bytes] = field(init=False, repr=False, compare=False)


def find_head_end(
    buffer: bytes | bytearray, start: int = 0, *, limit_bytes: int = MAX_HEAD_BYTES
) -> int | None:
    """Where the head ends: the index after its empty line, or None while it is incomplete.

    Args:
        buffer: everything received and not yet used, from the first byte of the head.
        start: how many of these bytes an earlier call has seen; they are not searched again.
        limit_bytes: MAX_HEAD_BYTES for requests, MAX_RESPONSE_HEAD_BYTES for answers.

    Raises:
        RemoteProtocolError: as soon as no continuation can make this a head: kind `http2_preface` (hand it to a
            server that speaks it), `tls`, `not_http`, `head` (bare CR or LF, NUL) or `head_too_large` (431).
    """
    if not buffer:
        return None
    if buffer[0] not in _UPPER_LETTERS:
        _refuse_first_byte(buffer[0])
    if buffer[0] == HTTP2_PREFACE[0] and buffer[:16] == HTTP2_PREFACE[:16]:
        raise RemoteProtocolError("an HTTP/2 connection preface", kind="http2_preface", status=505)
    end = buffer.find(b"\r\n\r\n", max(0, start - 3))
    if end + 4 > limit_bytes or (end < 0 and len(buffer) >= limit_bytes):
        raise RemoteProtocolError(
            f"the head is longer than {limit_bytes} bytes", kind="head_too_large", status=431
        )
    if end >= 0:
        return end + 4
    _refuse_broken_lines(buffer, max(0, start - 1))
    return None


def parse_request_head(data: bytes) -> RequestHead:
    """Reads one whole request head, from its first byte to its empty line.

    Raises:
        RemoteProtocolError: kind `head` (400), `head_too_large` (431, too many fields), `method` (405, 501),
            `version` (505) or `host` (400).
    """
    words = data[: data.find(b"\r\n")].split(b" ")
    if len(words) != 3:
        raise _bad("the request line is not three words")
    method, target, version_text = words
    if method in REFUSED_METHODS:
        raise RemoteProtocolError("this method is not served", kind="method", status=405)
    version = _VERSIONS.get(version_text)
    if version is None:
        raise RemoteProtocolError("only HTTP/1.1 and HTTP/1.0 are spoken here", kind="version", status=505)
    if target.translate(None, VISIBLE) or b"#" in target:
        raise _bad("the request target has bytes that no target may have")
    head = RequestHead(method, target, version, _read_fields(data, httptools.HttpRequestParser, status=400))
    check_single_fields(head)
    _check_destination(head)
    if head.get(b"transfer-encoding") is not None and b":\t" in data:
        # Legal, sent by nobody, and read differently by two parsers in a row (H-01).
        raise _bad("a tab before a field value, with Transfer-Encoding")
    return head


def parse_response_head(data: bytes) -> ResponseHead:
    """Reads one whole response head, from its first byte to its empty line.

    Raises:
        RemoteProtocolError: kind `head` or `head_too_large`; the status is 502, for the peer is a device.
    """
    line = data[: data.find(b"\r\n")]
    version = _VERSIONS.get(line[:8])
    status = line[9:12]
    # An answer without a reason need not have the space before it (as h11, for servers in the wild).
    if version is None or line[8:9] != b" " or line[12:13] not in {b" ", b""}:
        raise _bad("the status line is not a version, a status and a reason", status=502)
    if not status.isdigit() or len(status) != 3 or status[0] == ord("0"):
        raise _bad("the status is not a number from 100 to 999", status=502)
    reason = line[13:]
    if not is_value(reason):  # llhttp lets control bytes pass here
        raise _bad("the reason has bytes that no reason may have", status=502)
    return ResponseHead(
        int(status), reason, version, _read_fields(data, httptools.HttpResponseParser, status=502)
    )


class _Collector:
    """What llhttp found. It does not know the parser: that would be a reference cycle for every request, and
    the garbage collector's pauses were the p99.
    """

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: list[Header] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp leaves the white space after a value to us; other control bytes it has refused.
        self.fields.append((name, value.rstrip()))


_Parser = httptools.HttpRequestParser | httptools.HttpResponseParser


def _read_fields(
    data: bytes, make_parser: Callable[[_Collector], _Parser], *, status: int
) -> tuple[Header, ...]:
    if not data.endswith(b"\r\n\r\n"):
        raise _bad("the head does not end with an empty line", status=status)
    collector = _Collector()
    try:
        make_parser(collector).feed_data(data)
    except httptools.HttpParserUpgrade as upgrade:
        if upgrade.args[0] != len(data):
            raise _bad("bytes after the head", status=status) from None
    except httptools.HttpParserInvalidMethodError as error:
        raise RemoteProtocolError("this method is unknown", kind="method", status=501) from error
    except httptools.HttpParserError as error:
        raise _bad(str(error), status=status) from error
    fields = collector.fields
    if len(fields) > MAX_HEADERS:
        too_many = 431 if status == 400 else status
        raise RemoteProtocolError(f"more than {MAX_HEADERS} fields", kind="head_too_large", status=too_many)
    # One line each, or the parser and we do not see the same thing: empty lines in front, an early end, bytes after it.
    if data.count(b"\n") != len(fields) + 2:
        raise _bad("the head is not one line a field", status=status)
    return tuple(fields)


def check_single_fields(head: RequestHead) -> None:
    """Raises RemoteProtocolError (kind `head`) where one of SINGLE_FIELDS stands twice."""
    if not head.has_repeats:
        return
    seen: set[bytes] = set()
    for name, _ in head.headers:
        lower = name.lower()
        if lower in SINGLE_FIELDS and lower in seen:
            raise _bad(f"{lower.decode()} twice")
        seen.add(lower)


def _check_destination(head: RequestHead) -> None:
    """Host and target say one thing, and say it plainly (RFC 9112 §3.2; H-05, H-06)."""
    host = head.get(b"host")
    if host is None:
        if head.version == b"1.1":
            raise RemoteProtocolError("HTTP/1.1 without Host", kind="host")
    elif not is_host(host):
        raise RemoteProtocolError("Host is not a host and a port", kind="host")
    target = head.target
    if target.startswith(b"/") or (target == b"*" and head.method == b"OPTIONS"):
        return
    scheme, _, rest = target.partition(b"://")
    if scheme.lower() not in {b"http", b"https"}:
        raise _bad("the request target is neither a path nor a URL")
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    if host is None or authority.lower() != host.lower():
        raise RemoteProtocolError("the target names another host than Host", kind="host")


def _refuse_first_byte(first: int) -> None:
    if first == TLS_HANDSHAKE:
        raise RemoteProtocolError("TLS where HTTP is spoken in the clear", kind="tls")
    raise RemoteProtocolError("not HTTP: a method begins with a capital letter", kind="not_http")


def _refuse_broken_lines(buffer: bytes | bytearray, start: int) -> None:
    """An incomplete head that cannot become a good one is refused now, and not at the deadline."""
    pairs = buffer.count(b"\r\n", start)
    feeds = buffer.count(b"\n", start) - (start > 0 and buffer[start] == ord("\n"))
    returns = buffer.count(b"\r", start) - buffer.endswith(b"\r")
    if feeds != pairs or returns != pairs:
        raise _bad("CR or LF alone")
    if buffer.find(b"\0", start) >= 0:
        raise _bad("a NUL byte")


def _values(headers: tuple[Header, ...], lower_name: bytes) -> list[bytes]:
    return [value for name, value in headers if name.lower() == lower_name]


def _bad(message: str, *, status: int = 400) -> RemoteProtocolError:
    return RemoteProtocolError(message, kind="head", status=status)
