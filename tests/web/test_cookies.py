import secrets
import string

import pytest
from visiona.web.cookies import (
    MAX_HEADER_CHARACTERS,
    SESSION_COOKIE,
    SESSION_COOKIE_HTTPS,
    cookie_value,
    opened,
    read,
    seal,
    session_cookie_name,
)

KEY = b"k" * 32
TEXT = "A" * 43
NAME = SESSION_COOKIE


def test_what_was_sealed_is_read_again() -> None:
    for _ in range(20):
        text = secrets.token_urlsafe(32)
        assert read(f"{NAME}={seal(KEY, text)}", NAME, KEY) == text


def test_a07_a_changed_character_anywhere_breaks_the_seal() -> None:
    """Also the last one, whose two spare bits would decode to the same bytes."""
    sealed = seal(KEY, TEXT)
    for place, right in enumerate(sealed):
        for wrong in string.ascii_letters + string.digits + "-_.=+/":
            if wrong != right:
                assert opened(KEY, sealed[:place] + wrong + sealed[place + 1 :]) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        TEXT,
        TEXT + ".",
        seal(KEY, TEXT)[:-1],
        seal(KEY, TEXT) + "=",
        seal(KEY, TEXT) + "A",
        '"' + seal(KEY, TEXT) + '"',
        seal(b"x" * 32, TEXT),
        seal(KEY, TEXT).lower(),
        seal(KEY, TEXT).replace(".", "%2e"),
        "é" * 87,
        TEXT + "." + "é" * 43,
        "A" * 8000,
    ],
)
def test_a07_what_this_key_did_not_seal_is_none(value: str) -> None:
    assert opened(KEY, value) is None


def test_a07_two_cookies_of_the_name_are_none_whatever_their_order() -> None:
    good, bad = f"{NAME}={seal(KEY, TEXT)}", f"{NAME}=planted"
    assert read(f"{good}; {bad}", NAME, KEY) is None
    assert read(f"{bad}; {good}", NAME, KEY) is None
    assert read(f"{good}; {good}", NAME, KEY) is None
    assert read("; ".join([good, *[f"c{number}=x" for number in range(100)]]), NAME, KEY) == TEXT


def test_a07_names_that_only_look_like_it_do_not_count() -> None:
    good = f"{NAME}={seal(KEY, TEXT)}"
    for other in (f"x{NAME}=1", f"{NAME}x=1", NAME.upper() + "=1", NAME, f"__Host-{NAME}=1", f'"{NAME}"=1'):
        assert read(f"{other}; {good}", NAME, KEY) == TEXT
    assert read(f"__Host-{good}", NAME, KEY) is None
    assert read(good, SESSION_COOKIE_HTTPS, KEY) is None


def test_a07_a_quote_hides_no_cookie() -> None:
    """As browsers split it: at each semicolon, whatever quotes say."""
    good = f"{NAME}={seal(KEY, TEXT)}"
    assert read(f'a="b; {good}; c"', NAME, KEY) == TEXT
    assert read(f'a="b; {NAME}=planted; c"; {good}', NAME, KEY) is None


def test_a07_a_cookie_field_of_any_size_costs_little() -> None:
    good = f"{NAME}={seal(KEY, TEXT)}"
    assert cookie_value(good + "; x=" + "y" * MAX_HEADER_CHARACTERS, NAME) is None
    assert cookie_value(None, NAME) is None
    assert cookie_value(f"a=b;{NAME} = \tv ;c", NAME) == "v"


def test_the_host_prefix_comes_with_https() -> None:
    assert session_cookie_name("https://visiona.example") == SESSION_COOKIE_HTTPS
    assert session_cookie_name("HTTPS://visiona.example") == SESSION_COOKIE_HTTPS
    assert session_cookie_name("http://visiona.example") == SESSION_COOKIE
    assert session_cookie_name(None) == SESSION_COOKIE
