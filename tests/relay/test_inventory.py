"""Asking agents what they have, through their own tunnels."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable

import pytest
import trio
import trio.testing
from visiona.domain.devices import AcceleratorStatus, Device
from visiona.domain.ids import DeviceId
from visiona.relay.inventory import AGAIN_SECONDS, MAX_BODY_BYTES
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.session import Tunnel

from tests.relay.test_reception import Counting
from tests.support.nouns import a_home
from tests.support.relays import Paired, Running, an_agent, pair, running
from tests.support.waiting import until

Clock = trio.testing.MockClock
Answer = Callable[[str], bytes]

DEVICES = {"data": [{"id": "kl520-0", "type": "KL520", "status": "detected"}]}


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def well_behaved(path: str) -> bytes:
    answers = {"/api/system/info": {"data": {"version": "3.1"}}, "/api/devices": DEVICES}
    return http(json.dumps(answers[path]).encode())


async def serve(agent: Tunnel, answer: Answer, asked: list[str]) -> None:
    async def one(stream: TunnelStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        path = head.split(b" ")[1].decode()
        asked.append(path)
        await stream.send_all(answer(path))
        await stream.send_eof()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        while True:
            try:
                nursery.start_soon(one, await agent.accept())
            except TunnelClosed:
                return


async def device_of(relay: Running, paired: Paired) -> Device:
    device = await relay.stores.read(lambda tx: tx.devices.get_or_none(paired.device.id))
    assert device is not None
    return device


async def asked_when_up(relay: Running, answer: Answer) -> tuple[Device, list[str]]:
    paired, asked = await pair(relay.stores, await a_home(relay.stores)), list[str]()
    async with an_agent(relay, paired.token) as agent, trio.open_nursery() as nursery:
        nursery.start_soon(serve, agent, answer, asked)
        await until(lambda: len(asked) == 2)
        await trio.sleep(1)
        assert relay.registry.online(paired.device.id)
        live = relay.registry.online(paired.device.id)
        assert live is not None
        assert live.tunnel.stream_count == 0
        nursery.cancel_scope.cancel()
    return await device_of(relay, paired), asked


async def test_what_an_agent_says_of_itself_is_kept(patient_clock: Clock) -> None:
    async with running() as relay:
        device, asked = await asked_when_up(relay, well_behaved)
    assert asked == ["/api/system/info", "/api/devices"]
    assert [(one.local_id, one.chip, one.status) for one in device.accelerators] == [
        ("kl520-0", "KL520", AcceleratorStatus.DETECTED)
    ]
    assert device.agent_version == "3.1"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(b"nothing here", "404 Not Found"), id="404"),
        pytest.param(http(b"<html>"), id="no JSON"),
        pytest.param(b"garbage\r\n\r\n", id="no HTTP"),
        pytest.param(http(b"x" * (MAX_BODY_BYTES + 1)), id="too much"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", id="cut short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, id="endless head"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_an_agent_that_has_nothing_sensible_to_say_is_still_a_device(
    patient_clock: Clock, answer: bytes
) -> None:
    async with running() as relay:
        device, _ = await asked_when_up(relay, lambda path: answer)
    assert device.accelerators == ()


async def test_an_agent_that_says_nothing_at_all_is_not_waited_for(patient_clock: Clock) -> None:
    async with running() as relay:
        paired = await pair(relay.stores, await a_home(relay.stores))
        async with an_agent(relay, paired.token) as agent:
            first = await agent.accept()
            await trio.sleep(11)
            # Given up on the first question, it asks the second one.
            second = await agent.accept()
            assert second.stream.id != first.stream.id
            await trio.sleep(11)
            live = relay.registry.online(paired.device.id)
            assert live is not None
            assert live.tunnel.stream_count == 0


@contextlib.asynccontextmanager
async def connected(relay: Running, paired: Paired, answer: Answer, asked: list[str]) -> AsyncIterator[None]:
    """The device's agent while the block runs; then the device is offline."""
    async with an_agent(relay, paired.token) as agent, trio.open_nursery() as nursery:
        nursery.start_soon(serve, agent, answer, asked)
        await until(lambda: relay.registry.online(paired.device.id))
        yield
        nursery.cancel_scope.cancel()
    await until(lambda: not relay.registry.all())


async def test_a_scan_asks_at_once(patient_clock: Clock) -> None:
    async with running() as relay:
        paired, asked = await pair(relay.stores, await a_home(relay.stores)), list[str]()
        async with connected(relay, paired, well_behaved, asked):
            await until(lambda: len(asked) == 2)
            await trio.sleep(0.5)
            relay.relay.inventory.ask(paired.device.id)
            await until(lambda: len(asked) == 4)
        relay.relay.inventory.ask(paired.device.id)
        await trio.sleep(1)
        assert len(asked) == 4


