from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from visiona.domain.ids import TokenId, UserId, WorkspaceId
from visiona.domain.pairing import (
    PAIRING_TOKEN_TTL,
    REPLAY_WINDOW,
    Expired,
    PairingToken,
    Redeemable,
    Revoked,
    Used,
    judge,
    may_replay,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FRESH = PairingToken(
    id=TokenId("t"),
    hash="h",
    prefix="vAc_01234567",
    user_id=UserId("u"),
    workspace_id=WorkspaceId("w"),
    name=None,
    created_at=NOW,
    expires_at=NOW + PAIRING_TOKEN_TTL,
)
USED = replace(FRESH, used_at=NOW, replay_hash="k")


def test_a_fresh_token_may_be_exchanged() -> None:
    assert judge(FRESH, NOW) == Redeemable()


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (14 * 60 + 59.9, Redeemable()),
        (15 * 60, Expired(FRESH.expires_at)),
        (15 * 60 + 0.1, Expired(FRESH.expires_at)),
    ],
)
def test_p04_the_stored_expiry_is_the_judge(seconds: float, verdict: Redeemable | Expired) -> None:
    assert judge(FRESH, NOW + timedelta(seconds=seconds)) == verdict


def test_the_most_telling_answer_wins() -> None:
    late = NOW + timedelta(hours=1)
    assert judge(USED, late) == Used(NOW)
    assert judge(replace(USED, revoked_at=late), late) == Revoked(late)


def test_p03_an_exchange_may_be_repeated_with_its_key_for_a_minute() -> None:
    assert may_replay(USED, "k", NOW)
    assert may_replay(USED, "k", NOW + REPLAY_WINDOW - timedelta(microseconds=1))
    assert not may_replay(USED, "k", NOW + REPLAY_WINDOW)


@pytest.mark.parametrize(
    ("token", "key"),
    [
        (USED, "other"),
        (USED, None),
        (FRESH, "k"),
        (replace(USED, replay_hash=None), None),
        (replace(USED, revoked_at=NOW), "k"),
    ],
)
def test_p03_nothing_else_may_repeat_it(token: PairingToken, key: str | None) -> None:
    assert not may_replay(token, key, NOW)
