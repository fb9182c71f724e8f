from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from visiona.domain.access import Scope
from visiona.domain.causes import Cause
from visiona.domain.devices import Accelerator
from visiona.domain.errors import Conflict, DeviceOffline, NotAllowed, NotFound, NotSignedIn
from visiona.relay.registry import Registry
from visiona.web.credentials import Credentials
from visiona.web.proxy_access import MAX_CHOICES, SETTLE_SECONDS, Access, Allowed, check_origin
from visiona.web.targets import Target

from tests.web.device_rig import (
    ACTOR,
    OTHER_WORKSPACE,
    STRANGER_TOKEN,
    TOKEN,
    FakeCallers,
    FakeStores,
    device_record,
    session_of,
)

ONE = "0190d9a0-0000-7000-8000-000000000011"
TWO = "0190d9a0-0000-7000-8000-000000000012"
MINE, THEIRS = Credentials(bearer=TOKEN), Credentials(bearer=STRANGER_TOKEN)


class OpenTunnel:
    is_open = True
    closed = None
    stream_count = 0
    rtt_seconds = None


class World:
    def __init__(self, *online: str) -> None:
        self.callers, self.registry, self.stores = FakeCallers(), Registry(), FakeStores()
        self.access = Access(self.callers, self.registry, self.stores)
        for device in (ONE, TWO):
            self.stores.known[device] = device_record(device)
        self.live = {device: self.registry.admit(OpenTunnel(), session_of(device)) for device in online}


def to(device: str | None, agent_target: bytes = b"/", **rest: object) -> Target:
    return Target(device, agent_target, **rest)


def chosen_from(error: Conflict) -> list[tuple[str, bool]]:
    devices: Any = error.details["devices"]
    return [(one["id"], one["online"]) for one in devices]


async def test_the_warm_path_asks_nobody() -> None:
    world = World(ONE)
    assert world.access.known(MINE, to(ONE)) is None
    first = await world.access.resolve(MINE, to(ONE))
    world.stores.known.clear()
    assert world.access.known(MINE, to(ONE)) == first
    assert first.device_prefix == f"/api/devices/{ONE}/proxy".encode()


class Digesting:
    """A scan of the device that is digested once `done` is set."""

    def __init__(self, world: World) -> None:
        self.world, self.done, self.waited = world, trio.Event(), list[str]()
        world.access = Access(world.callers, world.registry, world.stores, None, self.settled)

    async def settled(self, device_id: str) -> None:
        self.waited.append(device_id)
        await self.done.wait()
        found = Accelerator("kl520-0", "KL520", "KL520")
        self.world.stores.known[ONE] = device_record(ONE, accelerators=(found,))


@pytest.mark.parametrize(
    "target", [to(ONE, b"", verb=b"connect"), to(None, b"", verb=b"connect", local_id="kl520-0")]
)
async def test_a_verb_behind_a_scan_waits_for_what_the_scan_found(target: Target) -> None:
    world = World(ONE)
    digesting, answers = Digesting(world), list[Allowed]()

    async def ask() -> None:
        answers.append(await world.access.resolve(MINE, target))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert answers == []
        digesting.done.set()
    assert answers[0].target.agent_target == b"/api/devices/kl520-0/connect"


async def test_a_scan_that_is_never_digested_is_not_waited_for_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World(ONE)
    digesting = Digesting(world)
    with pytest.raises(NotFound, match="scan first"):
        await world.access.resolve(MINE, to(ONE, b"", verb=b"connect"))
    assert trio.current_time() == pytest.approx(SETTLE_SECONDS, abs=0.1)
    # Nobody learns from the time it takes that somebody else's device is being scanned.
    with pytest.raises(NotFound):
        await world.access.resolve(THEIRS, to(ONE, b"", verb=b"connect"))
    # What needs no accelerator does not wait.
    await world.access.resolve(MINE, to(ONE))
    assert digesting.waited == [ONE]


async def test_h08_a_stranger_cannot_tell_a_device_from_none() -> None:
    world = World(ONE)
    errors = set()
    for device in (ONE, TWO, "0190d9a0-0000-7000-8000-0000000000ff"):
        with pytest.raises(NotFound) as caught:
            await world.access.resolve(THEIRS, to(device))
        errors.add(caught.value.message)
        assert world.access.known(THEIRS, to(device)) is None
    assert len(errors) == 1


async def test_a_tunnel_of_another_workspace_is_never_used_even_if_the_record_says_otherwise() -> None:
    world = World()
    world.registry.admit(OpenTunnel(), session_of(ONE, OTHER_WORKSPACE))
    with pytest.raises(NotFound):
        await world.access.resolve(MINE, to(ONE))


async def test_a_token_without_the_scope_may_not() -> None:
    world = World(ONE)
    await world.access.resolve(MINE, to(ONE))
    world.callers.actors[TOKEN] = replace(ACTOR, scopes=frozenset({Scope.DEVICES_READ}))
    assert world.access.known(MINE, to(ONE)) is None
    with pytest.raises(NotAllowed):
        await world.access.resolve(MINE, to(ONE))


async def test_nobody_is_not_signed_in() -> None:
    with pytest.raises(NotSignedIn):
        await World(ONE).access.resolve(Credentials(), to(ONE))


async def test_a_device_that_never_connected_says_so() -> None:
    with pytest.raises(DeviceOffline, match="not connected yet") as caught:
        await World().access.resolve(MINE, to(ONE))
    assert caught.value.details == {}


