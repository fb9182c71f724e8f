import pytest
import trio
import trio.testing
from visiona.domain.ids import DeviceId, LoadId
from visiona.relay.turns import Turns

ONE, OTHER = DeviceId("one"), DeviceId("other")


async def test_tasks_that_are_started_together_come_in_the_order_of_the_line() -> None:
    turns, done = Turns(), list[str]()
    names = [LoadId(str(number)) for number in range(50)]

    async def take(name: LoadId) -> None:
        await turns.wait(ONE, name)
        done.append(name)
        await trio.testing.wait_all_tasks_blocked()
        turns.leave(ONE, name)

    for name in names:
        turns.line_up(ONE, name)
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(take, name)
    assert done == names
    assert len(turns) == 0


async def test_devices_do_not_wait_for_each_other_and_who_gives_up_makes_room() -> None:
    turns = Turns()
    first, second, third = LoadId("1"), LoadId("2"), LoadId("3")
    for name in (first, second, third):
        turns.line_up(ONE, name)
    turns.line_up(OTHER, first)
    await turns.wait(ONE, first)
    await turns.wait(OTHER, first)
    turns.leave(ONE, second)
    with trio.move_on_after(0.01) as patience:
        await turns.wait(ONE, third)
    assert patience.cancelled_caught
    turns.leave(ONE, first)
    await turns.wait(ONE, third)
    for device, name in ((ONE, third), (ONE, third), (OTHER, first)):
        turns.leave(device, name)
    assert len(turns) == 0
    with pytest.raises(KeyError):
        await turns.wait(ONE, third)
