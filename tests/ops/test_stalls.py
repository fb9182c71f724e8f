import logging
import sys
import threading

import pytest
import trio
from visiona.ops.stalls import QUIET_SECONDS, StallReporter, StallWatch, blocked_stack, watching_stalls


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def tick(watch: StallWatch, clock: Clock, seconds: float) -> None:
    watch.after_io_wait(0)
    clock.now += seconds
    watch.before_io_wait(0)


def test_ticks_below_the_threshold_are_no_stalls() -> None:
    clock = Clock()
    watch = StallWatch(0.1, clock)
    tick(watch, clock, 0.05)
    statistics = watch.statistics()
    assert (statistics.stalls, statistics.stalled_seconds) == (0, 0.0)
    assert statistics.busy_seconds == pytest.approx(0.05)
    assert sum(statistics.counts) == 1


def test_t47_the_time_of_stalls_adds_up_for_whoever_forgives_it() -> None:
    clock = Clock()
    watch = StallWatch(0.1, clock)
    tick(watch, clock, 8.0)
    clock.now += 60  # waiting for sockets is no stall
    tick(watch, clock, 0.5)
    assert watch.stalled_seconds == pytest.approx(8.5)
    assert watch.statistics().worst_seconds == pytest.approx(8.0)


def test_the_end_of_a_wait_that_began_before_it_was_watched_is_ignored() -> None:
    watch = StallWatch()
    watch.before_io_wait(0)
    assert sum(watch.statistics().counts) == 0


def test_a_stall_is_reported_once_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = StallWatch(0.1, clock)
    reporter = StallReporter(watch, threading.get_ident())
    watch.after_io_wait(0)
    reporter.look()
    clock.now += 0.2
    with caplog.at_level(logging.WARNING):
        reporter.look()
        clock.now += QUIET_SECONDS * 2
        reporter.look()
    assert [record.getMessage() for record in caplog.records] == ["the event loop is blocked"]
    assert "test_stalls.py" in vars(caplog.records[0])["at"]


def test_stalls_in_a_row_are_counted_not_logged_each(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = StallWatch(0.1, clock)
    reporter = StallReporter(watch, threading.get_ident())

    def stall() -> None:
        watch.after_io_wait(0)
        clock.now += 0.2
        reporter.look()
        watch.before_io_wait(0)

    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            stall()
        clock.now += QUIET_SECONDS
        stall()
    assert [vars(record)["others"] for record in caplog.records] == [0, 4]


async def test_the_line_that_blocks_the_loop_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = threading.Event()
    seen: list[str] = []

    def note(message: str, extra: dict[str, object]) -> None:
        seen.append(str(extra["at"]))
        reported.set()

    monkeypatch.setattr("visiona.ops.stalls.log.warning", note)

    def block_the_loop() -> None:
        assert reported.wait(10)  # ends as soon as the watching thread has seen it

    with watching_stalls(0.01) as watch:
        await trio.lowlevel.checkpoint()
        block_the_loop()
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert watch.statistics().stalls >= 1
    assert "block_the_loop" in seen[0]
    assert "test_the_line_that_blocks_the_loop_is_named" in seen[0]


def test_the_stack_ends_at_the_loop_and_is_bounded() -> None:
    def deeper(levels: int) -> list[str]:
        return deeper(levels - 1) if levels else blocked_stack(sys._getframe())

    assert len(deeper(50)) == 12
    assert blocked_stack(None) == []
