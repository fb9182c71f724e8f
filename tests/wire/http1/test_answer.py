from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.answer import (
    OPEN_POLICY,
    SANDBOX_POLICY,
    answer_for_client,
    answer_headers,
    trailers_for_client,
)
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Sized, response_framing
from visiona.wire.http1.head import ResponseHead, parse_response_head

from tests.wire.http1.support import CROSSING, DEVICE, fields_of, h11_response, response_head

WEBSOCKET = replace(CROSSING, is_websocket=True)

WRITTEN = [
    (b"x-request-id", b"r-1"),
    (b"cache-control", b"private"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", SANDBOX_POLICY),
]


def crossed(*fields: bytes) -> list[tuple[bytes, bytes]]:
    """What crosses of these fields, without what we write ourselves."""
    text = answer_for_client(response_head(*fields), CROSSING, NO_BODY, keep_alive=True)
    return [field for field in fields_of(text) if field not in WRITTEN]


def cache_control(*fields: bytes) -> list[bytes]:
    text = answer_for_client(response_head(*fields), CROSSING, NO_BODY, keep_alive=True)
    return [value for name, value in fields_of(text) if name == b"cache-control"]


def test_an_answer_keeps_its_status_its_reason_and_its_ordinary_fields() -> None:
    head = response_head(
        b"Content-Type: text/plain", b'ETag: "e"', b"x-custom: 1", line=b"HTTP/1.0 404 Not There"
    )
    text = answer_for_client(head, CROSSING, Sized(3), keep_alive=True)
    assert text.startswith(b"HTTP/1.1 404 Not There\r\nX-Request-Id: r-1\r\nContent-Type: text/plain\r\n")
    assert [field for field in fields_of(text) if field not in WRITTEN] == [
        (b"content-type", b"text/plain"),
        (b"etag", b'"e"'),
        (b"x-custom", b"1"),
        (b"content-length", b"3"),
    ]
    assert all(fields_of(text).count(field) == 1 for field in WRITTEN)


@pytest.mark.parametrize(
    ("framing", "keep_alive", "fields"),
    [
        (Sized(0), True, [(b"content-length", b"0")]),
        (Sized(7), False, [(b"content-length", b"7"), (b"connection", b"close")]),
        (CHUNKED, True, [(b"transfer-encoding", b"chunked")]),
        (CHUNKED, False, [(b"connection", b"close"), (b"transfer-encoding", b"chunked")]),
        (UNTIL_CLOSE, False, [(b"connection", b"close")]),
        (NO_BODY, True, []),
    ],
)
def test_the_framing_is_written_for_the_client_and_read_back_the_same(
    framing: Framing, keep_alive: bool, fields: list[Header]
) -> None:
    head = response_head(b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Transfer-Encoding: chunked")
    text = answer_for_client(head, CROSSING, framing, keep_alive=keep_alive)
    assert [field for field in fields_of(text) if field not in WRITTEN] == fields
    if framing != NO_BODY:
        assert response_framing(parse_response_head(text), b"GET") == framing
    assert h11_response(text) is not None


def test_a_body_until_the_close_needs_a_connection_that_closes() -> None:
    with pytest.raises(LocalProtocolError):
        answer_for_client(response_head(), CROSSING, UNTIL_CLOSE, keep_alive=True)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"HTTP/1.1 200 OK", [(b"content-length", b"9")]),
        (b"HTTP/1.1 304 Not Modified", [(b"content-length", b"9")]),
        (b"HTTP/1.1 204 No Content", []),
    ],
)
def test_h16_an_answer_without_a_body_may_say_how_long_it_would_have_been(
    line: bytes, fields: list[Header]
) -> None:
    head = response_head(b"Content-Length: 9", line=line)
    assert [
        f for f in fields_of(answer_for_client(head, CROSSING, NO_BODY, keep_alive=True)) if f not in WRITTEN
    ] == fields


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_t50_interim_answers_are_not_answers(status: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        answer_for_client(
            response_head(line=b"HTTP/1.1 %d Wait" % status), CROSSING, NO_BODY, keep_alive=True
        )
    assert (caught.value.kind, caught.value.status) == ("status", 502)


def test_t50_switching_protocols_unasked_is_an_error() -> None:
    head = response_head(
        b"Connection: upgrade", b"Upgrade: websocket", line=b"HTTP/1.1 101 Switching Protocols"
    )
    with pytest.raises(RemoteProtocolError):
        answer_for_client(head, CROSSING, NO_BODY, keep_alive=True)
    with pytest.raises(RemoteProtocolError):
        answer_headers(head, CROSSING, NO_BODY)


def test_a_websocket_s_101_crosses_with_its_fields() -> None:
    head = response_head(
        b"Upgrade: WebSocket",
        b"Connection: upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"Sec-WebSocket-Protocol: chat",
        b"Sec-WebSocket-Extensions: permessage-deflate",
        b"Set-Cookie: visiona_session=evil",
        line=b"HTTP/1.1 101 Switching Protocols",
    )
    text = answer_for_client(head, WEBSOCKET, NO_BODY, keep_alive=False)
    assert fields_of(text) == [
        (b"x-request-id", b"r-1"),
        (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-extensions", b"permessage-deflate"),
        (b"connection", b"Upgrade"),
        (b"upgrade", b"websocket"),
    ]


def test_websocket_fields_do_not_cross_without_an_upgrade() -> None:
    assert crossed(b"Sec-WebSocket-Accept: x") == []


@pytest.mark.parametrize(
    "field",
    [
        "Strict-Transport-Security: max-age=31536000; includeSubDomains",
        "Clear-Site-Data: *",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        "Service-Worker-Allowed: /",
        "Public-Key-Pins: x",
        "Public-Key-Pins-Report-Only: x",
        "Expect-CT: x",
        'Alt-Svc: h3=":443"',
        "NEL: {}",
        "Report-To: {}",
        'Reporting-Endpoints: x="https://evil"',
        "Content-Security-Policy-Report-Only: default-src x; report-uri /api/x",
        "X-Visiona-Anything: 1",
        "X-Request-Id: evil",
        "X-Frame-Options: ALLOWALL",
        "X-Content-Type-Options: x",
        "Referrer-Policy: unsafe-url",
        "Cross-Origin-Resource-Policy: cross-origin",
        "Cross-Origin-Opener-Policy: unsafe-none",
        "X-Accel-Redirect: /internal",
        "X-Sendfile: /etc/passwd",
        "Surrogate-Control: max-age=9",
        "CDN-Cache-Control: public",
        "Proxy-Authenticate: Basic",
        "Keep-Alive: timeout=5",
        "Connection: keep-alive",
        "TE: x",
        "Trailer: X-Sum",
        "Upgrade: h2c",
        "Refresh: 0; url=/api/x",
        "Set-Cookie2: a=1",
        "Set-Login: logged-out",
        'Secure-Session-Registration: (ES256);path="/api/x"',
    ],
)
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_h10_a_device_does_not_speak_for_our_origin(field: bytes, spelling: Callable[[str], str]) -> None:
    name, _, value = field.partition(":")
    assert crossed(f"{spelling(name)}:{value}".encode()) == []


@pytest.mark.parametrize(
    "field",
    [
        b"Accept-Ranges: bytes",
        b"Content-Range: bytes 0-1/9",
        b"Content-Type: multipart/x-mixed-replace; boundary=x",
        b"Content-Encoding: gzip",
        b"Content-Disposition: attachment; filename=x",
        b'Content-Security-Policy: default-src "self"',
        b"Vary: Accept",
        b"WWW-Authenticate: Basic realm=x",
        b"Last-Modified: x",
        b"Server: device",
        b"X-Accel-Buffering: no",
        b"Refresh: 5",
        b"Retry-After: 5",
    ],
)
def test_h13_h17_ordinary_fields_cross_byte_for_byte(field: bytes) -> None:
    name, _, value = field.partition(b": ")
    assert crossed(field) == [(name.lower(), value)]


def test_h02_connection_takes_out_what_it_may_name_and_nothing_else() -> None:
    fields = crossed(
        b"Connection: close, X-Hop, Set-Cookie, Content-Type",
        b"X-Hop: 1",
        b"Set-Cookie: a=1",
        b"Content-Type: x",
    )
    assert fields == [(b"set-cookie", b"a=1; Path=" + DEVICE), (b"content-type", b"x")]


def test_h09_a_device_s_cookies_are_confined_one_by_one() -> None:
    fields = crossed(
        b"Set-Cookie: visiona_session=x", b"Set-Cookie: a=1; Path=/; Domain=example.com", b"SET-COOKIE: b=2"
    )
    assert fields == [(b"set-cookie", b"a=1; Path=" + DEVICE), (b"set-cookie", b"b=2; Path=" + DEVICE)]


def test_h10_a_redirect_is_put_below_the_device_s_path_or_dropped() -> None:
    assert crossed(b"Location: /login") == [(b"location", DEVICE + b"/login")]
    assert crossed(b"Location: javascript:alert(1)") == []


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/html",
        b"image/svg+xml",
        b"application/xhtml+xml",
        b"text/xml",
        b"application/pdf",
        b"image/jpeg",
    ],
)
def test_h10_every_answer_is_put_into_an_origin_of_its_own(content_type: bytes) -> None:
    text = answer_for_client(
        response_head(b"Content-Type: " + content_type), CROSSING, CHUNKED, keep_alive=True
    )
    assert (b"content-security-policy", SANDBOX_POLICY) in fields_of(text)
    assert b"allow-same-origin" not in text
    assert (b"x-content-type-options", b"nosniff") in fields_of(text)


