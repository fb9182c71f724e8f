"""The relay as one thing: up, serving, and down again in order."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from visiona.domain.causes import Cause
from visiona.domain.listen import ListenAddress
from visiona.relay.certificates import CertificateUnusable
from visiona.relay.listener import Relay
from visiona.relay.registry import Registry
from visiona.relay.settings import RelaySettings
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores
from visiona.tunnel.session import Tunnel

from tests.relay.test_reception import Counting
from tests.support.nouns import a_home
from tests.support.relays import LOOPBACK, an_agent, knock, pair, running
from tests.support.waiting import until

Clock = trio.testing.MockClock


async def test_tunnels_survive_an_outage_of_the_store(patient_clock: Clock) -> None:
    stores = Counting()
    async with running(stores=stores) as relay:
        paired = await pair(stores, await a_home(stores))
        async with an_agent(relay, paired.token) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            stores.is_down = True
            await trio.sleep(120)
            assert relay.registry.online(paired.device.id)
            assert agent.is_open
            stores.is_down = False


async def test_a_drain_closes_tunnels_with_its_own_cause(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await pair(relay.stores, await a_home(relay.stores))
        async with an_agent(relay, paired.token) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            relay.stopping.set()
            assert relay.registry.say_goodbye() == 1
            assert (await agent.wait_closed()).cause == "agent_closed"
        await until(lambda: relay.registry.last_seen(paired.device.id))
        offline = relay.registry.last_seen(paired.device.id)
        assert offline is not None
        assert offline.cause is Cause.SERVER_DRAIN


@pytest.mark.parametrize(("seconds", "survives"), [(8, True), (15, False)])
async def test_t47_t48_a_standstill_of_the_server_kills_nobody_and_is_blamed_on_the_server(
    patient_clock: Clock, seconds: int, survives: bool
) -> None:
    async with running() as relay:
        paired = await pair(relay.stores, await a_home(relay.stores))
        async with an_agent(relay, paired.token) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            await trio.sleep(20)
            if not survives:
                # What a Go agent does when its ping stays unanswered for ten seconds.
                agent.close("keepalive_timeout")
            patient_clock.jump(seconds)
            await trio.sleep(2)
            if survives:
                assert relay.registry.online(paired.device.id)
            else:
                offline = relay.registry.last_seen(paired.device.id)
                assert offline is not None
                assert (offline.cause, offline.detail) == (Cause.SERVER_STALLED, "agent_closed")


async def test_without_a_standstill_an_agent_that_leaves_is_the_cause(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await pair(relay.stores, await a_home(relay.stores))
        async with an_agent(relay, paired.token) as agent:
            await until(lambda: relay.registry.online(paired.device.id))
            await trio.sleep(20)
            agent.close("keepalive_timeout")
        await until(lambda: relay.registry.last_seen(paired.device.id))
        offline = relay.registry.last_seen(paired.device.id)
        assert offline is not None
        assert offline.cause is Cause.AGENT_CLOSED


async def test_t44_a_herd_that_comes_back_at_once_is_let_in(patient_clock: Clock) -> None:
    settings = replace(LOOPBACK, unauthenticated_per_address=100)
    async with running(settings) as relay:
        home = await a_home(relay.stores)
        herd = [await pair(relay.stores, home) for _ in range(100)]

        async def come(token: str, *, task_status: trio.TaskStatus[Tunnel]) -> None:
            async with an_agent(relay, token) as agent:
                task_status.started(agent)
                await agent.wait_closed()

        async with trio.open_nursery() as nursery:
            for paired in herd:
                nursery.start_soon(nursery.start, come, paired.token)
            await until(lambda: len(relay.registry) == len(herd), 60)
            relay.registry.say_goodbye()


async def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = replace(LOOPBACK, listen=ListenAddress("127.0.0.1", taken.getsockname()[1]))
        async with trio.open_nursery() as nursery:
            relay = a_relay(settings, nursery)
            with pytest.raises(OSError, match="in use"):
                await relay.run()


async def test_a_store_that_is_down_at_the_start_is_an_error_that_leaves_no_port_open() -> None:
    stores = Counting()
    stores.is_down = True
    async with trio.open_nursery() as nursery:
        relay = a_relay(LOOPBACK, nursery, stores)
        with pytest.raises(ExceptionGroup) as caught:
            await relay.run()
        assert caught.group_contains(StoreUnavailable)


async def test_a_certificate_that_is_missing_is_an_error_at_the_start(tmp_path: Path) -> None:
    settings = replace(LOOPBACK, tls_certificate=tmp_path / "none.pem", tls_key=tmp_path / "none.key")
    async with trio.open_nursery() as nursery:
        with pytest.raises(CertificateUnusable):
            a_relay(settings, nursery)


async def test_nothing_but_a_refusal_reaches_the_listener_after_the_stop(patient_clock: Clock) -> None:
    async with running() as relay:
        relay.stopping.set()
        assert (await knock(relay, b"GET /tunnel/connect HTTP/1.1\r\nHost: x\r\n\r\n")).status == 426


def a_relay(settings: RelaySettings, nursery: trio.Nursery, stores: Stores | None = None) -> Relay:
    return Relay(
        settings,
        stores or MemoryStores(),
        Registry(),
        nursery,
        is_stopping=lambda: False,
        apply=lambda notice: None,
        doubt_sessions=lambda: None,
    )
