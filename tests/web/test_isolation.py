"""Who gets what of a shared workspace: every route × {owner, admin, member, stranger, nobody}, in one table.

The owner is Ada: the workspace is hers, and so are her own tokens and sessions. A route that is added needs its line
here. Each cell is a server of its own, so what one caller did is not in another's way.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest
import trio
from visiona.domain.access import Role
from visiona.domain.ids import DeviceId, LoadId, ModelId, WorkspaceId
from visiona.domain.loads import Lease
from visiona.domain.workspaces import Membership
from visiona.services.exchange_token import exchange
from visiona.services.invitations import invite
from visiona.services.minting import mint_id
from visiona.services.pair_device import create_pairing_token
from visiona.services.workspaces import create_workspace
from visiona.web.guards import is_public
from visiona.web.openapi import DEVICE_PATHS
from visiona.web.proxy_access import Access

from tests.domain.test_loads import LOAD
from tests.web.asking import status_at
from tests.web.device_rig import open_port
from tests.web.test_access_matrix import LET_IN
from tests.web.test_guards import routes
from tests.web.world import Person, World

ENDLESS_SECONDS = 0.5
"""After which an answer that goes on is known to."""

CALLERS = ("owner", "admin", "member", "stranger", "nobody")


class Row(NamedTuple):
    """What each of the callers is answered, in their order, and what they send."""

    answers: tuple[int | None, ...]
    body: Any = None


def own(status: int, body: Any = None) -> Row:
    """Of the caller's own things, whoever it is."""
    return Row((status, status, status, status, 401), body)


def seen(status: int = 200) -> Row:
    """Members see it."""
    return Row((status, status, status, 404, 401))


def changed(status: int = 200, body: Any = None) -> Row:
    """Admins change it."""
    return Row((status, status, 403, 404, 401), body)


def adas(status: int, body: Any = None) -> Row:
    """Nobody's but Ada's, wherever they are with her."""
    return Row((status, 404, 404, 404, 401), body)


LAB = {"workspace_id": "{workspace_id}"}
MODEL = {"name": "yolo", "version": "2", "target_chips": ["KL720"], "file_size": 1, "sha256": "0" * 64}

