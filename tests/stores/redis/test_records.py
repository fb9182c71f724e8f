from dataclasses import replace
from datetime import UTC, datetime, timedelta

from visiona.stores.redis.records import (
    digest_of,
    from_pending,
    from_session,
    to_micros,
    to_moment,
    to_pending,
    to_session,
    to_sessions,
    to_span,
)

from tests.support.nouns import NOW, Home, a_user, a_workspace

LAST = datetime(2200, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)


def test_a_moment_is_kept_to_the_microsecond() -> None:
    assert to_moment(to_micros(LAST)) == LAST
    assert to_span(timedelta(days=30, microseconds=1)) == 30 * 86_400_000_000 + 1
    # Lua counts with doubles.
    assert float(to_micros(LAST)) == to_micros(LAST)


def test_a_session_comes_back_as_it_went_in() -> None:
    user = a_user()
    home = Home(user, a_workspace(user.id))
    plain = home.session()
    odd = replace(home.session(idp_sid="s"), id_token="eyJ", user_agent="\N{SNOWMAN}\x00\ud800", subject="")
    for session in (plain, odd):
        used = session.touched(NOW + timedelta(microseconds=1))
        data = from_session(session).encode()
        assert to_session(data, str(to_micros(used.last_seen_at)).encode()) == used
    pairs = [
        part for each in (plain, odd) for part in (from_session(each).encode(), str(to_micros(NOW)).encode())
    ]
    assert [each.id for each in to_sessions(pairs)] == [plain.id, odd.id]


def test_a_sign_in_under_way_comes_back_as_it_went_in() -> None:
    from tests.stores.contract.test_pending_logins import pending

    attempt = pending()
    assert to_pending(from_pending(attempt).encode()) == attempt


def test_words_are_told_apart_by_their_digest() -> None:
    assert digest_of("a", "bc") != digest_of("ab", "c")
    assert digest_of("\ud800") != digest_of("\ud801")
    assert digest_of("a") == digest_of("a")
    assert len(digest_of("a" * 10_000)) == 64
