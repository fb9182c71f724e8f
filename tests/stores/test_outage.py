import pytest
from visiona.stores.outage import PROBE_SECONDS, SILENCES, Outage


def an_outage() -> Outage:
    """A server that was heard at 0 and has been silent since; found out at 2."""
    outage = Outage()
    outage.heard(0.0)
    for _ in range(SILENCES):
        outage.waited_in_vain(0.1, 2.1)
    assert outage.is_out
    return outage


def test_one_who_waited_in_vain_says_nothing_about_the_server() -> None:
    outage = Outage()
    assert not outage.waited_in_vain(0.0, 2.0)
    assert not outage.is_out


def test_it_is_out_when_several_waited_in_vain_and_nothing_was_heard() -> None:
    outage = Outage()
    told = [outage.waited_in_vain(0.0, 2.0) for _ in range(4)]
    assert told == [False, True, False, False]
    assert outage.is_out


def test_one_that_was_never_heard_can_be_out_too() -> None:
    outage = Outage()
    outage.waited_in_vain(0.0, 2.0)
    outage.waited_in_vain(2.0, 4.0)
    assert outage.is_out


def test_a_slow_question_or_a_lock_is_no_silence_while_others_are_answered() -> None:
    outage = Outage()
    for second in range(100):
        outage.heard(second + 0.5)
        assert not outage.waited_in_vain(float(second), second + 2.0)
    assert not outage.is_out


def test_an_answer_between_two_who_waited_in_vain_starts_the_count_again() -> None:
    outage = Outage()
    outage.waited_in_vain(0.0, 2.0)
    outage.heard(2.5)
    outage.waited_in_vain(3.0, 5.0)
    assert not outage.is_out
    outage.waited_in_vain(3.0, 5.0)
    assert outage.is_out


def test_the_first_sign_of_life_ends_it_and_says_how_long_it_was() -> None:
    outage = an_outage()
    assert outage.heard(7.1) == pytest.approx(5.0)
    assert not outage.is_out
    assert outage.heard(7.2) is None


def test_one_probe_at_a_time_and_not_more_than_one_a_second() -> None:
    outage = an_outage()
    assert outage.begin_probe(3.0)
    assert not outage.begin_probe(3.0)
    assert not outage.begin_probe(30.0)
    outage.end_probe()
    assert not outage.begin_probe(3.0 + PROBE_SECONDS - 0.01)
    assert outage.begin_probe(3.0 + PROBE_SECONDS)


def test_a_server_that_is_not_out_is_not_probed() -> None:
    outage = Outage()
    assert not outage.begin_probe(0.0)
    outage.waited_in_vain(0.0, 2.0)
    assert not outage.begin_probe(2.0)


def test_the_next_outage_is_found_like_the_first() -> None:
    outage = an_outage()
    assert outage.begin_probe(3.0)
    outage.heard(3.1)
    outage.end_probe()
    assert not outage.waited_in_vain(4.0, 6.0)
    assert outage.waited_in_vain(4.0, 6.0)
    assert outage.begin_probe(6.0)
