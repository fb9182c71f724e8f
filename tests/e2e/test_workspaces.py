"""A shared unit in the hand of a running server: moved with its tunnel up, and lost by who is taken out."""

import time
from collections.abc import Callable

import pytest

from tests.e2e.agents import Unit
from tests.e2e.client import Caller, Watching, watch_stream, watch_websocket
from tests.e2e.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@pytest.fixture
def guest(server: Server, request: pytest.FixtureRequest) -> Caller:
    """Another one."""
    return server.person(f"guest-{request.node.nodeid.encode().hex()[-40:]}")


def shared(server: Server, owner: Caller, guest: Caller, name: str) -> str:
    """A workspace of the owner's that the guest has joined."""
    lab: str = owner.ask("POST", "/api/workspaces", {"name": name}).data["id"]
    email = guest.ask("GET", "/api/auth/me").data["email"]
    asked = owner.ask("POST", f"/api/workspaces/{lab}/members", {"email": email}).data
    server.evidence.secret(asked["token"], "an invitation")
    assert guest.ask("POST", "/api/invitations/accept", {"token": asked["token"]}).status == 200
    return lab


def watching(caller: Caller, unit: Unit) -> list[Watching]:
    return [watch_stream(caller, unit.path("/mjpeg")), watch_websocket(caller, unit.path("/ws"))]


def test_t45_a_unit_that_moves_keeps_its_tunnel_and_loses_who_is_not_there(
    server: Server, owner: Caller, guest: Caller, unit: Unit, measured: Measured
) -> None:
    lab, home = shared(server, owner, guest, "Lab"), unit.item["workspace_id"]
    assert guest.ask("GET", unit.path("/x")).status == 404
    transfer = f"/api/devices/{unit.device_id}/transfer"
    assert owner.ask("POST", transfer, {"workspace_id": lab}).data["device"]["tunnel_online"] is True
    assert guest.ask("GET", unit.path("/x")).status == 200
    theirs, own = watching(guest, unit), watching(owner, unit)
    assert owner.ask("POST", transfer, {"workspace_id": home}).data["sockets_closed"] == 2
    moved_at = time.monotonic()
    for name, one in zip(("camera", "WebSocket"), theirs, strict=True):
        one.ended()
        measured(f"{name} after the move", one.ended_at - moved_at)
    assert all(one.goes_on for one in own)
    assert guest.ask("GET", unit.path("/x")).status == 404
    assert owner.ask("GET", unit.path("/x")).status == 200
    assert server.lines("tunnel down", unit.device_id) == []
    kinds = [one["kind"] for one in owner.ask("GET", f"/api/devices/{unit.device_id}/events").data["items"]]
    # When the tunnel came up is written a little later than it is known.
    assert [kind for kind in kinds if kind != "connected"] == ["moved", "moved", "paired"]


def test_t45_who_is_taken_out_loses_the_camera_and_others_do_not(
    server: Server, owner: Caller, guest: Caller, unit: Unit, measured: Measured
) -> None:
    lab = shared(server, owner, guest, "Lab")
    owner.ask("POST", f"/api/devices/{unit.device_id}/transfer", {"workspace_id": lab})
    theirs, own = watching(guest, unit), watching(owner, unit)
    user_id = guest.ask("GET", "/api/auth/me").data["sub"]
    assert owner.ask("DELETE", f"/api/workspaces/{lab}/members/{user_id}").data["sockets_closed"] == 2
    gone_at = time.monotonic()
    for name, one in zip(("camera", "WebSocket"), theirs, strict=True):
        one.ended()
        measured(f"{name} after the removal", one.ended_at - gone_at)
    assert all(one.goes_on for one in own)
    assert guest.ask("GET", unit.path("/x")).status == 404
