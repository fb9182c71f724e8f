import pytest
from visiona.domain.listen import ListenAddress, reachable_url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:3721", "127.0.0.1", 3721),
        ("[::]:3721", "::", 3721),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        (":0", None, 0),
        (" localhost:65535 ", "localhost", 65535),
    ],
)
def test_host_and_port_are_read_and_written_back(text: str, host: str | None, port: int) -> None:
    address = ListenAddress.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3721",
        "::1:3721",
        "[::1]",
        "host:",
        "host:x",
        "host:65536",
        "host:9999999999",
        "[host]:1",
        "a b:1",
        "h/:1",
        "u@h:1",
        "host:٣",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected host:port|port must be"):
        ListenAddress.parse(text)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("10.0.0.7", "http://10.0.0.7:1"),
    ],
)
def test_what_listens_everywhere_is_reached_by_loopback(host: str, url: str) -> None:
    assert reachable_url("http", host, 1) == url
