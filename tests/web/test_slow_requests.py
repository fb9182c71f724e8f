"""A right that ends while its holder's request is still on the way in: what was checked then is checked again."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import h2.events
import pytest
import trio
import trio.testing
from visiona.domain.access import Role
from visiona.domain.errors import NotFound, NotSignedIn
from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.domain.notices import DeviceMove, NoticeKind, member_subject
from visiona.domain.workspaces import Membership
from visiona.services.identify import TunnelSession
from visiona.services.members import remove_member
from visiona.services.tokens import revoke_access_token
from visiona.web.credentials import Credentials
from visiona.web.proxy_access import Access
from visiona.web.targets import Target

from tests.support.nouns import put
from tests.web.device_rig import NOW, OTHER_WORKSPACE, TOKEN, open_rig
from tests.web.device_rig import answering as answering_device
from tests.web.test_door import H2Client
from tests.web.world import FakeTunnel, Person, World


async def test_t45_a_body_that_comes_after_the_right_has_ended_brings_nothing_to_the_device() -> None:
    """Over HTTP/2 a request without a length is looked at when its first piece comes: minutes later, if one likes."""
    reached: list[bytes] = []

    async def device(stream: object) -> None:
        reached.append(b"a request")
        await answering_device(b"HTTP/1.1 204 No Content\r\n\r\n")(stream)

    async with open_rig("asgi", device) as rig:
        client = H2Client((await rig.connect()).stream)
        number = client.connection.get_next_available_stream_id()
        fields = [(":method", "POST"), (":scheme", "http"), (":authority", "door.test")]
        fields += [(":path", f"{rig.base}/flash"), ("authorization", f"Bearer {TOKEN}")]
        client.connection.send_headers(number, fields)
        await client.flush()
        await trio.testing.wait_all_tasks_blocked(0.05)
        gone = DeviceMove(rig.live.device_id, OTHER_WORKSPACE, rig.live.session.user_id, frozenset())
        rig.registry.move_device(gone, NOW + timedelta(seconds=1))
        client.connection.send_data(number, b"body", end_stream=True)
        await client.flush()
        status = 0
        with trio.fail_after(5):
            while not status:
                for event in client.connection.receive_data(await client.stream.receive_some(65536)):
                    if isinstance(event, h2.events.ResponseReceived):
                        status = int(dict(event.headers)[b":status"])
        assert (status, reached) == (404, [])


@pytest.fixture
async def world() -> World:
    return World()


async def a_guest(world: World) -> tuple[Person, Person, WorkspaceId]:
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = WorkspaceId((await ada.ask("POST", "/api/workspaces", json={"name": "Lab"})).data["id"])
    await put(world.stores, Membership(lab, bob.user_id, Role.ADMIN, world.now()))
    return ada, bob, lab


async def paired_in(world: World, ada: Person, lab: WorkspaceId) -> DeviceId:
    made = (await ada.ask("POST", "/api/pairing/token", json={"workspace_id": lab})).data["token"]
    done = await world.ask("POST", "/api/pairing/exchange", json={"pairing_token": made})
    return DeviceId(done.data["device_id"])


@pytest.mark.parametrize("what", ["removed", "revoked"])
async def test_t45_who_loses_a_device_while_a_scan_settles_does_not_reach_it(world: World, what: str) -> None:
    ada, bob, lab = await a_guest(world)
    device_id = await paired_in(world, ada, lab)
    session = TunnelSession(ada.token_id, ada.user_id, lab, device_id, world.now() + timedelta(days=1))
    world.registry.admit(FakeTunnel(), session)

    async def settled(_: DeviceId) -> None:
        if what == "removed":
            await remove_member(world.stores, await ada.actor(), lab, bob.user_id, world.now())
            world.revoking.at_once(NoticeKind.MEMBER_REMOVED, member_subject(lab, bob.user_id))
        else:
            await revoke_access_token(world.stores, bob.token_id, world.now())
            world.revoking.at_once(NoticeKind.TOKEN_REVOKED, bob.token_id)

    access = Access(world.callers, world.registry, world.stores, settled=settled)
    target = Target(device_id, b"", verb=b"scan")
    with pytest.raises(NotFound if what == "removed" else NotSignedIn):
        await access.resolve(Credentials(bearer=bob.token), target)


class SlowBody:
    """A body whose end comes when it is told to."""

    def __init__(self, world: World, person: Person, method: str, path: str) -> None:
        self.world, self.person, self.method, self.path = world, person, method, path
        self.status = 0
        self.answer = b""

    async def run(self, whole: object, meanwhile: AsyncIterator[None]) -> None:
        text = json.dumps(whole).encode()
        headers = {**self.person.headers, "Content-Type": "application/json"}
        async with self.world.client.request(self.path, method=self.method, headers=headers) as connection:
            await connection.send(text[:3])
            await trio.testing.wait_all_tasks_blocked(0.01)
            async for _ in meanwhile:
                pass
            await connection.send(text[3:])
            await connection.send_complete()
            response = await connection.as_response()
            self.status, self.answer = response.status_code, await response.get_data(as_text=False)


async def test_t45_a_token_that_is_revoked_while_its_request_comes_makes_nothing(world: World) -> None:
    thief = await world.person("thief@example.com")

    async def revoked() -> AsyncIterator[None]:
        await revoke_access_token(world.stores, thief.token_id, world.now())
        world.revoking.at_once(NoticeKind.TOKEN_REVOKED, thief.token_id)
        yield

    slow = SlowBody(world, thief, "POST", "/api/pairing/token")
    await slow.run({"name": "x"}, revoked())
    assert slow.status == 401
    waiting = await world.stores.read(lambda tx: tx.pairing_tokens.count_live(thief.user_id, world.now()))
    assert waiting == 0


async def test_t45_who_is_removed_while_their_request_comes_changes_nothing(world: World) -> None:
    ada, bob, lab = await a_guest(world)
    device_id = await paired_in(world, ada, lab)

    async def removed() -> AsyncIterator[None]:
        await remove_member(world.stores, await ada.actor(), lab, bob.user_id, world.now())
        world.revoking.at_once(NoticeKind.MEMBER_REMOVED, member_subject(lab, bob.user_id))
        yield

    slow = SlowBody(world, bob, "PATCH", f"/api/devices/{device_id}")
    await slow.run({"name": "mine now"}, removed())
    assert (slow.status, b"send it again" in slow.answer) == (403, True)
    assert (await ada.ask("GET", f"/api/devices/{device_id}")).data["name"] != "mine now"


async def test_a_slow_request_of_who_may_is_served(world: World) -> None:
    ada, bob, lab = await a_guest(world)
    device_id = await paired_in(world, ada, lab)

    async def asked_anew() -> AsyncIterator[None]:
        # Nothing of theirs changed, and they are looked up once more all the same.
        world.callers.doubt_sessions()
        world.revoking.at_once(NoticeKind.MEMBER_CHANGED, member_subject(lab, bob.user_id))
        yield

    slow = SlowBody(world, bob, "PATCH", f"/api/devices/{device_id}")
    await slow.run({"name": "bench"}, asked_anew())
    assert slow.status == 200
