from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.fields import SINGLE_FIELDS, Header
from visiona.wire.http1.framing import CHUNKED, NO_BODY, Framing, Sized, request_framing
from visiona.wire.http1.head import RequestHead, parse_request_head
from visiona.wire.http1.request import checked_request, request_for_agent, trailers_for_agent

from tests.wire.http1.support import CROSSING, DEVICE, fields_of, h11_request, request_head

WEBSOCKET = replace(CROSSING, is_websocket=True)

WRITTEN = [
    (b"x-forwarded-for", b"192.0.2.7"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"relay.example.com"),
    (b"x-forwarded-prefix", DEVICE),
    (b"forwarded", b'for=192.0.2.7;host="relay.example.com";proto=https'),
    (b"x-request-id", b"r-1"),
    (b"connection", b"close"),
]


def crossed(*fields: bytes, crossing: Crossing = CROSSING) -> list[tuple[bytes, bytes]]:
    """What crosses of these fields, without Host and what we write ourselves."""
    head = request_head(*fields)
    text = request_for_agent(head, b"/x", crossing, NO_BODY)
    fields_there = fields_of(text)
    assert fields_there[0] == (b"host", b"relay.example.com")
    return [field for field in fields_there[1:] if field not in WRITTEN]


def test_a_request_goes_out_in_origin_form_with_what_we_write() -> None:
    head = request_head(b"Accept: */*", line=b"GET " + DEVICE + b"/a?b HTTP/1.1")
    text = request_for_agent(head, b"/a?b", CROSSING, NO_BODY)
    assert text.startswith(b"GET /a?b HTTP/1.1\r\nHost: relay.example.com\r\nAccept: */*\r\n")
    assert fields_of(text) == [(b"host", b"relay.example.com"), (b"accept", b"*/*"), *WRITTEN]


@pytest.mark.parametrize(
    ("framing", "field"),
    [
        (Sized(0), (b"content-length", b"0")),
        (Sized(7), (b"content-length", b"7")),
        (CHUNKED, (b"transfer-encoding", b"chunked")),
    ],
)
def test_a_sized_body_stays_sized_and_a_chunked_one_chunked(framing: Framing, field: Header) -> None:
    head = request_head(b"%b: %b" % field, line=b"POST / HTTP/1.1")
    assert request_framing(head) == framing
    written = request_for_agent(head, b"/", CROSSING, framing)
    assert fields_of(written).count(field) == 1
    assert request_framing(parse_request_head(written)) == framing


@pytest.mark.parametrize(
    "field",
    [
        b"User-Agent: Mozilla/5.0",
        b"X-Custom_Thing: 1",
        b"Range: bytes=0-1, 3-4",
        b'If-Range: "e"',
        b'If-None-Match: "e"',
        b"Content-Type: text/plain",
        b"Content-Encoding: gzip",
        b"Accept-Encoding: gzip, br",
        b"traceparent: 00-1-2-01",
        b"Via: 1.1 cache",
        b"Sec-Fetch-Site: same-origin",
        b"X-Latin: caf\xe9",
    ],
)
def test_h13_h17_ordinary_fields_cross_byte_for_byte(field: bytes) -> None:
    name, _, value = field.partition(b": ")
    assert crossed(field) == [(name.lower(), value)]
    head = request_head(field)
    assert b"\r\n" + field + b"\r\n" in request_for_agent(head, b"/", CROSSING, NO_BODY)


@pytest.mark.parametrize(
    "field",
    [
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic eDp5",
        "Proxy-Authenticate: Basic",
        "Proxy-Connection: keep-alive",
        "Proxy-Anything: x",
        "TE: trailers",
        "Trailer: X-Sum",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
        "Expect: 100-continue",
        "Origin: https://relay.example.com",
        "Referer: https://relay.example.com/console?x",
        "Sec-WebSocket-Protocol: x",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ],
)
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_h02_fields_of_one_connection_do_not_cross(field: bytes, spelling: Callable[[str], str]) -> None:
    name, _, value = field.partition(":")
    assert crossed(f"{spelling(name)}:{value}".encode()) == []


