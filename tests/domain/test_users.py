from dataclasses import replace
from datetime import UTC, datetime

import pytest
from visiona.domain.errors import Invalid
from visiona.domain.ids import UserId
from visiona.domain.users import MAX_EMAIL_CHARACTERS, User, account_of, normalised_email

ADA = User(UserId("u1"), "ada@example.com", "Ada", None, False, datetime(2030, 1, 1, tzinfo=UTC), None)


@pytest.mark.parametrize("text", ["Ada@Example.COM", "  ada@example.com\n", "ADA@EXAMPLE.COM"])
def test_an_address_has_one_spelling(text: str) -> None:
    assert normalised_email(text) == "ada@example.com"


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@example.com", "ada@", "a@b@c", "a b@example.com", "a@exam\nple.com", "<a@b>", "a@b,c@d", "a\x00@b",
     "a\u202e@b", "a\ud800@b"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="email"):
        normalised_email(text)


def test_an_address_is_as_long_as_mail_allows_and_no_longer() -> None:
    longest = "a" * (MAX_EMAIL_CHARACTERS - 2) + "@b"
    assert normalised_email(longest) == longest
    with pytest.raises(Invalid):
        normalised_email("a" + longest)


def test_p10_a_password_hash_is_not_shown_in_a_traceback() -> None:
    assert "argon" not in repr(replace(ADA, password_hash="$argon2id$x"))


def test_an_agent_is_told_the_address_else_one_made_of_the_id() -> None:
    assert account_of(ADA) == "ada@example.com"
    assert account_of(replace(ADA, email="")) == "u1@visiona.local"
