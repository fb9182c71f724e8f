import pytest
from visiona.stores.redis_address import NoAddress, RedisAddress, parsed


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress("cache")),
        ("redis://cache/", RedisAddress("cache")),
        ("redis://cache:7000/3", RedisAddress("cache", 7000, 3)),
        ("redis://[::1]:7000", RedisAddress("::1", 7000)),
        ("redis://:se%2Fcret@cache", RedisAddress("cache", password="se/cret")),
        ("redis://ann:p%40ss@cache", RedisAddress("cache", username="ann", password="p@ss")),
        ("rediss://cache", RedisAddress("cache", is_tls=True)),
        ("rediss://cache/0?ssl_ca_certs=/ca.pem", RedisAddress("cache", is_tls=True, ca_file="/ca.pem")),
    ],
)
def test_an_address_is_read(url: str, address: RedisAddress) -> None:
    assert parsed(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache:6379",
        "http://cache",
        "unix:///run/redis.sock",
        "redis://",
        "redis:///0",
        "redis://cache:port",
        "redis://cache:99999",
        "redis://cache/first",
        "redis://cache/-1",
        "redis://cache/99999999999999",
        "redis://:hu/sh@cache",
        "redis://:hu#sh@cache",
        "redis://:hu[sh@cache",
        "redis://cache?db=1",
        "redis://cache?ssl_ca_certs=/ca.pem",
        "rediss://cache?ssl_cert_reqs=none",
    ],
)
def test_what_is_no_address_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(NoAddress) as caught:
        parsed(url)
    assert "redis" in str(caught.value)
    assert "hu" not in str(caught.value)


def test_an_address_is_shown_without_name_and_password() -> None:
    address = parsed("rediss://ann:hush@[2001:db8::1]:7000/2")
    assert str(address) == "rediss://[2001:db8::1]:7000/2"
    assert "hush" not in repr(address)
