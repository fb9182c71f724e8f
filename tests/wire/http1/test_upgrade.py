import pytest
from visiona.wire.http1.upgrade import asks_for_upgrade, is_websocket_upgrade, keeps_alive

from tests.wire.http1.support import request_head

WEBSOCKET = (b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket")

CASES = {
    "websocket": (WEBSOCKET, b"GET / HTTP/1.1", True, True),
    "two_connection_lines": (
        (b"Connection: close", b"Connection: upgrade", b"Upgrade: websocket"),
        b"GET / HTTP/1.1",
        True,
        True,
    ),
    "ordinary": ((), b"GET / HTTP/1.1", False, False),
    "post": (WEBSOCKET, b"POST / HTTP/1.1", True, False),
    "http_1_0": (WEBSOCKET, b"GET / HTTP/1.0", True, False),
    "connection_does_not_say_so": ((b"Upgrade: websocket",), b"GET / HTTP/1.1", False, False),
    "upgrade_does_not_say_what": ((b"Connection: upgrade",), b"GET / HTTP/1.1", False, False),
    "h02_h2c": ((b"Connection: upgrade", b"Upgrade: h2c"), b"GET / HTTP/1.1", True, False),
    "h02_websocket_or_h2c": (
        (b"Connection: upgrade", b"Upgrade: websocket, h2c"),
        b"GET / HTTP/1.1",
        True,
        False,
    ),
}


@pytest.mark.parametrize(("fields", "line", "asks", "is_websocket"), CASES.values(), ids=CASES)
def test_an_exchange_becomes_a_pipe_for_a_websocket_only(
    fields: tuple[bytes, ...], line: bytes, asks: bool, is_websocket: bool
) -> None:
    head = request_head(*fields, line=line)
    assert asks_for_upgrade(head) is asks
    assert is_websocket_upgrade(head) is is_websocket


@pytest.mark.parametrize(
    ("fields", "line", "stays"),
    [
        ((), b"GET / HTTP/1.1", True),
        ((b"Connection: Close",), b"GET / HTTP/1.1", False),
        ((b"Connection: x, close",), b"GET / HTTP/1.1", False),
        ((), b"GET / HTTP/1.0", False),
        ((b"Connection: keep-alive",), b"GET / HTTP/1.0", False),
    ],
)
def test_a_connection_stays_unless_the_client_leaves_or_is_old(
    fields: tuple[bytes, ...], line: bytes, stays: bool
) -> None:
    assert keeps_alive(request_head(*fields, line=line)) is stays