def test_h02_an_h2c_upgrade_is_forwarded_as_an_ordinary_request_frp_5436() -> None:
    fields = crossed(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", b"Accept: x"
    )
    assert fields == [(b"accept", b"x")]


TRUST = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-User",
    "X-Forwarded-Uri",
    "X-Forwarded-Anything",
    "Forwarded",
    "X-Real-IP",
    "X-User-Id",
    "X-User",
    "X-Email",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Remote-User",
    "Remote-User",
    "X-Auth-Request-Email",
    "X-Accel-Redirect",
    "X-Visiona-Device",
    "X-Visiona-CSRF",
    "X-Visiona-Anything",
    "X-Request-Id",
    "True-Client-IP",
    "CF-Connecting-IP",
]


@pytest.mark.parametrize("name", TRUST)
@pytest.mark.parametrize(
    "spelling",
    [
        str,
        str.lower,
        str.upper,
        str.swapcase,
        lambda name: name.replace("-", "_"),
        lambda name: name.replace("-", "_", 1),
    ],
    ids=["as_is", "lower", "upper", "swapped", "underscores", "one_underscore"],
)
def test_h04_nobody_says_who_they_are_ghsa_vjrc_mh2v_45x6_cve_2025_64484(
    name: bytes, spelling: Callable[[str], str]
) -> None:
    sent = spelling(name).encode()
    copies = 1 if sent.lower() in SINGLE_FIELDS else 2
    assert crossed(*[sent + b": admin"] * copies) == []


@pytest.mark.parametrize("name", [b"X_Forwarded_User", b"x_forwarded_for", b"X-Forwarded_Proto"])
def test_h04_underscore_twins_leave_exactly_one_field_of_ours(name: bytes) -> None:
    text = request_for_agent(request_head(name + b": evil"), b"/", CROSSING, NO_BODY)
    assert b"evil" not in text
    assert (
        len([field for field in fields_of(text) if field[0].replace(b"_", b"-") == b"x-forwarded-for"]) == 1
    )


@pytest.mark.parametrize(
    "options",
    [
        b"close, X-Forwarded-For, Cookie, Authorization",
        b"cookie",
        b"AUTHORIZATION, x-forwarded-host",
        b"Host, X-Request-Id, Content-Length, Content-Type, Range, If-Match, Sec-Fetch-Site",
    ],
)
def test_h02_connection_cannot_name_what_the_other_side_decides_by(options: bytes) -> None:
    sent = [
        b"Cookie: a=1",
        b"Authorization: Basic eDp5",
        b"Content-Type: text/plain",
        b"Range: bytes=0-",
        b'If-Match: "e"',
        b"Sec-Fetch-Site: none",
    ]
    head = request_head(
        b"Connection: " + options, b"X-Forwarded-For: 1.1.1.1", *sent, line=b"POST / HTTP/1.1"
    )
    fields = fields_of(request_for_agent(head, b"/x", CROSSING, Sized(3)))
    assert fields[0] == (b"host", b"relay.example.com")
    assert (b"x-forwarded-for", b"192.0.2.7") in fields
    assert (b"x-request-id", b"r-1") in fields
    assert (b"content-length", b"3") in fields
    for field in sent:
        name, _, value = field.partition(b": ")
        assert (name.lower(), value) in fields


def test_h02_connection_takes_out_what_it_may_name() -> None:
    assert crossed(
        b"Connection: close, X-Hop", b"Connection: X-Other", b"X-Hop: 1", b"x-other: 2", b"X-End: 3"
    ) == [(b"x-end", b"3")]


