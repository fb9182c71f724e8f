"""How many newcomers there may be."""

from visiona.relay.crowd import Crowd


def test_one_address_has_its_share_and_gets_it_back() -> None:
    crowd = Crowd(per_address=2, total=10)
    assert [crowd.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert crowd.enter("192.0.2.2")
    crowd.leave("192.0.2.1")
    assert crowd.enter("192.0.2.1")
    assert len(crowd) == 3


def test_the_addresses_of_one_ipv6_network_share() -> None:
    crowd = Crowd(per_address=2, total=10)
    assert crowd.enter("2001:db8::1")
    assert crowd.enter("2001:db8::2")
    assert not crowd.enter("2001:db8::ffff:3")
    assert crowd.enter("2001:db8:0:1::1")


def test_everybody_together_has_a_bound_too() -> None:
    crowd = Crowd(per_address=2, total=3)
    assert [crowd.enter(f"192.0.2.{number}") for number in range(4)] == [True, True, True, False]
    crowd.leave("192.0.2.0")
    assert crowd.enter("192.0.2.9")


def test_our_own_proxy_counts_for_the_total_only() -> None:
    crowd = Crowd(per_address=1, total=3)
    assert [crowd.enter("10.0.0.1", limited=False) for _ in range(4)] == [True, True, True, False]
    for _ in range(3):
        crowd.leave("10.0.0.1")
    assert len(crowd) == 0
    assert crowd.enter("10.0.0.1")