TABLE: dict[tuple[str, str], Row] = {
    ("GET", "/api/system/health"): own(200),
    ("GET", "/api/system/info"): own(200),
    ("GET", "/api/auth/me"): own(200),
    ("GET", "/api/auth/sessions"): own(200),
    ("DELETE", "/api/auth/sessions/<session_id>"): adas(204),
    ("GET", "/api/auth/tokens"): own(200),
    ("POST", "/api/auth/tokens"): own(201, {"name": "a program"}),
    ("DELETE", "/api/auth/tokens/<token_id>"): adas(204),
    ("POST", "/api/pairing/token"): changed(200, LAB),
    ("POST", "/api/pairing/qr"): own(200, {"text": "a line"}),
    ("GET", "/api/pairing/status"): own(200),
    ("GET", "/api/pairing/tokens"): own(200),
    ("DELETE", "/api/pairing/tokens/<id_or_token>"): adas(204),
    ("GET", "/api/devices"): own(200),
    ("GET", "/api/devices/<device_id>"): seen(),
    ("PATCH", "/api/devices/<device_id>"): changed(200, {"name": "Gate"}),
    ("GET", "/api/devices/<device_id>/events"): seen(),
    ("DELETE", "/api/devices/<device_id>"): changed(),
    ("POST", "/api/devices/<device_id>/unpair"): changed(),
    # The other workspace is Ada's and the admin's; to the member it does not exist.
    ("POST", "/api/devices/<device_id>/transfer"): Row(
        (200, 200, 404, 404, 401), {"workspace_id": "{other_id}"}
    ),
    ("GET", "/api/devices/<device_id>/cameras/<path:path>/snapshot"): seen(503),
    ("GET", "/api/models"): own(200),
    ("POST", "/api/models/init"): changed(200, {**MODEL, **LAB}),
    ("GET", "/api/models/<model_id>"): seen(),
    ("POST", "/api/models/<model_id>/finalize"): changed(409),
    ("GET", "/api/models/<model_id>/download"): seen(409),
    ("DELETE", "/api/models/<model_id>"): changed(204),
    # Its file is not there yet; members use what is there.
    ("POST", "/api/models/<model_id>/load-to-device"): Row(
        (409, 409, 409, 404, 401), {"device_id": "{device_id}"}
    ),
    ("GET", "/api/devices/<device_id>/loads"): seen(),
    # Begun by the owner; members use devices, and make room on them.
    ("GET", "/api/devices/<device_id>/loads/<load_id>/events"): Row((LET_IN, LET_IN, LET_IN, 404, 401)),
    ("DELETE", "/api/devices/<device_id>/loads/<load_id>"): seen(204),
    ("GET", "/api/live"): Row((LET_IN, LET_IN, LET_IN, LET_IN, 401)),
    ("GET", "/api/audit"): own(200),
    ("GET", "/api/audit/export"): own(200),
    ("GET", "/api/workspaces"): own(200),
    ("POST", "/api/workspaces"): own(201, {"name": "Roof"}),
    ("GET", "/api/workspaces/<workspace_id>"): seen(),
    ("PATCH", "/api/workspaces/<workspace_id>"): changed(200, {"name": "Roof"}),
    # It holds a device, which is for its owner to know.
    ("DELETE", "/api/workspaces/<workspace_id>"): Row((409, 403, 403, 404, 401)),
    ("GET", "/api/workspaces/<workspace_id>/members"): seen(),
    ("POST", "/api/workspaces/<workspace_id>/members"): changed(201, {"email": "x@example.com"}),
    # The member.
    ("PATCH", "/api/workspaces/<workspace_id>/members/<user_id>"): changed(200, {"role": "admin"}),
    # The member too, who leaves.
    ("DELETE", "/api/workspaces/<workspace_id>/members/<user_id>"): Row((200, 200, 200, 404, 401)),
    ("GET", "/api/workspaces/<workspace_id>/invitations"): changed(),
    ("DELETE", "/api/workspaces/<workspace_id>/invitations/<invitation_id>"): changed(204),
    # For the stranger's address.
    ("POST", "/api/invitations/accept"): Row((403, 403, 403, 200, 401), {"token": "{invitation}"}),
}


@dataclass
class Lab:
    """Ada's workspace with an admin, a member, and something of each kind; a stranger is invited."""

    world: World
    people: dict[str, Person]
    names: dict[str, str]

    @classmethod
    async def open(cls) -> "Lab":
        world = World()
        now = world.now()
        people = {name: await world.person(f"{name}@example.com") for name in CALLERS[:-1]}
        owner = await people["owner"].actor()
        lab, other = [await create_workspace(world.stores, owner, name, now) for name in ("Lab", "Roof")]
        for workspace, name, role in (
            (lab, "admin", Role.ADMIN),
            (lab, "member", Role.MEMBER),
            (other, "admin", Role.ADMIN),
        ):
            membership = Membership(workspace.id, people[name].user_id, role, now)
            await world.stores.write(lambda tx, each=membership: tx.workspaces.add_member(each))
        self = cls(world, people, {"workspace_id": lab.id, "other_id": other.id})
        await self.fill(lab.id)
        return self

    async def fill(self, lab: WorkspaceId) -> None:
        stores, now, ada = self.world.stores, self.world.now(), self.people["owner"]
        actor = await ada.actor()
        texts = [await create_pairing_token(stores, actor, now, workspace_id=lab) for _ in range(2)]
        device = await exchange(stores, texts[0].text, now)
        asked = await invite(stores, actor, lab, "stranger@example.com", Role.MEMBER, now)
        model = await ada.ask("POST", "/api/models/init", json={**MODEL, "version": "1", "workspace_id": lab})
        visitor = await self.world.visitor("owner@example.com")
        self.names |= {
            "device_id": device.device_id,
            "id_or_token": texts[1].token.id,
            "invitation_id": asked.invitation.id,
            "invitation": asked.text,
            "model_id": model.data["model"]["id"],
            "session_id": visitor.done.session.id,
            "token_id": ada.token_id,
            "user_id": self.people["member"].user_id,
            "load_id": await self.load(device.device_id, lab, model.data["model"]["id"]),
            "path:path": "camera/stream",
        }

    async def load(self, device_id: DeviceId, lab: WorkspaceId, model_id: ModelId) -> LoadId:
        """The owner's, which nobody carries just now."""
        now, owner = self.world.now(), self.people["owner"].user_id
        ids = {"device_id": device_id, "workspace_id": lab, "model_id": model_id, "user_id": owner}
        load = replace(LOAD, id=LoadId(mint_id(now)), **ids)
        await self.world.stores.write(lambda tx: tx.model_loads.add(load, Lease("nobody any more", now)))
        return load.id

    async def status(self, caller: str, method: str, rule: str, body: Any) -> int | None:
        """What a caller is answered; None for an answer that goes on."""
        path = rule
        for name, value in self.names.items():
            path = path.replace(f"<{name}>", value)
        if body is not None:
            body = {k: v.format(**self.names) if isinstance(v, str) else v for k, v in body.items()}
        who: Person | World = self.people.get(caller, self.world)
        with trio.move_on_after(ENDLESS_SECONDS if TABLE[method, rule].answers[0] is LET_IN else 10):
            return (await who.ask(method, path, json=body)).status
        return None


