from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.rates import KeyedLimiter, Window, address_key

PAIRING = (Window(1, 1), Window(5, 60), Window(20, 3600))


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 20)), min_size=1, max_size=3),
    st.lists(st.integers(0, 8), max_size=80),
)
def test_no_stretch_of_a_window_ever_holds_more_than_its_limit(
    limits: list[tuple[int, int]], pauses: list[int]
) -> None:
    windows = [Window(limit, seconds) for limit, seconds in limits]
    limiter = KeyedLimiter(windows, max_keys=10)
    now, taken = 0.0, []
    for pause in pauses:
        now += pause
        if limiter.take("k", now) == 0.0:
            taken.append(now)
    for window in windows:
        for start in taken:
            assert sum(start <= at < start + window.seconds for at in taken) <= window.limit


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 20)), min_size=1, max_size=3),
    st.lists(st.integers(0, 8), max_size=80),
)
def test_whoever_waits_as_told_is_let_through_and_not_before(
    limits: list[tuple[int, int]], pauses: list[int]
) -> None:
    limiter = KeyedLimiter([Window(limit, seconds) for limit, seconds in limits], max_keys=10)
    now = 0.0
    for pause in pauses:
        now += pause
        wait = limiter.take("k", now)
        if wait > 0.0:
            assert limiter.wait_seconds("k", now + wait - 0.5) > 0.0
            assert limiter.wait_seconds("k", now + wait) == 0.0


def test_all_windows_must_allow() -> None:
    limiter = KeyedLimiter(PAIRING, max_keys=10)
    waits = [limiter.take("k", now) for now in (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)]
    assert waits == [0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 55.0]


def test_a_refusal_costs_nothing() -> None:
    limiter = KeyedLimiter([Window(1, 10)], max_keys=10)
    limiter.take("k", 0.0)
    assert [limiter.take("k", now) for now in (1.0, 5.0, 9.0)] == [9.0, 5.0, 1.0]
    assert limiter.take("k", 10.0) == 0.0


def test_keys_do_not_share_a_limit() -> None:
    limiter = KeyedLimiter([Window(1, 10)], max_keys=10)
    assert limiter.take("a", 0.0) == limiter.take("b", 0.0) == 0.0


def test_charging_counts_also_what_was_not_allowed() -> None:
    limiter = KeyedLimiter([Window(2, 10)], max_keys=10)
    for now in (0.0, 1.0, 2.0):
        limiter.charge("k", now)
    assert limiter.wait_seconds("k", 3.0) == 8.0


def test_the_memory_is_bounded_and_the_longest_silent_key_is_forgotten() -> None:
    limiter = KeyedLimiter([Window(2, 100)], max_keys=2)
    for key in ("a", "b", "a", "c"):
        limiter.charge(key, 0.0)
    assert len(limiter) == 2
    assert [limiter.wait_seconds(key, 1.0) > 0 for key in ("a", "b", "c")] == [True, False, False]


@given(st.lists(st.text(max_size=2), max_size=200))
def test_there_are_never_more_keys_than_allowed(keys: list[str]) -> None:
    limiter = KeyedLimiter([Window(1, 1)], max_keys=5)
    for now, key in enumerate(keys):
        limiter.take(key, float(now))
        assert len(limiter) <= 5


def test_a_forgotten_key_starts_afresh() -> None:
    limiter = KeyedLimiter([Window(1, 10)], max_keys=2)
    limiter.take("k", 0.0)
    limiter.forget("k")
    limiter.forget("never seen")
    assert limiter.take("k", 0.0) == 0.0


@pytest.mark.parametrize(("limit", "seconds"), [(0, 1.0), (1, 0.0), (1, -1.0)])
def test_a_window_that_allows_nothing_is_a_mistake(limit: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="window"):
        Window(limit, seconds)


@pytest.mark.parametrize(("windows", "max_keys"), [([], 1), ([Window(1, 1)], 0)])
def test_a_limiter_without_room_is_a_mistake(windows: list[Window], max_keys: int) -> None:
    with pytest.raises(ValueError, match="limiter"):
        KeyedLimiter(windows, max_keys)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_t09_a_whole_slash_64_is_one_key(address: str, key: str) -> None:
    assert address_key(address) == key


def test_neighbours_beyond_the_slash_64_are_apart() -> None:
    addresses = ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"]
    assert all(address_key(one) != address_key(other) for one, other in pairwise(addresses))
