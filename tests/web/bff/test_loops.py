import trio
from trio.testing import MockClock
from visiona.web.bff.loops import Loops


async def test_a08_five_rounds_in_a_minute_are_a_circle(autojump_clock: MockClock) -> None:
    loops = Loops()
    for _ in range(5):
        assert loops.wait_seconds("b") == 0
        loops.completed("b")
        await trio.sleep(1)
    assert 50 < loops.wait_seconds("b") < 60
    assert loops.wait_seconds("other") == 0
    await trio.sleep(60)
    assert loops.wait_seconds("b") == 0


async def test_a08_a_person_who_says_again_gets_another_try() -> None:
    loops = Loops()
    for _ in range(5):
        loops.completed("b")
    loops.forget("b")
    assert loops.wait_seconds("b") == 0
