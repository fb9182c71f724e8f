import pytest
from visiona.web.relay_url import relay_url_from

BOUND = "ws://127.0.0.1:3800"


@pytest.mark.parametrize(
    ("relay", "web", "expected"),
    [
        ("wss://relay.example", "https://x.example", "wss://relay.example"),
        ("https://relay.example:8443/some/path/", None, "https://relay.example:8443"),
        (None, "https://x.example/visiona", "wss://x.example"),
        (None, "http://x.example:3721", "ws://x.example:3721"),
        (None, None, BOUND),
    ],
)
def test_the_base_is_configured_and_has_no_path(relay: str | None, web: str | None, expected: str) -> None:
    assert relay_url_from(relay, web, BOUND) == expected
