"""By which names a server may be asked."""

import pytest
from visiona.web.hosts import check_host
from visiona.wire.errors import RemoteProtocolError

PUBLIC = b"visiona.example"
HERE = "192.0.2.7"


def status_of(host: bytes | None, public_host: bytes | None = PUBLIC, here: str = HERE) -> int:
    try:
        check_host(host, public_host, lambda: here)
    except RemoteProtocolError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"visiona.example",
        b"visiona.example:8443",
        b"Visiona.EXAMPLE",
        b"visiona.example.",
        b"localhost",
        b"localhost:3721",
        b"127.0.0.1:3721",
        b"127.8.9.1",
        b"[::1]:3721",
        b"192.0.2.7",
        b"192.0.2.7:3721",
    ],
)
def test_h05_these_are_ours(host: bytes | None) -> None:
    assert status_of(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"visiona.example.evil.example",
        b"evil-visiona.example",
        b"visiona.example..",
        b"192.0.2.8",
        b"[2001:db8::8]",
        b"127.0.0.1.evil.example",
        b"2130706433",
        b"0",
        b"localhost.evil.example",
    ],
)
def test_h05_these_are_somebody_elses(host: bytes) -> None:
    assert status_of(host) == 421
    assert status_of(host, None) == 200


@pytest.mark.parametrize("host", [b"", b"evil@visiona.example", b"visiona.example:x", b"a b", b"a,b", b"/"])
def test_h05_what_is_no_host_and_port_is_400(host: bytes) -> None:
    assert status_of(host) == 400
    assert status_of(host, None) == 400


def test_h05_an_address_is_compared_however_the_socket_writes_it() -> None:
    assert status_of(b"192.0.2.7", here="::ffff:192.0.2.7") == 200
    assert status_of(b"[2001:db8:0::7]", here="2001:db8::7") == 200
    assert status_of(b"[fe80::1]", here="fe80::1%eth0") == 200
    assert status_of(b"VISIONA.example", b"visiona.example:8443") == 200
