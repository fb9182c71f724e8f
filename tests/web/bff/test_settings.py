from datetime import timedelta

import pytest
from visiona.web.bff.settings import OidcSettings, SessionSettings


def test_the_defaults_are_fine_and_are_the_documented_limits() -> None:
    assert OidcSettings().check() == SessionSettings().check() == []
    assert SessionSettings().limits.idle == timedelta(hours=8)
    assert SessionSettings().limits.absolute == timedelta(hours=24)


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        (SessionSettings(idle_seconds=59), "idle_seconds"),
        (SessionSettings(idle_seconds=31 * 86400, absolute_seconds=31 * 86400), "idle_seconds"),
        (SessionSettings(idle_seconds=7200, absolute_seconds=7199), "absolute_seconds"),
        (SessionSettings(absolute_seconds=31 * 86400), "absolute_seconds"),
        (SessionSettings(key="k" * 31), "key"),
        (OidcSettings(issuer="id.example"), "issuer"),
        (OidcSettings(client_id=""), "client_id"),
        (OidcSettings(scopes="email"), "scopes"),
    ],
)
def test_a_value_beyond_its_limit_is_a_fault_that_names_it(
    settings: SessionSettings | OidcSettings, about: str
) -> None:
    assert any(about in fault for fault in settings.check())


def test_p10_secrets_do_not_print_themselves() -> None:
    assert "hush" not in f"{SessionSettings(key='hush' * 9)}{OidcSettings(client_secret='hush')}"
