from visiona.wire.yamux.pings import MOST_SAMPLES, MOST_WAITING, Pings


def test_an_answer_tells_its_round_trip_once() -> None:
    pings = Pings()
    opaque = pings.sent(10.0)
    assert pings.acked(opaque, 10.25) == 0.25
    assert pings.rtt_seconds == 0.25
    assert pings.acked(opaque, 10.5) is None


def test_nothing_is_known_before_the_first_answer() -> None:
    pings = Pings()
    pings.sent(0.0)
    assert pings.rtt_seconds is None


def test_answers_to_what_was_never_asked_are_not_counted() -> None:
    pings = Pings()
    assert pings.acked(77, 1.0) is None
    assert pings.rtt_seconds is None


def test_each_ping_has_its_own_value() -> None:
    pings = Pings()
    assert len({pings.sent(0.0) for _ in range(5)}) == 5


def test_the_round_trip_is_the_best_of_the_last_answers() -> None:
    pings = Pings()
    for rtt in (0.5, 0.1, 0.9):
        pings.acked(pings.sent(0.0), rtt)
    assert pings.rtt_seconds == 0.1
    for _ in range(MOST_SAMPLES):
        pings.acked(pings.sent(0.0), 0.3)
    assert pings.rtt_seconds == 0.3


def test_unanswered_pings_are_bounded_and_the_oldest_is_given_up() -> None:
    pings = Pings()
    sent = [pings.sent(0.0) for _ in range(MOST_WAITING + 1)]
    assert pings.acked(sent[0], 1.0) is None
    assert pings.acked(sent[1], 1.0) == 1.0


def test_a_clock_that_stands_still_gives_no_negative_round_trip() -> None:
    pings = Pings()
    assert pings.acked(pings.sent(5.0), 4.0) == 0.0
