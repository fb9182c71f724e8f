import pytest
from visiona.wire.yamux.rates import Rate


def test_a_window_takes_its_limit_and_not_one_more() -> None:
    rate = Rate(3, 60.0)
    assert [rate.exceeded(at) for at in (0.0, 1.0, 59.0, 59.9)] == [False, False, False, True]


@pytest.mark.parametrize(("at", "exceeded"), [(69.999, True), (70.0, False)])
def test_the_next_window_begins_with_the_first_event_after_it(at: float, exceeded: bool) -> None:
    rate = Rate(1, 60.0)
    assert not rate.exceeded(10.0)
    assert rate.exceeded(at) is exceeded


def test_an_event_can_count_for_many_or_for_none() -> None:
    rate = Rate(10, 1.0)
    assert not rate.exceeded(0.0, 10)
    assert not rate.exceeded(0.0, 0)
    assert rate.exceeded(0.0, 1)


def test_a_limit_of_zero_allows_nothing() -> None:
    assert Rate(0, 1.0).exceeded(0.0)