COOKIES_AND_TOKENS = {
    "h09_session_cookie": ([b"Cookie: visiona_session=s3cret"], []),
    "h09_session_cookie_among_others": (
        [b"cookie: a=1; __Host-visiona_session=s3cret"],
        [(b"cookie", b"a=1")],
    ),
    "h09_two_cookie_fields": ([b"Cookie: a=1", b"Cookie: visiona_pending_1=s3cret"], [(b"cookie", b"a=1")]),
    "h09_other_cookies": ([b"COOKIE: a=1; b=2"], [(b"cookie", b"a=1; b=2")]),
    "h09_personal_token": ([b"Authorization: Bearer vAp_s3cret"], []),
    "h09_session_token": ([b"authorization: bearer vAs_s3cret"], []),
    "h09_pairing_token": ([b"Authorization: Bearer  vAc_s3cret"], []),
    "h09_token_as_a_password": ([b"Authorization: Digest username=vAp_s3cret"], []),
    "h09_the_device_s_own_password": ([b"Authorization: Basic eDp5"], [(b"authorization", b"Basic eDp5")]),
    "h09_the_device_s_own_bearer": ([b"Authorization: Bearer eyJ0"], [(b"authorization", b"Bearer eyJ0")]),
}


@pytest.mark.parametrize(("sent", "crosses"), COOKIES_AND_TOKENS.values(), ids=COOKIES_AND_TOKENS)
def test_our_credentials_stay_here_and_the_device_s_own_cross(
    sent: list[bytes], crosses: list[Header]
) -> None:
    assert crossed(*sent) == crosses


def test_an_underscore_twin_of_a_credential_does_not_cross() -> None:
    head = checked_request(b"GET", b"/", ((b"X_Cookie", b"1"), (b"host", b"a")))
    assert b"X_Cookie: 1" in request_for_agent(head, b"/", CROSSING, NO_BODY)
    head = checked_request(b"GET", b"/", ((b"Proxy_Authorization", b"x"),))
    assert b"Proxy_Authorization" not in request_for_agent(head, b"/", CROSSING, NO_BODY)


def test_a_websocket_upgrade_crosses_with_its_fields_and_without_origin() -> None:
    fields = [
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Protocol: chat, superchat",
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        b"Origin: https://relay.example.com",
    ]
    text = request_for_agent(request_head(*fields), b"/ws", WEBSOCKET, NO_BODY)
    there = fields_of(text)
    assert [value for name, value in there if name == b"connection"] == [b"Upgrade"]
    assert [value for name, value in there if name == b"upgrade"] == [b"websocket"]
    assert [field for field in there if field[0].startswith(b"sec-websocket-")] == [
        (name.lower(), value) for name, _, value in (field.partition(b": ") for field in fields[2:6])
    ]
    assert b"Origin" not in text
    assert h11_request(text) is not None


def test_an_ipv6_client_is_quoted_where_the_grammar_wants_it() -> None:
    crossing = replace(CROSSING, peer_address="2001:db8::1")
    fields = fields_of(request_for_agent(request_head(), b"/", crossing, NO_BODY))
    assert (b"x-forwarded-for", b"2001:db8::1") in fields
    assert (b"forwarded", b'for="[2001:db8::1]";host="relay.example.com";proto=https') in fields


