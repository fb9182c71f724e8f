import gc

import pytest
from hypothesis import given, settings
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.head import (
    HTTP2_PREFACE,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_RESPONSE_HEAD_BYTES,
    check_single_fields,
    find_head_end,
    parse_request_head,
    parse_response_head,
)

from tests.wire.http1.support import (
    h11_request,
    h11_response,
    request,
    request_head,
    request_or_none,
    response,
    response_head,
    response_or_none,
    spoilt_heads,
)


def refusal_of_request(data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_request_head(data)
    return caught.value


def refusal_of_response(data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_response_head(data)
    return caught.value


# --- what is read


def test_a_head_keeps_names_values_and_their_order_as_sent() -> None:
    head = request_head(
        b"X-One: 1", b"x-two:2", b"X-Empty:", b"X-One: \t 3  ", line=b"PATCH /a?b=%20|{} HTTP/1.1"
    )
    assert (head.method, head.target, head.version) == (b"PATCH", b"/a?b=%20|{}", b"1.1")
    assert head.headers[1:] == ((b"X-One", b"1"), (b"x-two", b"2"), (b"X-Empty", b""), (b"X-One", b"3"))
    assert head.get(b"x-one") == b"1"
    assert head.get_all(b"x-one") == [b"1", b"3"]
    assert head.get(b"x-none") is None
    assert head.get_all(b"x-none") == []
    assert head.has_repeats


def test_an_answer_is_read_with_its_status_and_reason() -> None:
    head = response_head(
        b"Content-Type: text/plain", b"Set-Cookie: a=1", b"Set-Cookie: b=2", line=b"HTTP/1.0 404 Not There"
    )
    assert (head.status, head.reason, head.version) == (404, b"Not There", b"1.0")
    assert head.get(b"content-type") == b"text/plain"
    assert head.get_all(b"set-cookie") == [b"a=1", b"b=2"]
    assert head.get_all(b"etag") == []
    assert head.get(b"etag") is None
    assert head.has_repeats


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 ", b"HTTP/1.1 200"])
def test_an_answer_may_have_no_reason(line: bytes) -> None:
    assert response_head(line=line).reason == b""


def test_h01_a_tab_before_a_value_is_refused_only_where_it_could_hide_a_body() -> None:
    assert request_head(b"X-A:\t1").get(b"x-a") == b"1"
    assert request_head(b"Transfer-Encoding: chunked", b"X-A: \t1").get(b"x-a") == b"1"


def test_a_websocket_upgrade_is_read_like_any_head() -> None:
    assert request_head(b"Connection: Upgrade", b"Upgrade: websocket").get(b"upgrade") == b"websocket"
    line = b"HTTP/1.1 101 Switching Protocols"
    assert response_head(b"Connection: Upgrade", b"Upgrade: websocket", line=line).status == 101


def test_a_body_announced_in_one_head_is_forgotten_in_the_next() -> None:
    """The desync that a parser kept alive between heads made: the second request went out as the first."""
    first = request(b"Content-Length: 100", line=b"POST /first HTTP/1.1")
    second = request(line=b"GET /second HTTP/1.1")
    for _ in range(3):
        assert parse_request_head(first).target == b"/first"
        assert (parse_request_head(second).method, parse_request_head(second).target) == (b"GET", b"/second")
    parse_response_head(response(b"Content-Length: 100"))
    assert parse_response_head(response(line=b"HTTP/1.1 304 Not Modified")).status == 304


def test_a_parsed_head_leaves_no_reference_cycle_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            parse_request_head(request(b"Content-Length: 3", line=b"POST / HTTP/1.1"))
            parse_response_head(response(b"Transfer-Encoding: chunked"))
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_http_1_0_needs_no_host() -> None:
    assert request_head(line=b"GET / HTTP/1.0", host=None).version == b"1.0"


# --- T-04, T-07, H-01, H-05, H-06: what is refused

BAD_REQUESTS = {
    "h01_space_before_colon": request(b"X-A : 1"),
    "h01_bare_lf_ends_the_request_line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "h01_bare_lf_ends_a_field": request(b"X-A: 1\nX-B: 2"),
    "h01_bare_lf_ends_the_head": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "h01_bare_cr_in_a_value": request(b"X-A: 1\rX-B: 2"),
    "h01_cr_cr_lf": request(b"X-A: 1\r"),
    "h01_content_length_twice_the_same": request(b"Content-Length: 5", b"Content-Length: 5"),
    "h01_content_length_twice_different": request(b"Content-Length: 5", b"content-length: 6"),
    "h01_content_length_plus": request(b"Content-Length: +5"),
    "h01_content_length_minus": request(b"Content-Length: -5"),
    "h01_content_length_hex": request(b"Content-Length: 0x5"),
    "h01_content_length_list": request(b"Content-Length: 5, 5"),
    "h01_content_length_empty": request(b"Content-Length:"),
    "h01_content_length_and_chunked": request(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "h01_chunked_and_content_length": request(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "h01_xchunked": request(b"Transfer-Encoding: xchunked"),
    "h01_chunked_not_last": request(b"Transfer-Encoding: chunked, gzip"),
    "h08_two_devices_named": request(b"X-Visiona-Device: a", b"x-visiona-device: b"),
    "h01_chunked_twice": request(b"Transfer-Encoding: chunked, chunked"),
    "h01_transfer_encoding_twice": request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "h01_transfer_encoding_twice_other_case": request(
        b"Transfer-Encoding: gzip", b"transfer-encoding: chunked"
    ),
    "h01_vertical_tab_chunked": request(b"Transfer-Encoding: \x0bchunked"),
    "h01_tab_before_chunked": request(b"Transfer-Encoding:\tchunked"),
    "h01_folded_transfer_encoding": request(b"Transfer-Encoding:\r\n chunked"),
    "t04_nul_in_a_value": request(b"X-A: a\0b"),
    "t04_control_byte_in_a_value": request(b"X-A: a\x01b"),
    "t04_delete_in_a_value": request(b"X-A: a\x7fb"),
    "t04_folded_line": request(b"X-A: 1", b" 2"),
    "t04_folded_line_with_a_tab": request(b"X-A: 1", b"\t2"),
    "t04_folded_first_line": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "t04_line_of_a_space": b"GET / HTTP/1.1\r\nHost: x\r\n \r\n\r\n",
    "t04_name_with_a_slash": request(b"X/A: 1"),
    "t04_name_not_ascii": request(b"X-\xe9: 1"),
    "t04_no_name": request(b": 1"),
    "t04_no_colon": request(b"X-A"),
    "t04_crlf_before_the_request": b"\r\n" + request(),
    "t04_bytes_after_the_head": request() + b"X",
    "t04_another_head_after_the_head": request() + request(),
    "t04_bytes_after_an_upgrade": request(b"Connection: upgrade", b"Upgrade: websocket") + b"\x81\r\n\r\n",
    "t04_no_empty_line": request()[:-2],
    "t04_empty": b"",
    "t04_only_an_empty_line": b"\r\n\r\n",
    "t04_two_spaces": request(line=b"GET  / HTTP/1.1"),
    "t04_space_in_the_target": request(line=b"GET /a b HTTP/1.1"),
    "t04_space_after_the_version": request(line=b"GET / HTTP/1.1 "),
    "t04_tab_in_the_request_line": request(line=b"GET\t/ HTTP/1.1"),
    "t04_no_version": request(line=b"GET /"),
    "h03_target_not_ascii": request(line=b"GET /\xc3\xa9 HTTP/1.1"),
    "h03_control_byte_in_the_target": request(line=b"GET /\x01 HTTP/1.1"),
    "h07_fragment_in_the_target_ghsa_pxq7_h93f_9jrg": request(line=b"GET /a#/../health HTTP/1.1"),
    "h06_asterisk_for_get": request(line=b"GET * HTTP/1.1"),
    "h06_authority_for_get": request(line=b"GET relay.example.com:443 HTTP/1.1"),
    "h06_other_scheme": request(line=b"GET ftp://relay.example.com/ HTTP/1.1"),
}

BAD_HOSTS = {
    "h05_no_host": request(host=None),
    "h05_empty_host": request(host=b""),
    "h05_userinfo": request(host=b"evil@relay.example.com"),
    "h05_port_junk": request(host=b"relay.example.com:80x"),
    "h05_port_too_long": request(host=b"relay.example.com:123456"),
    "h05_path_in_host": request(host=b"relay.example.com/evil"),
    "h05_space_in_host": request(host=b"relay.example.com evil"),
    "h05_list_of_hosts": request(host=b"a, b"),
    "h05_percent_in_host": request(host=b"relay%2eexample.com"),
    "h05_broken_ipv6": request(host=b"[::1"),
    "h06_absolute_form_of_another_host_zrok_ssrf": request(
        line=b"GET http://169.254.169.254/latest HTTP/1.1"
    ),
    "h06_absolute_form_with_userinfo": request(line=b"GET http://relay.example.com@evil/ HTTP/1.1"),
    "h06_absolute_form_of_another_port": request(line=b"GET http://relay.example.com:81/ HTTP/1.1"),
    "h06_absolute_form_without_host": request(line=b"GET http://relay.example.com/ HTTP/1.0", host=None),
}


@pytest.mark.parametrize("data", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_request_head_that_two_parsers_could_read_differently_is_refused(data: bytes) -> None:
    error = refusal_of_request(data)
    assert (error.kind, error.status) == ("head", 400)


@pytest.mark.parametrize("data", BAD_HOSTS.values(), ids=BAD_HOSTS)
def test_h05_h06_a_destination_that_is_not_plainly_one_host_is_refused(data: bytes) -> None:
    error = refusal_of_request(data)
    assert (error.kind, error.status) == ("host", 400)


@pytest.mark.parametrize(
    "host",
    [
        b"relay.example.com",
        b"RELAY.example.com.",
        b"relay.example.com:8443",
        b"[::1]:80",
        b"127.0.0.1",
        b"a_b",
    ],
)
def test_h05_plain_hosts_are_read(host: bytes) -> None:
    assert request_head(host=host).get(b"host") == host


@pytest.mark.parametrize(
    "line", [b"GET http://relay.example.com/a HTTP/1.1", b"GET HTTPS://RELAY.example.com?a HTTP/1.1"]
)
def test_h06_absolute_form_of_the_same_host_is_read_as_it_is(line: bytes) -> None:
    assert request_head(line=line).target == line.split()[1]


def test_h06_options_may_ask_about_the_whole_server() -> None:
    assert request_head(line=b"OPTIONS * HTTP/1.1").target == b"*"


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"TRACK"])
def test_h06_methods_that_tunnel_or_echo_are_405(method: bytes) -> None:
    error = refusal_of_request(request(line=method + b" / HTTP/1.1"))
    assert (error.kind, error.status) == ("method", 405)


@pytest.mark.parametrize("method", [b"FOO", b"get", b"G@T"])
def test_h20_an_unknown_method_is_501(method: bytes) -> None:
    error = refusal_of_request(request(line=method + b" / HTTP/1.1"))
    assert (error.kind, error.status) == ("method", 501)


@pytest.mark.parametrize(
    "version", [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b"ICE/1.0", b"HTTP/1.10"]
)
def test_t07_other_versions_are_505(version: bytes) -> None:
    error = refusal_of_request(request(line=b"GET / " + version))
    assert (error.kind, error.status) == ("version", 505)


@pytest.mark.parametrize(
    "field",
    [
        b"Host",
        b"Authorization",
        b"Origin",
        b"Expect",
        b"Upgrade",
        b"Sec-WebSocket-Key",
        b"Sec-WebSocket-Version",
    ],
)
def test_h04_a_field_that_decides_something_stands_once(field: bytes) -> None:
    value = b": relay.example.com"
    assert refusal_of_request(
        request(field + value, field.lower() + value, host=b"x" if field != b"Host" else None)
    )


def test_other_fields_may_stand_twice() -> None:
    check_single_fields(request_head(b"Accept: a", b"Accept: b"))


def test_t04_one_hundred_fields_are_read_and_one_more_is_431() -> None:
    fields = [b"X-%d: 1" % number for number in range(MAX_HEADERS - 1)]
    assert len(request_head(*fields).headers) == MAX_HEADERS
    error = refusal_of_request(request(*fields, b"X-More: 1"))
    assert (error.kind, error.status) == ("head_too_large", 431)
    error = refusal_of_response(response(*fields, b"X-More: 1", b"X-Again: 1"))
    assert (error.kind, error.status) == ("head_too_large", 502)


BAD_RESPONSES = {
    "t50_not_http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "t50_icy": response(line=b"ICY 200 OK"),
    "t50_http_2": response(line=b"HTTP/2.0 200 OK"),
    "t50_status_099": response(line=b"HTTP/1.1 099 Odd"),
    "t50_status_1000": response(line=b"HTTP/1.1 1000 Odd"),
    "t50_status_99": response(line=b"HTTP/1.1 99"),
    "t50_status_2x0": response(line=b"HTTP/1.1 2x0 OK"),
    "t50_status_unicode_digits": response(line=b"HTTP/1.1 \xb2\xb0\xb0 OK"),
    "t50_two_spaces": response(line=b"HTTP/1.1  200 OK"),
    "t50_no_space": response(line=b"HTTP/1.1200 OK"),
    "t50_tab_after_the_status": response(line=b"HTTP/1.1 200\tOK"),
    "t50_control_byte_in_the_reason": response(line=b"HTTP/1.1 200 O\x01K"),
    "t50_nul_in_the_reason": response(line=b"HTTP/1.1 200 O\0K"),
    "t50_cr_in_the_reason": response(line=b"HTTP/1.1 200 O\rK"),
    "t50_bare_lf": b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
    "t50_folded_line": response(b"X-A: 1", b" 2"),
    "t50_negative_length": response(b"Content-Length: -1"),
    "t50_length_twice": response(b"Content-Length: 1", b"Content-Length: 1"),
    "t50_length_and_chunked": response(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
    "t50_bytes_after_101": response(b"Connection: upgrade", b"Upgrade: x", line=b"HTTP/1.1 101 S")
    + b"abc\r\n\r\n",
    "t50_101_that_does_not_say_to_what": response(b"Connection: upgrade", line=b"HTTP/1.1 101 S"),
    "t50_two_heads": response() + response(),
    "t50_empty": b"",
}


@pytest.mark.parametrize("data", BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_t50_an_answer_that_is_not_http_is_502(data: bytes) -> None:
    error = refusal_of_response(data)
    assert (error.kind, error.status) == ("head", 502)


# --- the end of a head


@pytest.mark.parametrize("cut", range(len(request(b"X-A: 1")) + 1))
def test_t36_the_end_is_found_wherever_the_bytes_are_cut(cut: int) -> None:
    head = request(b"X-A: 1")
    whole = head + b"BODY\r\n\r\n"
    buffer = bytearray(whole[:cut])
    found = find_head_end(buffer)
    if cut < len(head):
        assert found is None
        buffer += whole[cut:]
        found = find_head_end(buffer, cut)
    assert found == len(head)


def test_the_end_is_found_when_bytes_come_one_by_one() -> None:
    head = request(b"X-A: 1")
    for length in range(1, len(head)):
        assert find_head_end(head[:length], length - 1) is None
    assert find_head_end(head, len(head) - 1) == len(head)


def test_t04_the_limits_are_the_promised_ones() -> None:
    assert (MAX_HEAD_BYTES, MAX_RESPONSE_HEAD_BYTES, MAX_HEADERS) == (16_384, 65_536, 100)


def test_t04_a_head_at_the_limit_is_found_and_one_byte_more_is_431() -> None:
    filler = b"X-A: " + b"a" * (MAX_HEAD_BYTES - len(request(b"X-A: ")))
    assert find_head_end(request(filler)) == MAX_HEAD_BYTES
    for late in (request(filler + b"a"), request(filler)[:-1] + b"a", b"G" * MAX_HEAD_BYTES):
        with pytest.raises(RemoteProtocolError) as caught:
            find_head_end(late)
        assert (caught.value.kind, caught.value.status) == ("head_too_large", 431)
    assert find_head_end(request(filler)[:-1]) is None


def test_t50_an_answer_may_have_a_longer_head_but_not_without_end() -> None:
    data = response(b"X-A: " + b"a" * MAX_HEAD_BYTES)
    assert find_head_end(data, limit_bytes=MAX_RESPONSE_HEAD_BYTES) == len(data)
    with pytest.raises(RemoteProtocolError):
        find_head_end(b"H" * MAX_RESPONSE_HEAD_BYTES, limit_bytes=MAX_RESPONSE_HEAD_BYTES)


NOT_HEADS = {
    "t07_tls": (b"\x16\x03\x01\x02\x00\x01\x00", "tls"),
    "t07_http2_preface": (HTTP2_PREFACE + b"\0\0\0", "http2_preface"),
    "t07_http2_preface_cut": (HTTP2_PREFACE[:16], "http2_preface"),
    "t07_lower_case": (b"get / HTTP/1.1\r\n", "not_http"),
    "t07_binary": (b"\x00\x01\x02", "not_http"),
    "t07_empty_line_first": (b"\r\nGET", "not_http"),
    "h01_bare_lf": (b"GET / HTTP/1.1\nHost", "head"),
    "h01_bare_lf_lf": (b"GET / HTTP/1.1\n\n", "head"),
    "h01_bare_cr": (b"GET / HTTP/1.1\rHost", "head"),
    "h01_cr_cr": (b"GET / HTTP/1.1\r\r", "head"),
    "t04_nul": (b"GET /\0", "head"),
}


@pytest.mark.parametrize(("data", "kind"), NOT_HEADS.values(), ids=NOT_HEADS)
def test_what_cannot_become_a_head_is_refused_before_it_ends(data: bytes, kind: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        find_head_end(data)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("before", "after"), [(b"GET / HTTP/1.1", b"\nX"), (b"GET / HTTP/1.1\r", b"X"), (b"GET /", b"\0")]
)
def test_a_broken_line_is_noticed_across_two_reads(before: bytes, after: bytes) -> None:
    assert find_head_end(before) is None
    with pytest.raises(RemoteProtocolError):
        find_head_end(before + after, len(before))


@pytest.mark.parametrize(
    "data", [b"", b"P", b"PR", b"PRI * HTTP", b"PUT / HTTP/1.1\r\n", b"GET / HTTP/1.1\r"]
)
def test_what_can_still_become_a_head_is_waited_for(data: bytes) -> None:
    assert find_head_end(data) is None


# --- h11 as the second opinion: we may be stricter, never laxer

REQUEST_LINES = [
    b"GET / HTTP/1.1",
    b"POST /a HTTP/1.0",
    b"OPTIONS * HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET http://x/ HTTP/1.1",
]
STATUS_LINES = [b"HTTP/1.1 200 OK", b"HTTP/1.0 404 No", b"HTTP/1.1 100 Go", b"HTTP/1.1 204", b"HTTP/1.1 99 A"]


@given(spoilt_heads(REQUEST_LINES))
@settings(max_examples=500, deadline=None)
def test_h01_what_we_read_as_a_request_h11_reads_the_same(data: bytes) -> None:
    ours = request_or_none(data)
    if ours is None:
        return
    theirs = h11_request(data)
    assert theirs is not None
    assert (theirs.method, theirs.target, theirs.http_version) == (ours.method, ours.target, ours.version)
    assert [(name, value) for name, value in theirs.headers] == [
        (name.lower(), value.lower() if name.lower() == b"transfer-encoding" else value)
        for name, value in ours.headers
    ]


@given(spoilt_heads(STATUS_LINES))
@settings(max_examples=500, deadline=None)
def test_t50_what_we_read_as_an_answer_h11_reads_the_same(data: bytes) -> None:
    ours = response_or_none(data)
    if ours is None or ours.status == 101:  # h11 wants the Upgrade to have been asked for
        return
    theirs = h11_response(data)
    assert theirs is not None
    assert (theirs.status_code, theirs.reason, theirs.http_version) == (
        ours.status,
        ours.reason,
        ours.version,
    )
    assert [(name, value) for name, value in theirs.headers] == [
        (name.lower(), value.lower() if name.lower() == b"transfer-encoding" else value)
        for name, value in ours.headers
    ]
