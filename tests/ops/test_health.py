from datetime import UTC, datetime, timedelta

import pytest
import trio
from visiona.ops.health import Health, HealthBoard, HealthSettings, check_forever, check_once
from visiona.stores.errors import StoreUnavailable

START = datetime(2026, 1, 1, tzinfo=UTC)


class Stores:
    """Answers, refuses or stays silent, as it is told."""

    def __init__(self) -> None:
        self.error: StoreUnavailable | None = None
        self.silent = False
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        await trio.lowlevel.checkpoint()
        if self.silent:
            await trio.sleep_forever()
        if self.error is not None:
            raise self.error


class Registry:
    def __init__(self, count: int = 0) -> None:
        self.count = count

    def all(self) -> list[object]:
        return [object()] * self.count


class Wall:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def test_nothing_is_ready_before_the_first_check() -> None:
    assert not HealthBoard().snapshot().ready


def test_one_vital_failure_makes_it_unready_and_is_named() -> None:
    board = HealthBoard()
    board.report("database", ok=False, why="gone")
    board.report("loop", ok=False, why="late", vital=False)
    health = board.snapshot()
    assert not health.ready
    assert health.failing == ["database"]
    board.report("database", ok=True)
    assert board.snapshot().ready


def test_since_stays_while_the_state_does() -> None:
    wall = Wall()
    board = HealthBoard(wall)
    board.report("database", ok=False, why="a")
    wall.now += timedelta(seconds=5)
    board.report("database", ok=False, why="b")
    check = board.snapshot().checks["database"]
    assert (check.since, check.why) == (START, "b")
    board.report("database", ok=True)
    assert board.snapshot().checks["database"].since == wall.now


def test_s06_draining_is_unready_at_once_whatever_the_checks_say() -> None:
    board = HealthBoard()
    board.report("database", ok=True)
    board.drain()
    health = board.snapshot()
    assert health.draining
    assert not health.ready


def test_subscribers_hear_of_changes_only_until_they_leave() -> None:
    board = HealthBoard()
    heard: list[Health] = []
    with board.subscribe(heard.append):
        board.report("database", ok=True)
        board.report("database", ok=True)
        board.report("database", ok=False)
        board.drain()
        board.drain()
    board.report("database", ok=True)
    assert [health.ready for health in heard] == [True, False, False]


async def test_the_board_is_filled_before_the_checker_counts_as_started(
    autojump_clock: trio.testing.MockClock,
) -> None:
    board, stores = HealthBoard(), Stores()
    async with trio.open_nursery() as nursery:
        await nursery.start(check_forever, HealthSettings(), board, Registry(3), {"database": stores.ping})
        health = board.snapshot()
        nursery.cancel_scope.cancel()
    assert health.ready
    assert health.checks["tunnels"].why == "3 connected"


async def test_a_store_that_refuses_is_unready_and_recovers(autojump_clock: trio.testing.MockClock) -> None:
    board, stores, settings = HealthBoard(), Stores(), HealthSettings()
    async with trio.open_nursery() as nursery:
        await nursery.start(check_forever, settings, board, Registry(), {"database": stores.ping})
        stores.error = StoreUnavailable("the database is away")
        await trio.sleep(settings.interval_seconds * 1.5)
        assert board.snapshot().checks["database"].why == "the database is away"
        assert not board.snapshot().ready
        stores.error = None
        await trio.sleep(settings.interval_seconds)
        assert board.snapshot().ready
        nursery.cancel_scope.cancel()


async def test_a_store_that_never_answers_is_unready_within_its_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    board, stores, settings = HealthBoard(), Stores(), HealthSettings()
    stores.silent = True
    started = trio.current_time()
    await check_once(settings, board, Registry(), {"database": stores.ping})
    assert trio.current_time() - started == pytest.approx(settings.store_seconds)
    assert board.snapshot().failing == ["database"]


async def test_each_store_is_asked_by_itself_and_none_waits_for_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    board, settings, database, redis = HealthBoard(), HealthSettings(), Stores(), Stores()
    redis.silent = True
    pings = {"redis": redis.ping, "database": database.ping}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(check_once, settings, board, Registry(), pings)
        await trio.sleep(settings.store_seconds / 2)
        assert board.snapshot().checks["database"].ok
    assert board.snapshot().failing == ["redis"]
    database.error, redis.silent = StoreUnavailable("away"), False
    await check_once(settings, board, Registry(), pings)
    assert board.snapshot().failing == ["database"]


async def test_what_a_store_that_answers_should_be_known_for_is_noted() -> None:
    board = HealthBoard()

    async def ping() -> str:
        await trio.lowlevel.checkpoint()
        return "it may forget sessions when its memory is full"

    await check_once(HealthSettings(), board, Registry(), {"redis": ping})
    check = board.snapshot().checks["redis"]
    assert (check.ok, check.why) == (True, "it may forget sessions when its memory is full")


async def test_a_late_event_loop_is_said_and_does_not_make_it_unready(
    mock_clock: trio.testing.MockClock,
) -> None:
    board, settings = HealthBoard(), HealthSettings()
    async with trio.open_nursery() as nursery:
        await nursery.start(check_forever, settings, board, Registry(), {"database": Stores().ping})
        assert not board.snapshot().checks["event_loop"].vital
        mock_clock.jump(settings.interval_seconds + 5)
        await trio.testing.wait_all_tasks_blocked()
        check = board.snapshot().checks["event_loop"]
        nursery.cancel_scope.cancel()
    assert (check.ok, check.why) == (False, "it runs 5.0 s late")
    assert board.snapshot().ready


def test_settings_that_make_no_sense_are_all_named() -> None:
    assert HealthSettings().check() == []
    assert len(HealthSettings(0, -1, 0).check()) == 3
