"""What is taken away is taken away now: by another process (the command line) or by the API, with live sockets open.

Each test proves an order of events (the command, then the end, without any further request) and tells the time between
them; the limit in the tests is generous, because a busy machine is not a fault.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.agents import Unit, go_unit, pair, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, Watching, email_of, until, watch_stream, watch_websocket
from tests.e2e.server import Server
from tests.interop import gobuild

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


def token_id(caller: Caller) -> str:
    """The id of the caller's own token."""
    prefix = (caller.token or "")[:8]
    tokens = caller.ask("GET", "/api/auth/tokens").data["items"]
    return str(next(one["id"] for one in tokens if one["token_prefix"].startswith(prefix[:8])))


@contextmanager
def watched(caller: Caller, unit: Unit) -> Iterator[list[Watching]]:
    """A camera and a socket, both open."""
    yield [watch_stream(caller, unit.path("/mjpeg")), watch_websocket(caller, unit.path("/ws"))]


def told_apart(measured: Measured, returned_at: float, watching: list[Watching]) -> None:
    for name, one in zip(("camera", "WebSocket"), watching, strict=True):
        one.ended()
        measured(f"{name} after the command", one.ended_at - returned_at)


def test_t45_a_revoked_token_loses_its_live_sockets_and_only_those(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    second = Caller(server.web, server.token(email_of(owner), "second"))
    mine = token_id(second)
    with watched(second, unit) as ending, watched(owner, unit) as staying:
        assert server.run("token", "revoke", mine).code == 0
        told_apart(measured, time.monotonic(), ending)
        assert all(one.goes_on for one in staying)
        assert second.ask("GET", unit.path("/x")).status == 401
        with pytest.raises(InvalidStatus) as refused:
            second.websocket(unit.path("/ws"))
        assert refused.value.response.status_code == 401
        assert all(one.goes_on for one in staying)
        assert owner.ask("DELETE", f"/api/auth/tokens/{token_id(owner)}").status == 204
        told_apart(measured, time.monotonic(), staying)


def test_t45_a_disabled_user_loses_sockets_and_tunnels(
    server: Server, owner: Caller, unit: Unit, ada: Caller, backend: Backend, measured: Measured, folder: Path
) -> None:
    with reference_agent(server, ada, folder.parent / "other", backend.url) as (other, agent):
        email = email_of(owner)
        with watched(owner, unit) as ending, watched(ada, other) as staying:
            assert server.run_apart("user", "disable", email).code == 0
            told_apart(measured, time.monotonic(), ending)
            until(lambda: server.lines("tunnel down", unit.device_id), "the tunnel is cut", 5)
            assert "cause=revoked" in server.lines("tunnel down", unit.device_id)[0]
            assert owner.ask("GET", "/api/devices").status == 401
            assert all(one.goes_on for one in staying)
            agent.stop(signal.SIGKILL)  # politely it would let the camera go on for five seconds
    # The unit keeps asking and is refused; nobody has to touch it once the account is back.
    until(lambda: server.lines("token refused"), "the unit asked again", 10)


def test_t45_a_removed_device_is_cut_with_its_cause(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    with watched(owner, unit) as ending:
        assert server.run("device", "rm", unit.device_id).code == 0
        told_apart(measured, time.monotonic(), ending)
    until(lambda: server.lines("tunnel down", unit.device_id), "the tunnel is cut", 5)
    assert "cause=device_deleted" in server.lines("tunnel down", unit.device_id)[0]
    for path in (f"/api/devices/{unit.device_id}", unit.path("/x")):
        assert owner.ask("GET", path).error["code"] == "NOT_FOUND"


def test_t45_a_session_token_taken_back_ends_its_tunnel(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    (session,) = [one for one in owner.ask("GET", "/api/pairing/tokens").data if one["kind"] == "session"]
    assert session["device_id"] == unit.device_id
    with watched(owner, unit) as ending:
        assert owner.ask("DELETE", f"/api/pairing/tokens/{session['id']}").status == 204
        told_apart(measured, time.monotonic(), ending)
    assert unit.wait_offline() < 5
    assert (unit.item["remote_status"], unit.item["offline_cause"]) == ("offline", "revoked")
    refused = owner.ask("GET", unit.path("/x"))
    assert (refused.status, refused.error["code"]) == (503, "DEVICE_OFFLINE")
    assert refused.error["details"]["cause"] == "revoked"


def test_unpairing_says_how_much_it_ended(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    with watched(owner, unit) as ending:
        ended = owner.ask("POST", f"/api/devices/{unit.device_id}/unpair").data
        told_apart(measured, time.monotonic(), ending)
    assert ended == {
        "device_id": unit.device_id,
        "tokens_revoked": 1,  # the session's; the pairing token it came from was used up
        "tunnels_closed": 1,
        "streams_closed": 2,
        "sockets_closed": 2,
    }
    assert owner.ask("POST", f"/api/devices/{unit.device_id}/unpair").status == 404


def test_t05_a_unit_that_was_unpaired_while_away_is_told_so(server: Server, owner: Caller) -> None:
    unit = pair(server, owner)
    assert owner.ask("DELETE", f"/api/devices/{unit.device_id}").data["tokens_revoked"] == 1
    knocking = Caller(server.relay.replace("ws", "http", 1), unit.session_token)
    answer = knocking.ask("GET", "/tunnel/connect", headers=UPGRADE)
    assert (answer.status, answer.json["success"]) == (401, False)


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


@pytest.mark.interop
@pytest.mark.parametrize("generation", sorted(gobuild.GENERATIONS))
def test_t45_an_agent_that_exists_is_cut_and_stays_out(
    server: Server, owner: Caller, backend: Backend, generation: str, measured: Measured
) -> None:
    gobuild.binary("agent")
    with go_unit(server, owner, generation, mode="pipe", target=backend.address) as (unit, program):
        with watched(owner, unit) as ending:
            assert server.run("device", "rm", unit.device_id).code == 0
            returned_at = time.monotonic()
            program.wait("disconnected")
            measured("the agent knew", time.monotonic() - returned_at)
            told_apart(measured, returned_at, ending)
        assert program.wait("refused")["status"] == 401


def test_p07_a_pairing_token_taken_back_pairs_nothing(server: Server, owner: Caller) -> None:
    made = owner.ask("POST", "/api/pairing/token").data
    server.evidence.secret(made["token"], "a pairing token")
    assert owner.ask("DELETE", f"/api/pairing/tokens/{made['token']}").status == 204
    refused = Caller(server.web, None).ask("POST", "/api/pairing/exchange", {"pairing_token": made["token"]})
    assert (refused.status, refused.error["code"]) == (401, "PAIRING_TOKEN_REVOKED")
    assert owner.ask("GET", "/api/devices").data == []
