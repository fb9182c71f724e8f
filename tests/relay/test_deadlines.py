import pytest
import trio
from trio.testing import MockClock
from visiona.relay.deadlines import MAX_STEP_SECONDS, TICK_SECONDS, Limits, Sweeper


class Noting:
    """Notes when it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def check_deadlines(self, now: float) -> None:
        self.asked.append(now)


def test_everybody_is_asked_at_every_tick_until_forgotten() -> None:
    sweeper, one, two = Sweeper(), Noting(), Noting()
    sweeper.watch(one)
    sweeper.watch(two)
    sweeper.tick(0.5)
    sweeper.forget(two)
    sweeper.tick(0.5)
    assert (one.asked, two.asked) == ([0.5, 1.0], [0.5])
    assert sweeper.watched_count == 1


def test_t47_a_stall_of_our_own_is_not_charged() -> None:
    sweeper, one = Sweeper(), Noting()
    sweeper.watch(one)
    sweeper.tick(60.0)
    assert one.asked == [MAX_STEP_SECONDS]


def test_one_that_ends_another_in_the_same_round_is_the_last_to_be_asked() -> None:
    sweeper, asked = Sweeper(), Noting()

    class Ending:
        def check_deadlines(self, now: float) -> None:
            sweeper.forget(asked)

    sweeper.watch(Ending())
    sweeper.watch(asked)
    sweeper.tick(0.5)
    assert asked.asked == []


async def test_it_ticks_by_itself_twice_a_second(autojump_clock: MockClock) -> None:
    sweeper, one = Sweeper(), Noting()
    sweeper.watch(one)
    async with trio.open_nursery() as nursery:
        await nursery.start(sweeper.run)
        await trio.sleep(10 * TICK_SECONDS + 0.01)
        nursery.cancel_scope.cancel()
    assert one.asked == pytest.approx([TICK_SECONDS * count for count in range(1, 11)])


def test_limits_of_nothing_are_faults() -> None:
    assert Limits().check() == []
    assert Limits(idle_seconds=0).check() == ["idle_seconds must be more than 0"]
