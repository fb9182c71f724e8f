"""Nobody reaches what is somebody else's, and nobody learns that it is there: every route that names a thing (H-08).

The routes come from the server's own document; a route that names a thing which this file does not know fails here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Answer, Caller
from tests.e2e.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
BODIES = {
    "patch": {"name": "mine now", "role": "admin"},
    "post": {
        "workspace_id": NOWHERE,
        "device_id": NOWHERE,
        "email": "eve@example.com",
    },
}
"""What every route that names a thing can do with; those that take no body leave it unread."""


class Things(NamedTuple):
    """What Ada has, by the name that routes give it."""

    device_id: str
    id_or_token: str
    token_id: str
    workspace_id: str
    user_id: str
    invitation_id: str
    model_id: str
    load_id: str = NOWHERE
    session_id: str = NOWHERE
    """Nobody has signed in here: the stranger's own route for sessions must say the same of anything."""


@pytest.fixture(scope="module")
def ada_unit(
    server: Server, ada: Caller, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Unit]:
    with reference_agent(server, ada, tmp_path_factory.mktemp("agent"), backend.url) as (unit, _):
        yield unit


@pytest.fixture(scope="module")
def eve(server: Server, ada_unit: Unit) -> Caller:
    """Somebody else, with an account as good as Ada's."""
    return server.person("eve")


@pytest.fixture(scope="module")
def things(ada: Caller, ada_unit: Unit) -> Things:
    made = ada.ask("POST", "/api/pairing/token").data
    ada_unit.server.evidence.secret(made["token"], "a pairing token")
    token = ada.ask("GET", "/api/auth/tokens").data["items"][0]["id"]
    lab = ada.ask("POST", "/api/workspaces", {"name": "Lab"}).data["id"]
    asked = ada.ask("POST", f"/api/workspaces/{lab}/members", {"email": "bob@example.com"}).data
    ada_unit.server.evidence.secret(asked["token"], "an invitation")
    model = {
        "name": "yolo",
        "version": "1",
        "target_chips": ["KL720"],
        "file_size": 1,
        "sha256": "0" * 64,
        "workspace_id": lab,
    }
    model_id = ada.ask("POST", "/api/models/init", model).data["model"]["id"]
    user_id = ada.ask("GET", "/api/auth/me").data["sub"]
    return Things(ada_unit.device_id, made["id"], token, lab, user_id, asked["id"], model_id)


@pytest.fixture(scope="module")
def operations(server: Server) -> list[tuple[str, str]]:
    """Each method and path that names a thing."""
    document: dict[str, Any] = Caller(server.web, None).ask("GET", "/openapi.json").json
    return [
        (method, path)
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/api/") and set(re.findall(r"{(\w+)}", path)) - {"path"}
    ]


def seen(answer: Answer) -> tuple[int, object, list[tuple[str, str]]]:
    """An answer without what differs between any two."""
    changing = {"x-request-id", "date"}
    headers = sorted(
        (name.lower(), value) for name, value in answer.headers.items() if name.lower() not in changing
    )
    return answer.status, {**answer.error, "request_id": ""} if answer.body else None, headers


def asked(caller: Caller, method: str, path: str, **more: Any) -> tuple[int, object, list[tuple[str, str]]]:
    return seen(caller.ask(method.upper(), path, BODIES.get(method), **more))


def test_h08_each_route_answers_as_if_the_thing_did_not_exist(
    eve: Caller, things: Things, operations: list[tuple[str, str]]
) -> None:
    assert len(operations) > 15
    for method, path in operations:
        for thing in set(re.findall(r"{(\w+)}", path)) - {"path"}:
            others = {**things._asdict(), "path": "x"}
            theirs, nothing, garbled = (
                path.format(**{**others, thing: value})
                for value in (getattr(things, thing), NOWHERE, "not-an-id")
            )
            answer = asked(eve, method, theirs)
            assert answer[0] == 404, (method, path, answer)
            assert answer == asked(eve, method, nothing), (method, path)
            # What is no id at all is refused before the request is read to its end: its connection may close.
            assert answer[:2] == asked(eve, method, garbled)[:2], (method, path)


@pytest.mark.parametrize("path", ["/api/camera/list", "/api/media/x", "/api/firmware/x", "/api/devices/scan"])
def test_h08_naming_a_device_in_a_header_or_the_query_helps_nobody(
    eve: Caller, things: Things, path: str
) -> None:
    method = "post" if path.endswith("scan") else "get"
    by_query = asked(eve, method, f"{path}?device_id={things.device_id}")
    assert by_query[0] == 404
    assert by_query == asked(eve, method, f"{path}?device_id={NOWHERE}")
    for name in (things.device_id, NOWHERE):
        assert asked(eve, method, path, headers={"X-Visiona-Device": name}) == by_query
    # Eve's only online device is none, however many others have.
    assert asked(eve, method, path)[0] == 503


