import pytest
import trio
import trio.testing
from visiona.agent.sample.accelerators import LISTENER_EVENTS, Accelerators, Refused


async def connected() -> Accelerators:
    accelerators = Accelerators()
    await accelerators.connect("kl520-0")
    return accelerators


async def test_a_dongle_goes_from_detected_to_inferencing_and_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    accelerators = Accelerators()
    assert accelerators.get("kl520-0").status == "detected"
    assert (await accelerators.connect("kl520-0")).status == "connected"
    assert accelerators.inference("kl520-0", start=True).status == "inferencing"
    assert accelerators.inference("kl520-0", start=False).status == "connected"
    assert accelerators.disconnect("kl520-0").status == "detected"


async def test_flashing_reports_its_progress_and_leaves_a_model(
    autojump_clock: trio.testing.MockClock,
) -> None:
    accelerators = await connected()
    steps = [step async for step in accelerators.flash("kl520-0")]
    assert [step.progress for step in steps] == [*range(0, 101, 10), None]
    assert (steps[-1].status, steps[-1].model) == ("connected", "sample-detector")


async def test_a_flash_that_is_left_early_changes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    accelerators = await connected()
    flashing = accelerators.flash("kl520-0")
    await anext(flashing)
    assert accelerators.get("kl520-0").status == "flashing"
    await flashing.aclose()
    one = accelerators.get("kl520-0")
    assert (one.status, one.model, one.progress) == ("connected", None, None)


async def test_what_cannot_be_done_now_is_refused() -> None:
    accelerators = Accelerators()
    with pytest.raises(Refused) as conflict:
        accelerators.inference("kl520-0", start=True)
    assert (conflict.value.status, conflict.value.code) == (409, "CONFLICT")
    with pytest.raises(Refused) as unknown:
        accelerators.get("kl999")
    assert unknown.value.status == 404


async def test_listeners_hear_changes_and_a_deaf_one_holds_nobody_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    accelerators = await connected()
    with accelerators.listen() as changes:
        for number in range(LISTENER_EVENTS * 2):
            accelerators.inference("kl520-0", start=number % 2 == 0)
        assert (await changes.receive())["status"] == "inferencing"
        assert changes.statistics().current_buffer_used == LISTENER_EVENTS - 1
