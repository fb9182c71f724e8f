"""Heads by the dozen, and h11 as the second opinion."""

import h11
from hypothesis import strategies as st
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.framing import expects_continue, request_framing, response_framing
from visiona.wire.http1.head import RequestHead, ResponseHead, parse_request_head, parse_response_head

DEVICE = b"/api/devices/0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b/proxy"

CROSSING = Crossing(
    request_id=b"r-1",
    peer_address="192.0.2.7",
    scheme=b"https",
    public_host=b"relay.example.com",
    device_prefix=DEVICE,
)


def request(
    *fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes | None = b"relay.example.com"
) -> bytes:
    lines = [line, *([b"Host: " + host] if host is not None else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def response(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([line, *fields]) + b"\r\n\r\n"


def request_head(
    *fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes | None = b"relay.example.com"
) -> RequestHead:
    return parse_request_head(request(*fields, line=line, host=host))


def response_head(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    return parse_response_head(response(*fields, line=line))


def fields_of(text: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a head that one of our writers made, names in lower case, as written."""
    assert text.endswith(b"\r\n\r\n")
    lines = text[:-4].split(b"\r\n")[1:]
    return [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]


def h11_request(data: bytes) -> h11.Request | None:
    """What h11 reads, if it reads this as one whole request head."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        connection.receive_data(data)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None


def h11_response(data: bytes) -> h11.Response | h11.InformationalResponse | None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    try:
        connection.receive_data(data)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Response | h11.InformationalResponse) else None


def request_or_none(data: bytes) -> RequestHead | None:
    """What we read, if head and framing are accepted."""
    try:
        head = parse_request_head(data)
        request_framing(head)
        expects_continue(head)
    except RemoteProtocolError:
        return None
    return head


def response_or_none(data: bytes) -> ResponseHead | None:
    """What we read, if head and framing are accepted."""
    try:
        head = parse_response_head(data)
        response_framing(head, b"GET")
    except RemoteProtocolError:
        return None
    return head


ODD_BYTES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\0", b"\t", b" ", b":", b"\x0b", b"\x7f", b"\xff", b",", b"\r\n "]
)

_NAMES = st.sampled_from(
    [
        b"Host",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"X-A",
        b"Expect",
        b"Cookie",
        b"",
        b"A b",
    ]
)
_VALUES = st.one_of(
    st.sampled_from(
        [
            b"x",
            b"5",
            b"+5",
            b"0x5",
            b"5, 5",
            b"chunked",
            b"gzip, chunked",
            b"xchunked",
            b",chunked",
            b"close",
            b"",
            b" a ",
        ]
    ),
    st.binary(max_size=8),
)
_FIELDS = st.lists(
    st.tuples(_NAMES, st.sampled_from([b": ", b":", b" :", b":\t"]), _VALUES).map(b"".join), max_size=6
)


def spoilt_heads(first_lines: list[bytes]) -> st.SearchStrategy[bytes]:
    """Heads that are nearly right: odd fields, and some bytes put in or taken out."""

    def build(line: bytes, fields: list[bytes], at: float, cut: int, odd: bytes, *, spoil: bool) -> bytes:
        head = b"\r\n".join([line, *fields]) + b"\r\n\r\n"
        place = int(at * len(head))
        return head[:place] + odd + head[place + cut :] if spoil else head

    return st.builds(
        build,
        st.sampled_from(first_lines),
        _FIELDS,
        st.floats(0, 1),
        st.integers(0, 3),
        st.one_of(ODD_BYTES, st.binary(max_size=3)),
        spoil=st.booleans(),
    )