def test_h08_other_spellings_of_the_id_are_no_way_in(eve: Caller, ada: Caller, things: Things) -> None:
    device = things.device_id
    spellings = [
        device.upper(),
        device.replace("-", ""),
        f"{{{device}}}",
        f"urn:uuid:{device}",
        f"%20{device}",
    ]
    for spelling in (*spellings, device.replace("0", "%EF%BC%90", 1), device + "%00"):
        for caller in (eve, ada):
            assert caller.ask("GET", f"/api/devices/{spelling}/proxy/x").status in {400, 404}
            assert caller.ask("GET", f"/api/devices/{spelling}").status in {400, 404}


def test_h08_websockets_are_no_way_in(eve: Caller, ada_unit: Unit) -> None:
    paths = [ada_unit.path("/ws"), f"/ws/detections?device_id={ada_unit.device_id}"]
    for path in (*paths, *(path.replace(ada_unit.device_id, NOWHERE) for path in paths)):
        with pytest.raises(InvalidStatus) as refused:
            eve.websocket(path)
        assert refused.value.response.status_code == 404


def test_h08_lists_and_status_hold_ones_own_things_only(
    eve: Caller, ada: Caller, things: Things, ada_unit: Unit
) -> None:
    assert eve.ask("GET", "/api/devices").data == []
    assert eve.ask("GET", "/api/pairing/status").data == {"connected": False}
    assert eve.ask("GET", "/api/pairing/tokens").data == []
    assert things.token_id not in str(eve.ask("GET", "/api/auth/tokens").data)
    workspaces = {one["id"] for one in ada.ask("GET", "/api/workspaces").data["items"]}
    assert not workspaces & {one["id"] for one in eve.ask("GET", "/api/workspaces").data["items"]}
    for workspace in (*workspaces, NOWHERE):
        answer = eve.ask("POST", "/api/pairing/token", {"workspace_id": workspace})
        assert answer.status == 404


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "{web}.evil.example", "{web}", "http://localhost"]
)
def test_h21_no_page_of_another_origin_may_read_anything(
    server: Server, ada: Caller, ada_unit: Unit, origin: str
) -> None:
    headers = {"Origin": origin.format(web=server.web)}
    preflight = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    for path in ("/api/devices", "/livez", ada_unit.path("/x"), "/api/pairing/exchange", "/nowhere"):
        for answer in (
            ada.ask("GET", path, headers=headers),
            Caller(server.web, None).ask("OPTIONS", path, headers=headers | preflight),
        ):
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_p09_a_pairing_token_of_somebody_else_cannot_be_taken_back(eve: Caller, ada: Caller) -> None:
    made = ada.ask("POST", "/api/pairing/token").data
    for name in (made["id"], made["token"]):
        answer = asked(eve, "delete", f"/api/pairing/tokens/{name}")
        assert answer == asked(eve, "delete", f"/api/pairing/tokens/{NOWHERE}")
    assert ada.ask("DELETE", f"/api/pairing/tokens/{made['token']}").status == 204


def test_nothing_was_changed_by_all_of_this(ada: Caller, ada_unit: Unit, things: Things, eve: Caller) -> None:
    assert ada_unit.item["tunnel_online"]
    assert ada_unit.item["name"] != "mine now"
    assert ada.ask("GET", ada_unit.path("/x")).status == 200
    tokens = {one["id"]: one for one in ada.ask("GET", "/api/pairing/tokens").data}
    assert "revoked_at" not in tokens[things.id_or_token]


def test_p12_one_serial_number_in_two_homes_is_two_devices(
    server: Server, ada: Caller, eve: Caller, backend: Backend, tmp_path: Path
) -> None:
    ids = []
    for caller in (ada, eve):
        pairing = server.evidence.secret(
            caller.ask("POST", "/api/pairing/token").data["token"], "a pairing token"
        )
        body = {"pairing_token": pairing, "serial_number": "KN-0001"}
        done = Caller(server.web, None).ask("POST", "/api/pairing/exchange", body).data
        server.evidence.secret(done["session_token"], "a session token")
        ids.append(done["device_id"])
    assert ids[0] != ids[1]
    assert eve.ask("GET", f"/api/devices/{ids[0]}").status == 404
