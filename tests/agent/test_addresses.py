import pytest
from visiona.agent.addresses import Address, AddressInvalid, parse_target, websocket_url


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("https://relay.example", Address(True, "relay.example", 443), "https://relay.example"),
        ("wss://relay.example:3800/", Address(True, "relay.example", 3800), "https://relay.example:3800"),
        ("ws://10.0.0.7:3800", Address(False, "10.0.0.7", 3800), "http://10.0.0.7:3800"),
        (" http://[::1]:3721\n", Address(False, "::1", 3721), "http://[::1]:3721"),
        (
            "https://example.com/visiona/",
            Address(True, "example.com", 443, "/visiona"),
            "https://example.com/visiona",
        ),
        ("http://h:0", Address(False, "h", 0), "http://h:0"),
    ],
)
def test_addresses_are_read_as_people_type_them(text: str, address: Address, shown: str) -> None:
    assert Address.parse(text, "relay") == address
    assert str(address) == shown
    assert Address.parse(shown, "relay") == address


@pytest.mark.parametrize(
    "text",
    [
        "relay.example",
        "",
        "ftp://relay.example",
        "https://",
        "https://user:secret@relay.example",
        "https://relay.example/?token=x",
        "https://relay.example/#top",
        "https://relay.example:99999",
        "https://relay.example:port",
        "https://[::1",
        "https://rel\u0430y.example",
        "https://relay.example/a b",
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence_without_the_secret(text: str) -> None:
    with pytest.raises(AddressInvalid) as refused:
        Address.parse(text, "relay")
    assert "relay address" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["https://127.0.0.1:8443", "http://127.0.0.1:3721/api", "127.0.0.1:3721"])
def test_a_target_is_plain_http_on_a_host_and_a_port(text: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_target(text)
    assert parse_target("http://127.0.0.1:3721").authority == "127.0.0.1:3721"


def test_a_relay_is_shown_as_it_is_configured() -> None:
    assert websocket_url(Address.parse("ws://h:1", "relay")) == "ws://h:1"
    assert websocket_url(Address.parse("https://http.example/a", "relay")) == "wss://http.example/a"
