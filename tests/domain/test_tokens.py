import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.access import Scope
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.tokens import (
    AccessToken,
    SessionToken,
    TokenKind,
    mask,
    token_hash,
    token_prefix,
    token_text,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KINDS = st.sampled_from(TokenKind)
SESSION_TEXT = "vAs_" + "0123456789abcdef" * 4


@given(KINDS, st.data())
def test_what_is_made_is_recognised_by_its_own_kind_only(kind: TokenKind, data: st.DataObject) -> None:
    text = token_text(kind, data.draw(st.binary(min_size=kind.random_bytes, max_size=kind.random_bytes)))
    assert token_hash(text, kind) == hashlib.sha256(text.encode()).hexdigest()
    assert all(token_hash(text, other) is None for other in TokenKind if other is not kind)


@given(KINDS, st.text())
def test_text_that_was_not_made_here_is_no_token(kind: TokenKind, text: str) -> None:
    assert token_hash(text, kind) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TokenKind.PAIRING, "vAc_" + "0" * 32),
        (TokenKind.SESSION, "vAs_" + "0" * 64),
        (TokenKind.ACCESS, "vAp_" + "0" * 64),
        (TokenKind.LINK, "vAo_" + "0" * 64),
    ],
)
def test_the_spelling_of_each_kind_is_fixed(kind: TokenKind, text: str) -> None:
    assert token_text(kind, bytes(kind.random_bytes)) == text


@pytest.mark.parametrize(
    "text",
    [
        SESSION_TEXT[:-1],
        SESSION_TEXT + "0",
        SESSION_TEXT + "\n",
        SESSION_TEXT[:-1] + "\n",
        SESSION_TEXT.upper(),
        SESSION_TEXT.replace("a", "A", 1),
        SESSION_TEXT.replace("vAs_", "vas_"),
        SESSION_TEXT.replace("vAs_", "vAc_"),
        SESSION_TEXT.replace("0", "\uff10"),
        SESSION_TEXT.replace("a", "а"),  # Cyrillic
        " " + SESSION_TEXT[1:],
        "x" * 10_000,
        "",
    ],
)
def test_p05_t05_t06_only_the_exact_spelling_is_a_token(text: str) -> None:
    assert token_hash(SESSION_TEXT, TokenKind.SESSION) is not None
    assert token_hash(text, TokenKind.SESSION) is None


@pytest.mark.parametrize("size", [31, 33])
def test_a_token_is_made_of_exactly_enough_randomness(size: int) -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        token_text(TokenKind.SESSION, bytes(size))


def test_p08_a_list_shows_twelve_characters() -> None:
    assert token_prefix(SESSION_TEXT) == "vAs_01234567"


def test_p10_a_log_shows_at_most_eight_characters() -> None:
    assert mask(SESSION_TEXT) == "vAs_0123…"
    assert mask("vAs_0123") == "…"
    assert mask("") == "…"


@given(st.text())
def test_p10_a_mask_never_shows_all_of_anything(text: str) -> None:
    assert text not in mask(text) or text in ("", "…")


def access_token(expires_at: datetime | None, revoked_at: datetime | None = None) -> AccessToken:
    scopes = frozenset({Scope.PAIRING})
    return AccessToken(TokenId("t"), "h", "p", UserId("u"), "n", scopes, NOW, expires_at, revoked_at)


def test_an_access_token_lives_until_its_very_second() -> None:
    token = access_token(NOW + timedelta(seconds=1))
    assert token.is_live(NOW)
    assert not token.is_live(NOW + timedelta(seconds=1))


def test_an_access_token_without_an_end_lives_until_it_is_revoked() -> None:
    assert access_token(None).is_live(NOW + timedelta(days=10_000))
    assert not access_token(None, revoked_at=NOW).is_live(NOW)


def test_t46_a_session_token_lives_until_its_very_second() -> None:
    ids = (TokenId("t"), "h", "p", UserId("u"), WorkspaceId("w"), DeviceId("d"), None)
    token = SessionToken(*ids, created_at=NOW, expires_at=NOW + timedelta(days=90))
    assert token.is_live(NOW + timedelta(days=90) - timedelta(microseconds=1))
    assert not token.is_live(NOW + timedelta(days=90))
    assert not replace(token, revoked_at=NOW).is_live(NOW)