async def test_since_and_cause_are_the_live_record_first_and_the_stored_one_after_a_restart() -> None:
    world = World(ONE)
    world.registry.depart(world.live[ONE], Cause.WRITE_TIMEOUT)
    with pytest.raises(DeviceOffline) as caught:
        await world.access.resolve(MINE, to(ONE))
    assert caught.value.details["cause"] == "write_timeout"
    restarted = World()
    restarted.stores.known[ONE] = device_record(
        ONE, offline_cause=Cause.TCP_RESET, last_seen_at=ACTOR.expires_at
    )
    with pytest.raises(DeviceOffline) as caught:
        await restarted.access.resolve(MINE, to(ONE))
    assert caught.value.details == {"cause": "tcp_reset"}


async def test_without_a_name_the_only_online_device_is_meant() -> None:
    assert (await World(TWO).access.resolve(MINE, to(None))).live.device_id == TWO
    with pytest.raises(Conflict) as caught:
        await World(ONE, TWO).access.resolve(MINE, to(None))
    assert caught.value.code == "DEVICE_AMBIGUOUS"
    assert chosen_from(caught.value) == [(ONE, True), (TWO, True)]
    with pytest.raises(DeviceOffline):
        await World().access.resolve(MINE, to(None))
    with pytest.raises(DeviceOffline):
        await World(ONE).access.resolve(THEIRS, to(None))


async def test_an_answer_that_must_be_chosen_from_names_the_devices_and_how_many_they_are() -> None:
    world = World(ONE, TWO)
    world.stores.known[ONE] = device_record(ONE, name="press 4")
    with pytest.raises(Conflict) as caught:
        await world.access.resolve(MINE, to(None))
    assert caught.value.details == {
        "devices": [
            {"id": ONE, "name": "press 4", "online": True},
            {"id": TWO, "name": "edge", "online": True},
        ],
        "count": 2,
    }
    # The same accelerator on two devices: one of them need not be here.
    for device in (ONE, TWO):
        world.stores.known[device] = device_record(device, accelerators=(Accelerator("k-0", "K", "KL720"),))
    world.registry.depart(world.live[TWO], Cause.AGENT_CLOSED)
    with pytest.raises(Conflict) as caught:
        await world.access.resolve(MINE, to(None, b"", verb=b"connect", local_id="k-0"))
    assert chosen_from(caught.value) == [(ONE, True), (TWO, False)]


async def test_an_answer_that_must_be_chosen_from_is_not_endless() -> None:
    names = [f"0190d9a0-0000-7000-8000-0000000{number:05x}" for number in range(50)]
    world = World()
    for device in names:
        world.stores.known[device] = device_record(device)
        world.registry.admit(OpenTunnel(), session_of(device))
    with pytest.raises(Conflict) as caught:
        await world.access.resolve(MINE, to(None))
    assert len(chosen_from(caught.value)) == MAX_CHOICES
    assert caught.value.details["count"] == 50


async def test_without_a_name_the_only_device_says_why_it_is_away() -> None:
    world = World(ONE)
    del world.stores.known[TWO]
    world.registry.depart(world.live[ONE], Cause.KEEPALIVE_TIMEOUT)
    with pytest.raises(DeviceOffline) as caught:
        await world.access.resolve(MINE, to(None))
    assert caught.value.details["cause"] == "keepalive_timeout"
    assert "since" in caught.value.details


async def test_an_accelerator_is_found_by_the_agents_own_id() -> None:
    world = World(ONE, TWO)
    usb = Accelerator("usb-1", "KL520", "KL520")
    world.stores.known[TWO] = device_record(TWO, accelerators=(usb,))
    verb = to(None, b"", verb=b"connect", local_id="usb-1")
    allowed = await world.access.resolve(MINE, verb)
    assert (allowed.live.device_id, allowed.target.agent_target) == (TWO, b"/api/devices/usb-1/connect")
    world.stores.known[ONE] = device_record(ONE, accelerators=(usb,))
    with pytest.raises(Conflict):
        await world.access.resolve(MINE, verb)
    with pytest.raises(NotFound):
        await world.access.resolve(THEIRS, verb)


async def test_a_verb_on_a_device_without_accelerators_says_what_to_do() -> None:
    with pytest.raises(NotFound, match="scan first"):
        await World(ONE).access.resolve(MINE, to(ONE, b"", verb=b"connect"))


@pytest.mark.parametrize(
    ("headers", "public", "good"),
    [
        ({}, None, True),
        ({b"origin": b"https://visiona.example"}, None, True),
        ({b"origin": b"https://evil.example"}, None, False),
        ({b"origin": b"null"}, None, False),
        ({b"origin": b"https://visiona.example.evil"}, None, False),
        ({b"origin": b"https://visiona.example"}, b"https://other.example", False),
        ({b"origin": b"https://other.example"}, b"https://other.example", True),
        ({b"origin": b"https://evil.example", b"authorization": b"Bearer vAp_1"}, None, True),
        ({b"origin": b"https://evil.example", b"authorization": b"Basic x"}, None, False),
    ],
)
def test_h14_a_cookies_socket_is_opened_by_our_own_pages_only(
    headers: dict[bytes, bytes], public: bytes | None, good: bool
) -> None:
    given = {b"host": b"visiona.example", **headers}
    if good:
        check_origin(given.get, public)
        return
    with pytest.raises(NotAllowed):
        check_origin(given.get, public)