def table_of(world: World) -> set[tuple[str, str]]:
    return {
        (method, rule)
        for method, rule, _ in routes(world)
        if method not in {"HEAD", "OPTIONS"} and not is_public(method, rule)
    }


async def test_h08_every_route_has_its_line() -> None:
    assert table_of(World()) == TABLE.keys()


@pytest.mark.parametrize("key", TABLE, ids=" ".join)
async def test_h08_each_caller_is_answered_as_the_table_says(key: tuple[str, str]) -> None:
    row = TABLE[key]
    answers = [await (await Lab.open()).status(caller, *key, row.body) for caller in CALLERS]
    assert dict(zip(CALLERS, answers, strict=True)) == dict(zip(CALLERS, row.answers, strict=True))


@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_h08_each_path_to_a_device_is_for_members_alone(layer: str) -> None:
    """The device is offline, which is for members to know."""
    lab = await Lab.open()
    world, device_id = lab.world, lab.names["device_id"]
    wrong = []
    async with open_port(layer, access=Access(world.callers, world.registry, world.stores)) as port:
        for path, (methods, _) in DEVICE_PATHS.items():
            names_it = "{device_id}" in path
            target = path.format(device_id=device_id, path="x")
            target += "" if names_it else f"?device_id={device_id}"
            for method, caller in ((m.upper(), c) for m in methods for c in CALLERS):
                person = lab.people.get(caller)
                status = await status_at(port.number, method, target, person.headers if person else {})
                expected = {"stranger": 404, "nobody": 401}.get(caller, 503)
                if status != expected:
                    wrong.append((method, target, caller, status))
    assert wrong == []


async def test_h08_lists_hold_what_is_of_ones_own_workspaces_alone() -> None:
    lab = await Lab.open()
    for caller in CALLERS[:-1]:
        person = lab.people[caller]
        sees = caller != "stranger"
        for path, name in (("devices", "device_id"), ("models", "model_id")):
            listed = (await person.ask("GET", f"/api/{path}")).data
            assert [each["id"] for each in listed] == ([lab.names[name]] if sees else [])
        listed = (await person.ask("GET", "/api/workspaces")).data["items"]
        assert (lab.names["workspace_id"] in {each["id"] for each in listed}) is sees
        tokens = (await person.ask("GET", "/api/pairing/tokens")).data
        assert bool(tokens) is (caller == "owner")
        assert (lab.names["workspace_id"] in str((await person.ask("GET", "/api/audit")).data)) is (
            caller in {"owner", "admin"}
        )


async def test_h08_who_was_taken_out_is_a_stranger_at_once() -> None:
    """A token that was checked a moment ago is asked for anew, on every route."""
    lab = await Lab.open()
    member, owner = lab.people["member"], lab.people["owner"]
    path = f"/api/devices/{lab.names['device_id']}"
    assert (await member.ask("GET", path)).status == 200
    gone = f"/api/workspaces/{lab.names['workspace_id']}/members/{member.user_id}"
    assert (await owner.ask("DELETE", gone)).data == {"user_id": member.user_id, "sockets_closed": 0}
    assert (await member.ask("GET", path)).status == 404
