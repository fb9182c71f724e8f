import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio
import trio.testing
from visiona.agent.addresses import Address
from visiona.agent.backoff import HOPELESS_SECONDS
from visiona.agent.forward import Forwarder
from visiona.agent.run import STOP_GRACE_SECONDS, Agent, sweep_forever
from visiona.agent.settings import AgentSettings
from visiona.agent.status import State, Status
from visiona.tunnel.errors import DialRefused, TunnelClosed


class FakeTunnel:
    """Lives for so long, or until it is retired; offers these streams."""

    def __init__(self, lives_seconds: float = 0.0, streams: int = 0, cause: str = "agent_closed") -> None:
        self.lives_seconds = lives_seconds
        self.streams = streams
        self.cause = cause
        self.retired = trio.Event()
        self.forgiven = 0.0
        self.sweeps = 0

    async def accept(self) -> trio.abc.HalfCloseableStream:
        await trio.lowlevel.checkpoint()
        if not self.streams:
            raise TunnelClosed(self.cause)
        self.streams -= 1
        return trio.testing.memory_stream_pair()[0]

    async def wait_closed(self) -> TunnelClosed:
        with trio.move_on_after(self.lives_seconds):
            await self.retired.wait()
        return TunnelClosed(self.cause)

    def retire(self, cause: str, grace_seconds: float) -> None:
        assert (cause, grace_seconds) == ("agent_closed", STOP_GRACE_SECONDS)
        self.retired.set()

    def sweep(self, now: float) -> None:
        self.sweeps += 1

    def forgive(self, seconds: float) -> None:
        self.forgiven += seconds


class Relay:
    """What each attempt meets, in turn; the last one for ever."""

    def __init__(self, *meets: FakeTunnel | BaseException) -> None:
        self.meets = list(meets)
        self.dialled_at: list[float] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[FakeTunnel]:
        await trio.lowlevel.checkpoint()
        self.dialled_at.append(trio.current_time())
        met = self.meets.pop(0) if len(self.meets) > 1 else self.meets[0]
        if isinstance(met, BaseException):
            raise met
        yield met

    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.dialled_at, self.dialled_at[1:], strict=False)]


class Counting(Forwarder):
    def __init__(self) -> None:
        super().__init__(Address(False, "127.0.0.1", 1), AgentSettings())
        self.served: list[object] = []

    async def serve(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.served.append(stream)
        await trio.lowlevel.checkpoint()


def agent_of(
    connect: Callable[[], AbstractAsyncContextManager[FakeTunnel]], told: list[Status] | None = None
) -> Agent:
    tell = told.append if told is not None else lambda status: None
    return Agent(connect, Counting(), tell=tell, relay="https://r", target="http://t", chance=lambda: 1.0)


async def run_for(seconds: float, relay: Relay, told: list[Status] | None = None) -> None:
    with trio.move_on_after(seconds):
        await agent_of(relay.connect, told).run()


async def test_it_comes_back_after_each_end_at_growing_delays(autojump_clock: trio.testing.MockClock) -> None:
    relay = Relay(FakeTunnel())
    await run_for(100, relay)
    assert relay.gaps()[:6] == pytest.approx([1, 2, 4, 8, 16, 30])


async def test_a_connection_that_lived_makes_the_next_delay_small(
    autojump_clock: trio.testing.MockClock,
) -> None:
    relay = Relay(FakeTunnel(), FakeTunnel(), FakeTunnel(lives_seconds=60), FakeTunnel())
    await run_for(70, relay)
    assert relay.gaps()[:4] == pytest.approx([1, 2, 61, 2])


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(111, "Connection refused"), "cannot be reached: Connection refused"),
        (trio.BrokenResourceError("the relay closed the connection"), "closed the connection"),
        (trio.TooSlowError(), "does not answer"),
    ],
)
async def test_a_relay_that_is_away_is_tried_again_and_why_is_said(
    autojump_clock: trio.testing.MockClock, error: Exception, why: str
) -> None:
    told: list[Status] = []
    relay = Relay(error)
    await run_for(10, relay, told)
    assert len(relay.dialled_at) == 4
    waiting = [status for status in told if status.state is State.WAITING]
    assert why in waiting[0].why
    assert waiting[0].next_attempt_seconds == 1.0


