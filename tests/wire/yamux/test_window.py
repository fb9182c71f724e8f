import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits
from visiona.wire.yamux.window import Budget, Terms, Window

HALF = INITIAL_WINDOW_BYTES // 2


def window(budget_bytes: int = 1 << 30, **limits: int) -> Window:
    return Window(Terms(Limits(**limits), Budget(budget_bytes)))


def use(subject: Window, count: int, now: float, rtt: float | None = None) -> int:
    assert subject.receive(count)
    return subject.consume(count, now, rtt)


def test_t22_the_window_takes_its_last_byte_and_not_one_more() -> None:
    subject = window()
    assert not subject.receive(INITIAL_WINDOW_BYTES + 1)
    assert subject.receive(INITIAL_WINDOW_BYTES)
    assert not subject.receive(1)


def test_a_refused_receive_changes_nothing() -> None:
    subject = window()
    assert not subject.receive(0xFFFFFFFF)
    assert (subject.credit, subject.held) == (INITIAL_WINDOW_BYTES, 0)


@pytest.mark.parametrize(("count", "grant"), [(HALF - 1, 0), (HALF, HALF), (HALF + 1, HALF + 1)])
def test_credit_goes_back_from_half_a_window_on(count: int, grant: int) -> None:
    subject = window()
    assert use(subject, count, 0.0) == grant


def test_only_what_was_consumed_is_granted_again() -> None:
    subject = window()
    subject.receive(INITIAL_WINDOW_BYTES)
    assert subject.consume(HALF, 0.0, None) == HALF
    assert subject.credit == HALF
    assert subject.held == HALF


@pytest.mark.parametrize("count", [11, -1])
def test_consuming_what_is_not_there_is_a_bug_of_ours(count: int) -> None:
    subject = window()
    subject.receive(10)
    with pytest.raises(LocalProtocolError):
        subject.consume(count, 0.0, None)


def test_a_window_used_up_within_four_round_trips_doubles() -> None:
    subject = window()
    use(subject, 1, 0.0, 0.1)
    assert use(subject, INITIAL_WINDOW_BYTES - 1, 0.39, 0.1) == 2 * INITIAL_WINDOW_BYTES
    assert subject.size == 2 * INITIAL_WINDOW_BYTES


@pytest.mark.parametrize(("seconds", "grows"), [(0.199, True), (0.2, False), (0.201, False)])
def test_half_a_window_has_half_the_time(seconds: float, grows: bool) -> None:
    subject = window()
    use(subject, HALF, 0.0, 0.1)
    use(subject, HALF, seconds, 0.1)
    assert (subject.size > INITIAL_WINDOW_BYTES) is grows


def test_nothing_grows_before_a_round_trip_is_known() -> None:
    subject = window()
    for at in range(10):
        use(subject, HALF, at * 1e-6, None)
    assert subject.size == INITIAL_WINDOW_BYTES


def test_the_first_grant_has_no_pace_and_does_not_grow() -> None:
    subject = window()
    assert use(subject, HALF, 0.0, 10.0) == HALF


@pytest.mark.parametrize("most", [INITIAL_WINDOW_BYTES, 3 * INITIAL_WINDOW_BYTES, 16 << 20])
def test_growth_stops_exactly_at_the_cap(most: int) -> None:
    subject = window(max_window_bytes=most)
    for at in range(20):
        use(subject, subject.credit, at * 1e-6, 1.0)
    assert subject.size == most


def test_growth_stops_where_the_budget_ends() -> None:
    subject = window(budget_bytes=4 * INITIAL_WINDOW_BYTES)
    for at in range(20):
        use(subject, subject.credit, at * 1e-6, 1.0)
    assert subject.size == 4 * INITIAL_WINDOW_BYTES


def test_release_gives_the_growth_back_once() -> None:
    budget = Budget(1 << 30)
    subject = Window(Terms(Limits(), budget))
    for at in range(3):
        use(subject, subject.credit, at * 1e-6, 1.0)
    assert budget.taken_bytes == 3 * INITIAL_WINDOW_BYTES
    subject.release()
    subject.release()
    assert budget.taken_bytes == 0


def test_a_larger_initial_window_is_no_growth() -> None:
    budget = Budget(0)
    subject = Window(Terms(Limits(initial_window_bytes=1 << 20, max_window_bytes=1), budget))
    assert subject.credit == 1 << 20
    assert use(subject, 1 << 20, 0.0, 1.0) == 1 << 20
    subject.release()
    assert budget.taken_bytes == 0


def test_t25_credit_is_taken_up_to_the_limit_and_not_one_more() -> None:
    subject = window(max_send_credit_bytes=INITIAL_WINDOW_BYTES + 10)
    assert subject.credited(10)
    assert not subject.credited(1)
    assert subject.send_credit == INITIAL_WINDOW_BYTES + 10


def test_cve_2026_31814_credit_never_wraps() -> None:
    subject = window()
    assert not subject.credited(0xFFFFFFFF)
    assert subject.credited((1 << 30) - INITIAL_WINDOW_BYTES)
    assert not subject.credited(0x7FFFFFFF)
    assert subject.send_credit == 1 << 30


def test_what_is_queued_is_taken_from_the_credit() -> None:
    subject = window()
    subject.spend(INITIAL_WINDOW_BYTES)
    assert subject.send_credit == 0
    with pytest.raises(AssertionError):
        subject.spend(1)


def test_a_budget_gives_all_or_nothing() -> None:
    budget = Budget(10)
    assert budget.take(10)
    assert not budget.take(1)
    budget.give(4)
    assert budget.take(4)
    with pytest.raises(AssertionError):
        budget.give(11)


def test_a_child_takes_from_its_parent_too_or_from_neither() -> None:
    parent = Budget(10)
    one, two = Budget(8, parent), Budget(8, parent)
    assert one.take(8)
    assert not two.take(3)
    assert (two.taken_bytes, parent.taken_bytes) == (0, 8)
    one.give(8)
    assert parent.taken_bytes == 0


@given(
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 1 << 20), st.floats(0, 1)), max_size=60),
    st.floats(0.0001, 2),
)
def test_credit_never_exceeds_the_cap(steps: list[tuple[int, int, float]], rtt: float) -> None:
    budget = Budget(3 << 20)
    most = 2 << 20
    subject = Window(Terms(Limits(max_window_bytes=most), budget))
    now = 0.0
    for sent, consumed, passed in steps:
        now += passed
        subject.receive(min(sent, subject.credit))
        subject.consume(min(consumed, subject.held), now, rtt)
        assert 0 <= subject.credit + subject.held <= subject.size <= most
        assert budget.taken_bytes == subject.size - INITIAL_WINDOW_BYTES
    subject.release()
    assert budget.taken_bytes == 0
