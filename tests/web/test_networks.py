import pytest
from visiona.web.networks import network_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::", "2001:db8:1::/48"),
        ("2001:db8:2::", "2001:db8:2::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("not an address", "not an address"),
        ("not: an address", "not: an address"),
        ("", ""),
    ],
)
def test_t09_the_prefix_that_a_site_is_given_is_one_network(address: str, key: str) -> None:
    assert network_key(address) == key
