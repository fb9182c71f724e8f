from ipaddress import ip_network

import pytest
from visiona.wire.http1.addresses import client_address
from visiona.wire.http1.fields import Header

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1/32")]


def forwarded(*values: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"X-Forwarded-For", value) for value in values)


CASES = {
    "h04_no_trusted_proxy_then_the_peer": ("192.0.2.1", forwarded(b"203.0.113.9"), "192.0.2.1"),
    "h04_trusted_without_a_field": ("10.0.0.1", (), "10.0.0.1"),
    "h04_one_proxy": ("10.0.0.1", forwarded(b"203.0.113.9"), "203.0.113.9"),
    "h04_what_the_client_says_is_left_of_it": ("10.0.0.1", forwarded(b"1.1.1.1, 203.0.113.9"), "203.0.113.9"),
    "h04_two_proxies": ("10.0.0.1", forwarded(b"1.1.1.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9"),
    "h04_two_fields": ("10.0.0.1", forwarded(b"1.1.1.1", b"203.0.113.9, 10.0.0.2"), "203.0.113.9"),
    "h04_all_trusted": ("10.0.0.1", forwarded(b"10.0.0.3, 10.0.0.2"), "10.0.0.3"),
    "h04_junk_ends_the_walk": ("10.0.0.1", forwarded(b"203.0.113.9, junk, 10.0.0.2"), "10.0.0.2"),
    "h04_empty_ends_the_walk": ("10.0.0.1", forwarded(b"203.0.113.9,"), "10.0.0.1"),
    "h04_with_a_port": ("10.0.0.1", forwarded(b"203.0.113.9:4711"), "203.0.113.9"),
    "h04_ipv6": ("fd00::1", forwarded(b"2001:DB8::0001"), "2001:db8::1"),
    "h04_ipv6_with_a_port": ("fd00::1", forwarded(b"[2001:db8::1]:443"), "2001:db8::1"),
    "h04_ipv6_with_a_zone": ("fd00::1", forwarded(b'fe80::1%";x=y'), "fe80::1"),
    "h04_mapped_peer": ("::ffff:10.0.0.1", forwarded(b"::ffff:203.0.113.9"), "203.0.113.9"),
    "h04_port_junk": ("10.0.0.1", forwarded(b"203.0.113.9:x"), "10.0.0.1"),
    "h04_not_ascii": ("10.0.0.1", forwarded(b"\xb2\xb0"), "10.0.0.1"),
    "h04_other_fields_say_nothing": (
        "10.0.0.1",
        ((b"Forwarded", b"for=1.1.1.1"), (b"X-Real-IP", b"1.1.1.1")),
        "10.0.0.1",
    ),
    "h04_underscore_says_nothing": ("10.0.0.1", ((b"X_Forwarded_For", b"1.1.1.1"),), "10.0.0.1"),
    "unix_socket": ("/run/visiona.sock", forwarded(b"1.1.1.1"), "/run/visiona.sock"),
    "empty_peer": ("", forwarded(b"1.1.1.1"), ""),
    "peer_with_a_zone": ("fe80::1%eth0", (), "fe80::1"),
}


@pytest.mark.parametrize(("peer", "headers", "client"), CASES.values(), ids=CASES)
def test_the_client_is_the_right_most_address_that_is_not_our_proxy(
    peer: str, headers: tuple[Header, ...], client: str
) -> None:
    assert client_address(peer, headers, TRUSTED) == client


def test_h04_without_trusted_proxies_nothing_is_believed() -> None:
    assert client_address("10.0.0.1", forwarded(b"1.1.1.1"), []) == "10.0.0.1"