def test_a_client_without_an_address_is_unknown() -> None:
    crossing = replace(CROSSING, peer_address="")
    assert (b"x-forwarded-for", b"unknown") in fields_of(
        request_for_agent(request_head(), b"/", crossing, NO_BODY)
    )


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"TRACK"])
def test_h06_methods_that_tunnel_or_echo_are_405_from_every_front_layer(method: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        request_for_agent(checked_request(method, b"/", ()), b"/", CROSSING, NO_BODY)
    assert caught.value.status == 405


@pytest.mark.parametrize(
    "head",
    [
        RequestHead(b"GET", b"/", b"1.1", ((b"X-A", b"1\r\nX-B: 2"),)),
        RequestHead(b"GET", b"/", b"1.1", ((b"X-A", b"1\n"),)),
        RequestHead(b"GET", b"/", b"1.1", ((b"X-A", b"1\r"),)),
        RequestHead(b"GET", b"/", b"1.1", ((b"X-A", b"1\0"),)),
        RequestHead(b"GET", b"/", b"1.1", ((b"X-A\r\nX-B", b"1"),)),
    ],
)
def test_h03_a_field_that_would_become_two_is_never_written(head: RequestHead) -> None:
    with pytest.raises(LocalProtocolError):
        request_for_agent(head, b"/", CROSSING, NO_BODY)


@pytest.mark.parametrize("target", [b"", b"x", b"http://evil/", b"/a b", b"/\xff", b"/a\tb", b"*"])
def test_h06_a_target_that_is_not_in_origin_form_is_never_written(target: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        request_for_agent(request_head(), target, CROSSING, NO_BODY)


def test_h03_our_own_facts_cannot_split_the_head_either() -> None:
    for crossing in (
        replace(CROSSING, request_id=b"a\r\nX: y"),
        replace(CROSSING, peer_address="a\r\nX: y"),
        replace(CROSSING, public_host=b"a\nb"),
    ):
        with pytest.raises(LocalProtocolError):
            request_for_agent(request_head(), b"/", crossing, NO_BODY)


@pytest.mark.parametrize(
    ("method", "headers", "kind"),
    [
        (b"G T", (), "method"),
        (b"", (), "method"),
        (b"GET", ((b"a b", b"1"),), "field"),
        (b"GET", ((b":path", b"1"),), "field"),
        (b"GET", ((b"a", b"1\r\n2"),), "field"),
        (b"GET", ((b"a", b"\0"),), "field"),
        (b"GET", ((b"host", b"a"), (b"host", b"b")), "head"),
        (b"GET", ((b"host", b'a"b'),), "host"),
    ],
)
def test_a_head_from_another_server_is_held_to_the_same_rules(
    method: bytes, headers: tuple[Header, ...], kind: str
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        checked_request(method, b"/", headers)
    assert caught.value.kind == kind


def test_trailers_cross_without_what_would_mean_something() -> None:
    trailers = (
        (b"X-Sum", b"1"),
        (b"X-Forwarded-For", b"1"),
        (b"Content-Length", b"1"),
        (b"Cookie", b"a"),
        (b"Authorization", b"a"),
        (b"Content-Type", b"a"),
        (b"If-Match", b"a"),
    )
    assert trailers_for_agent(trailers) == ((b"X-Sum", b"1"),)


_FIELDS = st.lists(
    st.tuples(
        st.from_regex(rb"[A-Za-z_-]{1,12}", fullmatch=True),
        st.from_regex(rb"(?:[!-~\x80-\xff](?:[ -~\x80-\xff\t]{0,10}[!-~\x80-\xff])?)?", fullmatch=True),
    ),
    max_size=8,
).map(tuple)


@given(_FIELDS, st.sampled_from([NO_BODY, Sized(4), CHUNKED]), st.booleans())
def test_h01_what_goes_out_is_one_head_for_h11_and_for_us_and_says_the_same(
    fields: tuple[Header, ...], framing: Framing, upgrades: bool
) -> None:
    crossing = replace(CROSSING, is_websocket=upgrades)
    try:
        head = checked_request(b"POST", b"/", fields)
    except RemoteProtocolError:
        return
    text = request_for_agent(head, b"/x?y", crossing, framing)
    ours, theirs = parse_request_head(text), h11_request(text)
    assert theirs is not None
    assert (theirs.method, theirs.target) == (ours.method, ours.target) == (b"POST", b"/x?y")
    assert request_framing(ours) == framing
    assert ours.get_all(b"host") == [b"relay.example.com"]
    assert ours.get_all(b"x-forwarded-for") == [b"192.0.2.7"]
