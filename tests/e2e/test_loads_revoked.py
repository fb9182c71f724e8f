"""A model on its way to an accelerator when what it needs is taken away: it ends, says why, and the log has it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.client import Caller, until
from tests.e2e.sample_unit import sample_unit
from tests.e2e.server import Server
from tests.e2e.test_loads_restart import port_of
from tests.e2e.test_model_loads import SIZE, Watched, uploaded
from tests.e2e.test_workspaces import shared
from tests.support.toxics import ToxicRelay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

Deed = Callable[[Server, Caller, Caller, Unit, str], None]


@pytest.fixture(scope="module")
def way(server: Server) -> Iterator[ToxicRelay]:
    with ToxicRelay(port_of(server)) as way:
        yield way


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with sample_unit() as base:
        yield base


@pytest.fixture
def owner(server: Server) -> Caller:
    return server.person(f"owner-{os.urandom(6).hex()}")


@pytest.fixture
def guest(server: Server) -> Caller:
    return server.person(f"guest-{os.urandom(6).hex()}")


@pytest.fixture
def unit(
    server: Server, owner: Caller, local: str, way: ToxicRelay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Unit]:
    folder, dial = tmp_path_factory.mktemp("agent"), f"ws://127.0.0.1:{way.port}"
    with reference_agent(server, owner, folder, local, "--dial", dial) as (unit, _):
        until(lambda: len(unit.item["accelerators"]) == 2, "the accelerators are known")
        yield unit


def me(caller: Caller) -> Any:
    return caller.ask("GET", "/api/auth/me").data


def remove_member(_: Server, owner: Caller, guest: Caller, __: Unit, lab: str) -> None:
    assert owner.ask("DELETE", f"/api/workspaces/{lab}/members/{me(guest)['sub']}").status == 200


def disable(server: Server, _: Caller, guest: Caller, __: Unit, ___: str) -> None:
    email = me(guest)["email"]
    assert server.run("user", "disable", email).code == 0


def unpair(_: Server, owner: Caller, __: Caller, unit: Unit, ___: str) -> None:
    assert owner.ask("POST", f"/api/devices/{unit.device_id}/unpair").status == 200


def move(_: Server, owner: Caller, __: Caller, unit: Unit, ___: str) -> None:
    home = me(owner)["workspaces"][0]["id"]
    done = owner.ask("POST", f"/api/devices/{unit.device_id}/transfer", {"workspace_id": home})
    assert done.status == 200, done.body


def revoke_token(_: Server, __: Caller, guest: Caller, ___: Unit, ____: str) -> None:
    (token,) = guest.ask("GET", "/api/auth/tokens").data["items"]
    assert guest.ask("DELETE", f"/api/auth/tokens/{token['id']}").status == 204


@pytest.mark.parametrize(
    ("take_away", "words"),
    [
        (remove_member, "not in the device's workspace"),
        (disable, "disabled"),
        (unpair, "unpaired"),
        (move, "not in the device's workspace"),
        (revoke_token, "access token"),
    ],
)
def test_t45_a_load_ends_with_the_right_to_it_and_the_log_says_so(
    take_away: Deed, words: str, server: Server, owner: Caller, guest: Caller, unit: Unit, way: ToxicRelay
) -> None:
    lab = shared(server, owner, guest, "Lab")
    owner.ask("POST", f"/api/devices/{unit.device_id}/transfer", {"workspace_id": lab})
    model = uploaded(guest, "theirs", "KL720")
    way.delay(0.1)
    load = Watched(Unit(server, guest, unit.device_id, unit.session_token), model)
    load.until_sent(SIZE // 8)
    take_away(server, owner, guest, unit, lab)
    load_id = load.to_the_end()["id"]

    def ends() -> list[dict[str, Any]]:
        items = owner.ask("GET", f"/api/audit?workspace={lab}&limit=100").data["items"]
        return [one for one in items if (one["deed"], one.get("subject")) == ("model_load_ended", load_id)]

    until(ends, "the log has it")
    (end,) = ends()
    assert (end["outcome"], end["details"]["code"]) == ("failed", "REVOKED")
    assert words in end["details"]["cause"]
    way.heal()
    if take_away is not unpair:
        (kept,) = owner.ask("GET", f"/api/devices/{unit.device_id}/loads").data
        assert (kept["state"], kept["code"], words in kept["message"]) == ("failed", "REVOKED", True)
        # The accelerator is free for others.
        other = uploaded(owner, "ours", "KL720", 1000)
        assert Watched(unit, other).to_the_end()["state"] == "active"


def test_of_many_who_ask_at_once_one_load_comes_about(owner: Caller, unit: Unit, way: ToxicRelay) -> None:
    models = [uploaded(owner, f"model-{number}", "KL720", 100_000) for number in range(4)]
    way.delay(0.1)
    wish = {"device_id": unit.device_id}

    def ask(model: dict[str, Any]) -> tuple[int, str]:
        with owner.stream("POST", f"/api/models/{model['id']}/load-to-device", wish) as answer:
            if answer.status == 200:
                answer.readline()
                return 200, str(model["id"])
            return answer.status, ""

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(ask, models * 3))
    taken = {model_id for status, model_id in answers if status == 200}
    assert len(taken) == 1
    assert {status for status, model_id in answers if not model_id} == {409}
    assert [status for status, _ in answers].count(200) == 3
    (kept,) = owner.ask("GET", f"/api/devices/{unit.device_id}/loads").data
    assert {kept["model_id"]} == taken
    way.heal()
    until(
        lambda: owner.ask("GET", f"/api/devices/{unit.device_id}/loads").data[0]["state"] == "active",
        "it is there",
        30,
    )
