import pytest
from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.fields import Header, parse_field_line
from visiona.wire.http1.head import ResponseHead, find_head_end, parse_request_head, parse_response_head
from visiona.wire.websocket.handshake import (
    accept_value,
    check_answer,
    check_upgrade,
    is_key,
    new_key,
    switching_protocols,
    upgrade_request,
)
from wsproto.utilities import generate_accept_token

from tests.wire.http1.support import request, request_head

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

UPGRADE = b"Upgrade: websocket"
CONNECTION = b"Connection: Upgrade"
VERSION = b"Sec-WebSocket-Version: 13"
KEY_FIELD = b"Sec-WebSocket-Key: " + KEY

LINE = b"GET /tunnel/connect HTTP/1.1"


def refusal(*fields: bytes, line: bytes = LINE) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        check_upgrade(request_head(*fields, line=line))
    assert caught.value.kind == "handshake"
    return caught.value


def test_the_rfc_s_own_example() -> None:
    assert accept_value(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert accept_value(KEY) == generate_accept_token(KEY)


@pytest.mark.parametrize(
    "fields",
    [
        (UPGRADE, CONNECTION, VERSION, KEY_FIELD),
        (b"Upgrade: WebSocket", b"Connection: keep-alive, upgrade", VERSION, KEY_FIELD),
        (UPGRADE, CONNECTION, VERSION, KEY_FIELD, b"Content-Length: 0"),
        (UPGRADE, CONNECTION, VERSION, KEY_FIELD, b"Sec-WebSocket-Extensions: permessage-deflate"),
    ],
)
def test_a_handshake_gives_its_key(fields: tuple[bytes, ...]) -> None:
    assert check_upgrade(request_head(*fields, line=LINE)) == KEY


REFUSED = {
    "t07_post": ((UPGRADE, CONNECTION, VERSION, KEY_FIELD), b"POST / HTTP/1.1", 405),
    "t07_http_1_0": ((UPGRADE, CONNECTION, VERSION, KEY_FIELD), b"GET / HTTP/1.0", 400),
    "t07_no_upgrade": ((CONNECTION, VERSION, KEY_FIELD), LINE, 426),
    "t07_upgrade_to_h2c": ((b"Upgrade: h2c", CONNECTION, VERSION, KEY_FIELD), LINE, 426),
    "t07_no_connection": ((UPGRADE, VERSION, KEY_FIELD), LINE, 426),
    "t07_connection_close": ((UPGRADE, b"Connection: close", VERSION, KEY_FIELD), LINE, 426),
    "t07_no_version": ((UPGRADE, CONNECTION, KEY_FIELD), LINE, 426),
    "t07_version_8": ((UPGRADE, CONNECTION, b"Sec-WebSocket-Version: 8", KEY_FIELD), LINE, 426),
    "t07_version_list": ((UPGRADE, CONNECTION, b"Sec-WebSocket-Version: 13, 8", KEY_FIELD), LINE, 426),
    "t07_no_key": ((UPGRADE, CONNECTION, VERSION), LINE, 400),
    "t07_short_key": ((UPGRADE, CONNECTION, VERSION, b"Sec-WebSocket-Key: dGhl"), LINE, 400),
    "t07_long_key": ((UPGRADE, CONNECTION, VERSION, KEY_FIELD + KEY), LINE, 400),
    "t07_key_of_17_bytes": (
        (UPGRADE, CONNECTION, VERSION, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZXE="),
        LINE,
        400,
    ),
    "t07_key_not_base64": ((UPGRADE, CONNECTION, VERSION, b"Sec-WebSocket-Key: " + b"!" * 24), LINE, 400),
    "t07_key_wrongly_padded": (
        (UPGRADE, CONNECTION, VERSION, b"Sec-WebSocket-Key: " + b"a" * 23 + b"="),
        LINE,
        400,
    ),
    "t07_a_body": ((UPGRADE, CONNECTION, VERSION, KEY_FIELD, b"Content-Length: 5"), LINE, 400),
    "t07_a_chunked_body": (
        (UPGRADE, CONNECTION, VERSION, KEY_FIELD, b"Transfer-Encoding: chunked"),
        LINE,
        400,
    ),
}


@pytest.mark.parametrize(("fields", "line", "status"), REFUSED.values(), ids=REFUSED)
def test_a_handshake_that_is_none_is_refused(fields: tuple[bytes, ...], line: bytes, status: int) -> None:
    assert refusal(*fields, line=line).status == status


def test_t07_two_keys_are_not_even_a_head() -> None:
    with pytest.raises(RemoteProtocolError):
        parse_request_head(request(UPGRADE, CONNECTION, VERSION, KEY_FIELD, KEY_FIELD))


@pytest.mark.parametrize("key", [KEY, b"AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_key_is_sixteen_bytes_in_base64(key: bytes) -> None:
    assert is_key(key)


@pytest.mark.parametrize(
    "key", [b"", KEY[:-1], KEY + b"=", b"\xff" * 24, b"dGhlIHNhbXBsZSBub25jZ===", b"A" * 24]
)
def test_another_text_is_no_key(key: bytes) -> None:
    assert not is_key(key)


def test_a_key_is_made_from_sixteen_random_bytes() -> None:
    assert new_key(b"the sample nonce") == KEY
    with pytest.raises(LocalProtocolError):
        new_key(b"short")


def test_both_ends_understand_each_other() -> None:
    asked = upgrade_request(b"relay:3800", b"/tunnel/connect", KEY, ((b"Authorization", b"Bearer vAs_0"),))
    assert find_head_end(asked) == len(asked)
    head = parse_request_head(asked)
    assert head.get(b"authorization") == b"Bearer vAs_0"
    answer = switching_protocols(check_upgrade(head), ((b"X-Request-Id", b"r-1"),))
    assert find_head_end(answer) == len(answer)
    assert check_answer(parse_response_head(answer), KEY) is None


def test_a_subprotocol_that_was_offered_may_be_chosen() -> None:
    answer = switching_protocols(KEY, ((b"Sec-WebSocket-Protocol", b"b"),))
    assert check_answer(parse_response_head(answer), KEY, offered_protocols=(b"a", b"b")) == b"b"


def test_t10_compression_is_declined_by_silence() -> None:
    assert b"xtensions" not in switching_protocols(KEY)


SWITCHED = b"HTTP/1.1 101 Switching Protocols"
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

BAD_ANSWERS = {
    "refused_401": ((), b"HTTP/1.1 401 No", 401),
    "refused_503": ((UPGRADE, CONNECTION, ACCEPT), b"HTTP/1.1 503 Later", 503),
    "ok": ((UPGRADE, CONNECTION, ACCEPT), b"HTTP/1.1 200 OK", 200),
    "no_upgrade": ((CONNECTION, ACCEPT), SWITCHED, 502),
    "other_upgrade": ((b"Upgrade: h2c", CONNECTION, ACCEPT), SWITCHED, 502),
    "no_connection": ((UPGRADE, ACCEPT), SWITCHED, 502),
    "no_accept": ((UPGRADE, CONNECTION), SWITCHED, 502),
    "wrong_accept": ((UPGRADE, CONNECTION, b"Sec-WebSocket-Accept: x"), SWITCHED, 502),
    "two_accepts": ((UPGRADE, CONNECTION, ACCEPT, ACCEPT), SWITCHED, 502),
    "t10_extension": (
        (UPGRADE, CONNECTION, ACCEPT, b"Sec-WebSocket-Extensions: permessage-deflate"),
        SWITCHED,
        502,
    ),
    "protocol": ((UPGRADE, CONNECTION, ACCEPT, b"Sec-WebSocket-Protocol: x"), SWITCHED, 502),
    "two_protocols": (
        (UPGRADE, CONNECTION, ACCEPT, b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: a"),
        SWITCHED,
        502,
    ),
}


@pytest.mark.parametrize(("fields", "line", "status"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_an_answer_that_does_not_accept_is_an_error(
    fields: tuple[bytes, ...], line: bytes, status: int
) -> None:
    # Made without llhttp, which refuses some of these by itself.
    head = ResponseHead(int(line[9:12]), b"", b"1.1", tuple(parse_field_line(field) for field in fields))
    with pytest.raises(RemoteProtocolError) as caught:
        check_answer(head, KEY, offered_protocols=(b"a",))
    assert (caught.value.kind, caught.value.status) == ("handshake", status)


@pytest.mark.parametrize(
    ("host", "target", "key", "headers"),
    [
        (b"a b", b"/", KEY, ()),
        (b"a", b"x", KEY, ()),
        (b"a", b"/ x", KEY, ()),
        (b"a", b"/", b"x", ()),
        (b"a", b"/", KEY, ((b"X A", b"1"),)),
        (b"a", b"/", KEY, ((b"X-A", b"1\r\nX-B: 2"),)),
    ],
)
def test_h03_a_handshake_that_would_be_read_back_differently_is_not_written(
    host: bytes, target: bytes, key: bytes, headers: tuple[Header, ...]
) -> None:
    with pytest.raises(LocalProtocolError):
        upgrade_request(host, target, key, headers)


def test_h03_an_answer_with_a_broken_field_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        switching_protocols(KEY, ((b"X-A", b"1\n2"),))
