from typing import Any

import pytest
from visiona.integrations.interface import ProviderUnavailable
from visiona.integrations.oidc.metadata import discovery_url, is_endpoint, metadata_from

ISSUER = "https://idp.example/realm"
GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "jwks_uri": "https://keys.example/jwks",
}


def test_what_is_not_said_has_the_defaults_of_the_standard() -> None:
    found = metadata_from(GOOD, ISSUER)
    assert found.client_authentication == {"client_secret_basic"}
    assert (found.userinfo_endpoint, found.end_session_endpoint, found.names_itself) == (None, None, False)


@pytest.mark.parametrize("issuer", [ISSUER, ISSUER + "/"])
def test_the_document_is_below_the_issuer(issuer: str) -> None:
    assert discovery_url(issuer) == ISSUER + "/.well-known/openid-configuration"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [None, 7, "", "http://idp.example/x", "https://169.254.169.254/x", "/x"])
def test_an_endpoint_that_is_needed_must_be_usable(name: str, value: Any) -> None:
    with pytest.raises(ProviderUnavailable, match=name):
        metadata_from({**GOOD, name: value}, ISSUER)


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/x",
        "ftp://idp.example/x",
        "javascript:alert(1)",
        "https://user@idp.example/x",
        "https://user:pass@idp.example/x",
        "https://idp.example/x#fragment",
        "https://idp.example/x y",
        "https://idp.example/x\r\nSet-Cookie: a=b",
        "https://idp.example\\@evil.example/",
        "https:///x",
        "https://",
        "//idp.example/x",
        "https://[::1/x",
        "https://idp.example:99999/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
        "https://idp.example/é",
        "https://idp.example/" + "x" * 2048,
    ],
)
def test_a09_an_address_that_is_not_to_be_used(url: str) -> None:
    assert not is_endpoint(url, ISSUER)


@pytest.mark.parametrize(
    ("url", "issuer"),
    [
        ("https://idp.example/x?tenant=a", ISSUER),
        ("https://keys.example:8443/x", ISSUER),
        ("https://10.0.0.7/x", "https://10.0.0.7"),
        ("http://127.0.0.1:3721/idp/token", "http://127.0.0.1:3721/idp"),
        ("https://idp.example/x", "http://127.0.0.1:3721/idp"),
        ("https://127.0.0.1/x", "https://127.0.0.1/y"),
    ],
)
def test_an_address_that_may_be_used(url: str, issuer: str) -> None:
    assert is_endpoint(url, issuer)
