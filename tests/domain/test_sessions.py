import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from visiona.domain.ids import SessionId, UserId
from visiona.domain.sessions import (
    DEFAULT_LIMITS,
    PENDING_LOGIN_TTL,
    PendingLogin,
    UserSession,
    secret_hash,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def a_session() -> UserSession:
    return UserSession(
        id=SessionId("s"),
        token_hash="0" * 64,
        user_id=UserId("u"),
        created_at=NOW,
        last_seen_at=NOW,
        idle=DEFAULT_LIMITS.idle,
        absolute_expires_at=NOW + DEFAULT_LIMITS.absolute,
        user_agent="Browser/1",
        address="192.0.2.1",
        issuer="https://id.example",
        subject="ada",
        id_token="eyJ.hush.hush",
    )


def test_a13_an_unused_session_is_over_at_its_idle_limit_and_not_before() -> None:
    session = a_session()
    end = NOW + timedelta(hours=8)
    assert session.idle_expires_at == end
    assert session.is_live(end - TICK)
    assert not session.is_live(end)


def test_a13_a_used_session_is_over_at_its_absolute_limit_and_not_before() -> None:
    session = a_session().touched(NOW + timedelta(hours=7)).touched(NOW + timedelta(hours=14))
    session = session.touched(NOW + timedelta(hours=21))
    end = NOW + timedelta(hours=24)
    assert session.idle_expires_at == end
    assert session.is_live(end - TICK)
    assert not session.is_live(end)


def test_a13_a_use_is_noted_once_a_minute() -> None:
    session = a_session()
    assert not session.is_touch_due(NOW + timedelta(minutes=1) - TICK)
    assert session.is_touch_due(NOW + timedelta(minutes=1))


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    session = a_session()
    assert session.touched(NOW - timedelta(hours=1)) == session
    assert not session.is_touch_due(NOW - timedelta(hours=1))
    assert session.is_live(NOW - timedelta(hours=1))


def test_a_sign_in_under_way_is_over_after_ten_minutes() -> None:
    pending = PendingLogin("s", "b", "n", "v", "/", NOW, NOW + PENDING_LOGIN_TTL)
    assert pending.is_live(NOW + timedelta(minutes=10) - TICK)
    assert not pending.is_live(NOW + timedelta(minutes=10))


def test_only_the_exact_spelling_of_a_secret_is_hashed() -> None:
    text = "aZ0-_" * 8 + "abc"
    assert secret_hash(text) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    ["", "a" * 42, "a" * 44, "a" * 42 + "\n", "a" * 42 + "=", "a" * 42 + "+", "ａ" * 43, "a" * 100_000],
)
def test_a07_what_cannot_be_a_secret_is_none(text: str) -> None:
    assert secret_hash(text) is None


def test_p10_secrets_of_a_session_and_a_sign_in_do_not_print_themselves() -> None:
    pending = PendingLogin("hush", "hush", "hush", "hush", "/", NOW, NOW)
    assert "hush" not in f"{a_session()}{pending}"
    assert "0000" not in f"{a_session()}"