async def test_what_a_scan_found_can_be_waited_for(patient_clock: Clock) -> None:
    async with running() as relay:
        inventory = relay.relay.inventory
        paired, asked, said = (
            await pair(relay.stores, await a_home(relay.stores)),
            list[str](),
            [b'{"data": []}'],
        )
        async with connected(relay, paired, lambda path: http(said[0]), asked):
            await inventory.settled(paired.device.id)
            said[0] = json.dumps(DEVICES).encode()
            inventory.ask(paired.device.id)
            await inventory.settled(paired.device.id)
            assert len((await device_of(relay, paired)).accelerators) == 1
            # A question that is already under way may have been asked too early; the next one counts.
            said[0] = b'{"data": []}'
            inventory.ask(paired.device.id)
            await trio.lowlevel.checkpoint()
            inventory.ask(paired.device.id)
            await inventory.settled(paired.device.id)
            assert (await device_of(relay, paired)).accelerators == ()
        inventory.ask(paired.device.id)
        await inventory.settled(paired.device.id)


async def test_a_device_that_comes_back_with_other_accelerators_is_asked_again(patient_clock: Clock) -> None:
    def without(path: str) -> bytes:
        return http(b'{"data": []}')

    async with running() as relay:
        paired, asked = await pair(relay.stores, await a_home(relay.stores)), list[str]()
        async with connected(relay, paired, well_behaved, asked):
            await until(lambda: len(asked) == 2)
            await trio.sleep(0.1)
        assert len((await device_of(relay, paired)).accelerators) == 1
        async with connected(relay, paired, without, asked):
            await trio.sleep(AGAIN_SECONDS + 1)
            assert (await device_of(relay, paired)).accelerators == ()
        assert len(asked) == 4


async def test_t41_a_device_that_flaps_is_asked_once_in_a_few_seconds(patient_clock: Clock) -> None:
    async with running() as relay:
        paired, asked = await pair(relay.stores, await a_home(relay.stores)), list[str]()
        began = trio.current_time()
        for _ in range(6):
            async with connected(relay, paired, well_behaved, asked):
                await trio.sleep(0.5)
        assert trio.current_time() - began < AGAIN_SECONDS
        assert len(asked) == 2


async def test_what_comes_by_a_replaced_tunnel_does_not_cover_what_the_new_one_says(
    patient_clock: Clock,
) -> None:
    async with running() as relay:
        paired, asked = await pair(relay.stores, await a_home(relay.stores)), list[str]()
        async with an_agent(relay, paired.token) as old:
            first = await old.accept()
            await first.send_all(http(b"{}"))
            second = await old.accept()
            async with connected(relay, paired, lambda path: http(b'{"data": []}'), asked):
                # The old agent answers only now, in its grace.
                await second.send_all(http(json.dumps(DEVICES).encode()))
                await trio.sleep(1)
                assert (await device_of(relay, paired)).accelerators == ()
                assert asked == []
                await trio.sleep(AGAIN_SECONDS + 1)
                assert (await device_of(relay, paired)).accelerators == ()
        assert asked == ["/api/system/info", "/api/devices"]


async def test_s01_a_store_that_is_down_costs_only_the_inventory_which_is_asked_for_again(
    patient_clock: Clock,
) -> None:
    stores, goes_down = Counting(), True
    async with running(stores=stores) as relay:

        def answer(path: str) -> bytes:
            stores.is_down = goes_down and path == "/api/devices"
            return well_behaved(path)

        paired, asked = await pair(stores, await a_home(stores)), list[str]()
        async with an_agent(relay, paired.token) as agent, trio.open_nursery() as nursery:
            nursery.start_soon(serve, agent, answer, asked)
            await until(lambda: len(asked) == 2)
            await trio.sleep(1)
            assert relay.registry.online(paired.device.id)
            stores.is_down = False
            assert (await device_of(relay, paired)).accelerators == ()
            # It is not lost: what could not be kept is asked for again.
            goes_down = False
            await until(lambda: len(asked) == 4, AGAIN_SECONDS * 2)
            await trio.sleep(1)
            assert len((await device_of(relay, paired)).accelerators) > 0
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_a_first_answer_is_told_to_watchers_whatever_it_is(status: str, patient_clock: Clock) -> None:
    async with running() as relay:
        paired, told = await pair(relay.stores, await a_home(relay.stores)), list[DeviceId]()
        relay.relay.inventory.watchers.append(lambda live: told.append(live.device_id))
        async with connected(relay, paired, lambda path: http(b"{}", status), []):
            await until(lambda: bool(told))
        assert told == [paired.device.id]
