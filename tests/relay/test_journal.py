"""Tunnels' ups and downs, on their way to the store."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from visiona.domain.causes import Cause
from visiona.domain.devices import Device, EventKind
from visiona.relay.journal import MAX_REPORTS_PER_DEVICE, QUIET_SECONDS, Journal
from visiona.relay.registry import Registry
from visiona.services import clock
from visiona.services.identify import TunnelSession

from tests.relay.test_reception import Counting
from tests.relay.test_registry import FakeTunnel
from tests.support.nouns import a_home, put

Clock = trio.testing.MockClock


class Desk:
    """A registry whose changes are journalled."""

    def __init__(self, stores: Counting, device: Device) -> None:
        self.stores = stores
        self.device = device
        self.journal = Journal(stores)
        self.registry = Registry()
        self.registry.watchers.append(self.journal.watch)

    def up(self) -> FakeTunnel:
        tunnel = FakeTunnel()
        device = self.device
        session = TunnelSession(
            "t1",
            device.user_id,
            device.workspace_id,
            device.id,
            clock.now(),
        )
        self.registry.admit(tunnel, session, peer_address="192.0.2.1", agent_version="edge/2")
        return tunnel

    def down(self, cause: Cause) -> None:
        for live in self.registry.all():
            self.registry.depart(live, cause)

    async def events(self) -> list[tuple[EventKind, Cause | None]]:
        found = await self.stores.read(lambda tx: tx.device_events.list_of_device(self.device.id, 100))
        return [(event.kind, event.cause) for event in reversed(found)]


@contextlib.asynccontextmanager
async def a_desk() -> AsyncIterator[Desk]:
    stores = Counting()
    home = await a_home(stores)
    device = home.device()
    await put(stores, device)
    desk = Desk(stores, device)
    async with trio.open_nursery() as nursery:
        await nursery.start(desk.journal.run)
        yield desk
        nursery.cancel_scope.cancel()


async def test_what_happened_is_written_soon(autojump_clock: Clock) -> None:
    async with a_desk() as desk:
        desk.up()
        await trio.sleep(1)
        assert await desk.events() == [(EventKind.CONNECTED, None)]
        await trio.sleep(QUIET_SECONDS)
        desk.down(Cause.TCP_RESET)
        await trio.sleep(1)
        assert (await desk.events())[-1] == (EventKind.DISCONNECTED, Cause.TCP_RESET)
        device = await desk.stores.read(lambda tx: tx.devices.get_or_none(desk.device.id))
        assert device is not None
        assert (device.offline_cause, device.agent_version) == (Cause.TCP_RESET, "edge/2")


async def test_a_replacement_leaves_a_line_and_the_device_online(autojump_clock: Clock) -> None:
    async with a_desk() as desk:
        desk.up()
        desk.up()
        await trio.sleep(1)
        assert await desk.events() == [
            (EventKind.CONNECTED, None),
            (EventKind.DISCONNECTED, Cause.REPLACED),
            (EventKind.CONNECTED, None),
        ]
        device = await desk.stores.read(lambda tx: tx.devices.get_or_none(desk.device.id))
        assert device is not None
        assert device.offline_cause is None


async def test_t41_a_flapping_device_costs_a_write_every_few_seconds(autojump_clock: Clock) -> None:
    async with a_desk() as desk:
        for _ in range(200):
            desk.up()
            await trio.sleep(0.05)
            desk.down(Cause.AGENT_CLOSED)
            await trio.sleep(0.05)
        await trio.sleep(QUIET_SECONDS * 2)
        events = await desk.events()
        assert len(events) <= MAX_REPORTS_PER_DEVICE * 6
        assert events[-1] == (EventKind.DISCONNECTED, Cause.AGENT_CLOSED)


async def test_an_outage_of_the_store_loses_nothing_that_matters(autojump_clock: Clock) -> None:
    async with a_desk() as desk:
        desk.stores.is_down = True
        desk.up()
        await trio.sleep(60)
        desk.down(Cause.KEEPALIVE_TIMEOUT)
        await trio.sleep(60)
        desk.stores.is_down = False
        await trio.sleep(10)
        assert await desk.events() == [
            (EventKind.CONNECTED, None),
            (EventKind.DISCONNECTED, Cause.KEEPALIVE_TIMEOUT),
        ]
        assert len(desk.journal) == 0


async def test_the_last_words_are_written_when_the_server_stops(autojump_clock: Clock) -> None:
    async with a_desk() as desk:
        desk.up()
        desk.down(Cause.SERVER_DRAIN)
    assert (await desk.events())[-1] == (EventKind.DISCONNECTED, Cause.SERVER_DRAIN)


async def test_a_store_that_is_down_does_not_keep_the_server_from_stopping(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_desk() as desk:
        desk.up()
        desk.stores.is_down = True
    assert "could not be written" in caplog.text


async def test_an_alarm_is_logged_and_on_record(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_desk() as desk:
        desk.journal.alarm(desk.device.id, "two agents fight")
        await trio.sleep(1)
        assert await desk.events() == [(EventKind.ALARM, None)]
    assert "two agents fight" in caplog.text


async def test_what_waits_is_bounded(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiona.relay.journal.MAX_DEVICES", 1)
    async with a_desk() as desk:
        desk.stores.is_down = True
        for _ in range(20):
            desk.up()
            desk.down(Cause.AGENT_CLOSED)
        desk.journal.alarm("another", "one device too many")
        assert len(desk.journal) == MAX_REPORTS_PER_DEVICE
