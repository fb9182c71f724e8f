import argon2
import pytest
from visiona.domain.errors import Invalid
from visiona.services.passwords import (
    MAX_PASSWORD_BYTES,
    MIN_PASSWORD_CHARACTERS,
    hash_password,
    needs_rehash,
    verify_password,
)


def test_the_right_password_fits_and_another_does_not() -> None:
    stored = hash_password("correct horse")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "correct horsf")


def test_the_stored_form_is_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first.startswith("$argon2id$")
    assert first != second
    assert "horse" not in first


@pytest.mark.parametrize(
    "password", ["", "x" * (MIN_PASSWORD_CHARACTERS - 1), "x" * (MAX_PASSWORD_BYTES + 1), "\ud800" * 8]
)
def test_a_password_that_is_too_short_too_long_or_no_text_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="password"):
        hash_password(password)


def test_a_password_may_be_as_short_and_as_long_as_the_limits() -> None:
    for password in ("x" * MIN_PASSWORD_CHARACTERS, "x" * MAX_PASSWORD_BYTES):
        assert verify_password(hash_password(password), password)


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_nothing_fits_a_hash_that_is_none(stored: str) -> None:
    assert not verify_password(stored, "correct horse")


def test_a_password_beyond_the_limit_fits_nothing() -> None:
    assert not verify_password(hash_password("correct horse"), "x" * 10_000)


def test_weaker_parameters_are_noticed() -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert needs_rehash(weak)
    assert not needs_rehash(hash_password("correct horse"))