async def test_a_refused_credential_is_tried_again_rarely_and_says_pair_again(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Status] = []
    relay = Relay(DialRefused(401, code="SESSION_TOKEN_EXPIRED"))
    with caplog.at_level(logging.WARNING):
        await run_for(HOPELESS_SECONDS * 2.5, relay, told)
    assert len(relay.dialled_at) == 3
    assert told[1].state is State.REFUSED
    assert told[1].why == "the relay refuses this unit (SESSION_TOKEN_EXPIRED); pair again"
    assert "pair again" in caplog.records[0].getMessage()


async def test_after_a_person_mended_it_a_refused_agent_gets_in(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[Status] = []
    await run_for(HOPELESS_SECONDS * 1.5, Relay(DialRefused(401), FakeTunnel(lives_seconds=1e6)), told)
    assert told[-1].state is State.CONNECTED


@pytest.mark.parametrize("status", [429, 503])
async def test_t41_retry_after_is_respected(autojump_clock: trio.testing.MockClock, status: int) -> None:
    relay = Relay(DialRefused(status, retry_after_seconds=20), FakeTunnel(lives_seconds=1e6))
    await run_for(100, relay)
    assert relay.gaps() == pytest.approx([25.0])


@pytest.mark.parametrize(
    ("status", "words"), [(404, "check the relay URL"), (403, "forbids"), (500, "answered 500")]
)
async def test_other_refusals_are_said_plainly(
    autojump_clock: trio.testing.MockClock, status: int, words: str
) -> None:
    told: list[Status] = []
    await run_for(0.5, Relay(DialRefused(status)), told)
    assert words in told[1].why


async def test_accepted_streams_are_served(autojump_clock: trio.testing.MockClock) -> None:
    forwarder = Counting()
    relay = Relay(FakeTunnel(lives_seconds=50, streams=3), FakeTunnel(lives_seconds=1e6))
    agent = Agent(relay.connect, forwarder, tell=lambda status: None, relay="r", target="t")
    with trio.move_on_after(10):
        await agent.run()
    assert len(forwarder.served) == 3


async def test_stopping_while_it_waits_ends_it_at_once(autojump_clock: trio.testing.MockClock) -> None:
    told: list[Status] = []
    agent = agent_of(Relay(OSError()).connect, told)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(agent.run)
        await trio.sleep(20)
        began = trio.current_time()
        agent.stop()
    assert trio.current_time() == began
    assert told[-1].state is State.STOPPED


async def test_s06_stopping_while_connected_lets_requests_finish_and_does_not_come_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    tunnel = FakeTunnel(lives_seconds=1e6)
    relay = Relay(tunnel)
    agent = agent_of(relay.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(agent.run)
        await trio.sleep(20)
        agent.stop()
    assert tunnel.retired.is_set()
    assert len(relay.dialled_at) == 1


async def test_the_tunnels_timers_are_run(autojump_clock: trio.testing.MockClock) -> None:
    tunnel = FakeTunnel()
    with trio.move_on_after(10.1):
        await sweep_forever(tunnel)
    assert tunnel.sweeps == 20
    assert tunnel.forgiven == 0


async def test_t47_a_stall_of_the_agent_is_not_held_against_the_relay(
    mock_clock: trio.testing.MockClock,
) -> None:
    tunnel = FakeTunnel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sweep_forever, tunnel)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(8.5)
        await trio.testing.wait_all_tasks_blocked()
        assert tunnel.forgiven == pytest.approx(8.0)
        mock_clock.jump(0.5)
        await trio.testing.wait_all_tasks_blocked()
        assert (tunnel.sweeps, tunnel.forgiven) == (2, pytest.approx(8.0))
        nursery.cancel_scope.cancel()
