"""Who minds the tunnels, and what a standstill of ours must not cost them."""

import pytest
import trio
import trio.testing
from visiona.tunnel.keepalive import AFTERMATH_SECONDS, BEAT_SECONDS, Pinger

from tests.support.tunnels import ACK, PING, before_a_raw_agent, frame


class Minded:
    def __init__(self) -> None:
        self.swept: list[float] = []
        self.forgiven = 0.0

    def sweep(self, now: float) -> None:
        self.swept.append(now)

    def forgive(self, seconds: float) -> None:
        self.forgiven += seconds


async def test_each_watched_tunnel_is_swept_every_beat_until_it_is_forgotten(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pinger, staying, leaving = Pinger(), Minded(), Minded()
    pinger.watch(staying)
    pinger.watch(leaving)
    async with trio.open_nursery() as nursery:
        await nursery.start(pinger.run)
        await trio.sleep(BEAT_SECONDS * 2.5)
        pinger.forget(leaving)
        pinger.forget(leaving)
        await trio.sleep(BEAT_SECONDS * 2)
        nursery.cancel_scope.cancel()
    assert (len(staying.swept), len(leaving.swept), len(pinger)) == (4, 2, 1)
    assert staying.forgiven == 0


async def test_a_tunnel_that_ends_another_during_a_beat_is_no_trouble() -> None:
    pinger, other = Pinger(), Minded()

    class Ending(Minded):
        def sweep(self, now: float) -> None:
            pinger.forget(other)

    pinger.watch(Ending())
    pinger.watch(other)
    pinger.beat(1.0)
    assert len(pinger) == 1


def test_a_standstill_is_forgiven_and_an_ordinary_delay_is_not() -> None:
    pinger, tunnel = Pinger(), Minded()
    pinger.watch(tunnel)
    pinger.beat(100.0)
    pinger.beat(101.0)
    assert tunnel.forgiven == 0
    pinger.beat(109.5)
    assert tunnel.forgiven == pytest.approx(8.0)
    assert pinger.longest_stall_seconds == pytest.approx(8.0)


def test_t48_a_long_standstill_is_known_before_and_after_it_was_noticed() -> None:
    pinger = Pinger()
    pinger.beat(100.0)
    assert not pinger.stalled_recently(101.0)
    assert pinger.stalled_recently(115.5)
    pinger.beat(115.5)
    assert pinger.stalled_recently(116.0)
    pinger.beat(115.5 + AFTERMATH_SECONDS / 2)
    assert pinger.stalled_recently(115.5 + AFTERMATH_SECONDS / 2)
    pinger.beat(115.5 + AFTERMATH_SECONDS)
    assert not pinger.stalled_recently(115.5 + AFTERMATH_SECONDS)


@pytest.mark.parametrize("seconds", [8.0, 15.0, 60.0])
async def test_t47_a_standstill_of_ours_ends_no_tunnel_and_buys_no_extra_time(
    autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    async with before_a_raw_agent() as (tunnel, agent):
        await agent.say(frame(PING, ACK, 0, 99))
        await trio.sleep(25)
        autojump_clock.jump(seconds)
        await trio.sleep(3)
        assert tunnel.closed is None
        began = trio.current_time()
        assert (await tunnel.wait_closed()).cause == "keepalive_timeout"
        assert trio.current_time() - began < 4