def test_h10_a_policy_of_the_device_stands_beside_ours() -> None:
    text = answer_for_client(
        response_head(b"Content-Security-Policy: sandbox allow-same-origin"),
        CROSSING,
        CHUNKED,
        keep_alive=True,
    )
    assert [v for n, v in fields_of(text) if n == b"content-security-policy"] == [
        b"sandbox allow-same-origin",
        SANDBOX_POLICY,
    ]


def test_h24_a_device_on_a_host_of_its_own_is_not_sandboxed_but_still_not_framed() -> None:
    crossing = replace(CROSSING, sandbox=False)
    text = answer_for_client(response_head(), crossing, CHUNKED, keep_alive=True)
    assert (b"content-security-policy", OPEN_POLICY) in fields_of(text)
    assert b"sandbox" not in text


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ([], b"private"),
        ([b"Cache-Control: no-cache"], b"private, no-cache"),
        ([b"Cache-Control: no-store"], b"private, no-store"),
        ([b"Cache-Control: private"], b"private"),
        ([b"Cache-Control: private, max-age=9"], b"private, max-age=9"),
        ([b"Cache-Control: public, max-age=9"], b"private, max-age=9"),
        ([b"Cache-Control: PUBLIC"], b"private"),
        ([b"Cache-Control: max-age=9, s-maxage=99"], b"private, max-age=9"),
        ([b"Cache-Control: max-age=9, S-MaxAge = 99,"], b"private, max-age=9"),
        ([b'Cache-Control: private="Set-Cookie", max-age=9'], b"private, max-age=9"),
        ([b"Cache-Control: no-cache", b"cache-control: public"], b"private, no-cache"),
        ([b"Cache-Control:"], b"private"),
        ([b"CACHE-CONTROL: public, immutable"], b"private, immutable"),
    ],
)
def test_h22_no_shared_cache_keeps_an_answer(said: list[bytes], seen: bytes) -> None:
    assert cache_control(*said) == [seen]


