import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.agent.backoff import (
    HOPELESS_SECONDS,
    LAST_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    STEADY_SECONDS,
    Backoff,
)


def test_delays_double_from_one_to_thirty_seconds() -> None:
    backoff = Backoff()
    assert [backoff.next_seconds(1.0) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_chance_shortens_a_delay_by_up_to_a_half() -> None:
    assert [Backoff().next_seconds(chance) for chance in (0.0, 0.5)] == [0.5, 0.75]


def test_a_thousand_attempts_later_it_still_is_thirty_seconds() -> None:
    assert Backoff(attempts=5000).next_seconds(1.0) == LAST_SECONDS


@given(chance=st.floats(0, 1), asked=st.floats(0, 500), attempts=st.integers(0, 50))
def test_retry_after_is_never_undercut(chance: float, asked: float, attempts: int) -> None:
    waited = Backoff(attempts).next_seconds(chance, asked)
    assert asked <= waited <= max(LAST_SECONDS, asked * 1.25)


@pytest.mark.parametrize("asked", [1e9, -5.0])
def test_a_senseless_retry_after_is_bounded(asked: float) -> None:
    assert 0 < Backoff().next_seconds(1.0, asked) <= MAX_RETRY_AFTER_SECONDS * 1.25


def test_a_hopeless_refusal_is_tried_again_rarely() -> None:
    assert Backoff().next_seconds(0.0, hopeless=True) >= HOPELESS_SECONDS * 0.75


def test_only_a_connection_that_lived_makes_the_next_delay_small_again() -> None:
    backoff = Backoff(attempts=9)
    backoff.lived(STEADY_SECONDS - 1)
    assert backoff.next_seconds(1.0) == LAST_SECONDS
    backoff.lived(STEADY_SECONDS)
    assert backoff.next_seconds(1.0) == 1.0
