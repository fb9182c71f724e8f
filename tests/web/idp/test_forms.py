from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from visiona.web.idp.forms import FORM_LIFE, is_sealed, seal

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY, OTHER = OctKey.generate_key(256), OctKey.generate_key(256)
BROWSER, PURPOSE = "b" * 43, b"/idp/link/x"


def test_a_seal_is_good_for_its_browser_its_purpose_and_a_while() -> None:
    sealed = seal(KEY, BROWSER, PURPOSE, NOW)
    assert is_sealed(KEY, sealed, BROWSER, PURPOSE, NOW)
    assert is_sealed(KEY, sealed, BROWSER, PURPOSE, NOW + FORM_LIFE - timedelta(microseconds=1))
    assert not is_sealed(KEY, sealed, BROWSER, PURPOSE, NOW + FORM_LIFE)
    assert not is_sealed(KEY, sealed, "c" * 43, PURPOSE, NOW)
    assert not is_sealed(KEY, sealed, None, PURPOSE, NOW)
    assert not is_sealed(KEY, sealed, BROWSER, PURPOSE + b"y", NOW)
    assert not is_sealed(OTHER, sealed, BROWSER, PURPOSE, NOW)


@pytest.mark.parametrize("changed", [0, 20, 60, -1])
def test_a_seal_that_was_changed_anywhere_is_none(changed: int) -> None:
    sealed = list(seal(KEY, BROWSER, PURPOSE, NOW))
    sealed[changed] = "A" if sealed[changed] != "A" else "B"
    assert not is_sealed(KEY, "".join(sealed), BROWSER, PURPOSE, NOW)


@pytest.mark.parametrize("text", ["", ".", "..", "e30.e30.", "é", "\ud800", "a" * 9999, "a.b.c.d.e"])
def test_what_is_no_seal_is_none(text: str) -> None:
    assert not is_sealed(KEY, text, BROWSER, PURPOSE, NOW)


@pytest.mark.parametrize(
    "claims", [{}, {"form": 1, "exp": 9e9}, {"form": "x", "exp": 9999999999}, {"exp": "x"}]
)
def test_a03_another_token_of_the_same_key_is_no_seal(claims: dict[str, object]) -> None:
    text = jwt.encode({"alg": "HS256"}, claims, KEY, ["HS256"])
    assert not is_sealed(KEY, text, BROWSER, PURPOSE, NOW)


def test_a03_a_token_without_a_signature_is_no_seal() -> None:
    sealed = seal(KEY, BROWSER, PURPOSE, NOW)
    head = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    assert not is_sealed(KEY, f"{head}.{sealed.split('.')[1]}.", BROWSER, PURPOSE, NOW)