def test_the_same_fields_in_the_form_that_asgi_takes() -> None:
    head = response_head(
        b"Content-Type: text/plain", b"Set-Cookie: a=1", b"Connection: close", b"X-Two: a: b"
    )
    fields = answer_headers(head, CROSSING, Sized(4))
    assert fields == [
        (b"x-request-id", b"r-1"),
        (b"content-type", b"text/plain"),
        (b"set-cookie", b"a=1; Path=" + DEVICE),
        (b"x-two", b"a: b"),
        (b"content-length", b"4"),
        *WRITTEN[1:],
    ]
    assert not {b"connection", b"transfer-encoding"} & {
        name for name, _ in answer_headers(head, CROSSING, CHUNKED)
    }


@pytest.mark.parametrize(
    "head",
    [
        ResponseHead(200, b"OK", b"1.1", ((b"X-A", b"1\r\nSet-Cookie: visiona_session=x"),)),
        ResponseHead(200, b"OK\r\nX: y", b"1.1", ()),
        ResponseHead(200, b"OK", b"1.1", ((b"X-A", b"1\0"),)),
        ResponseHead(200, b"OK", b"1.1", ((b"X-A", b"1\n"),)),
        ResponseHead(200, b"OK", b"1.1", ((b"Set-Cookie", b"a=1\r"),)),
    ],
)
def test_h03_a_field_that_would_become_two_is_never_written(head: ResponseHead) -> None:
    with pytest.raises(LocalProtocolError):
        answer_for_client(head, CROSSING, NO_BODY, keep_alive=True)


def test_a_reason_that_is_not_ascii_is_left_out() -> None:
    text = answer_for_client(response_head(line=b"HTTP/1.1 200 caf\xe9"), CROSSING, NO_BODY, keep_alive=True)
    assert text.startswith(b"HTTP/1.1 200 \r\n")


def test_trailers_cross_without_what_would_mean_something() -> None:
    trailers = (
        (b"X-Sum", b"1"),
        (b"Set-Cookie", b"a=1"),
        (b"Content-Length", b"1"),
        (b"Location", b"/"),
        (b"ETag", b"x"),
    )
    assert trailers_for_client(trailers) == ((b"X-Sum", b"1"),)


_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"Content-Type",
                b"Set-Cookie",
                b"Location",
                b"Cache-Control",
                b"Connection",
                b"X-A",
                b"Refresh",
                b"Vary",
            ]
        ),
        st.from_regex(rb"(?:[!-~\x80-\xff](?:[ -~\x80-\xff\t]{0,20}[!-~\x80-\xff])?)?", fullmatch=True),
    ),
    max_size=8,
).map(tuple)


@given(_FIELDS, st.sampled_from([Sized(4), CHUNKED, UNTIL_CLOSE]))
def test_what_goes_out_is_one_head_for_h11_and_for_us(fields: tuple[Header, ...], framing: Framing) -> None:
    head = ResponseHead(200, b"OK", b"1.1", fields)
    text = answer_for_client(head, CROSSING, framing, keep_alive=False)
    ours, theirs = parse_response_head(text), h11_response(text)
    assert theirs is not None
    assert response_framing(ours, b"GET") == framing
    assert ours.get(b"content-security-policy") == SANDBOX_POLICY
    # A policy or a prefix of ours cannot be hidden by anything the device says.
    for cookie in ours.get_all(b"set-cookie"):
        assert cookie.endswith(DEVICE) or b"Path=" + DEVICE + b"/" in cookie
