"""A server goes while a model is on its way to an accelerator, politely or by force: the next one carries it on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from visiona.agent.sample import accelerators, site

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.client import Caller, until
from tests.e2e.evidence import Evidence
from tests.e2e.sample_unit import sample_unit
from tests.e2e.server import Server, running_server
from tests.e2e.test_model_loads import SIZE, Watched, accelerator, uploaded
from tests.support.servers.postgres import PostgresServer
from tests.support.toxics import ToxicRelay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

DELAY_SECONDS = 0.1
DEEDS = ["model_load_ended", "model_load_started"]


@pytest.fixture
def server(tmp_path: Path, evidence: Evidence) -> Iterator[Server]:
    with running_server(tmp_path / "server", evidence) as server:
        yield server


@pytest.fixture
def way(server: Server) -> Iterator[ToxicRelay]:
    with ToxicRelay(port_of(server)) as way:
        yield way


@pytest.fixture
def unit(server: Server, way: ToxicRelay, tmp_path: Path) -> Iterator[Unit]:
    with unit_behind(server, server.person("ada"), way, tmp_path / "agent") as unit:
        yield unit


def port_of(server: Server) -> int:
    return int(server.relay.rpartition(":")[2])


@contextmanager
def unit_behind(server: Server, owner: Caller, way: ToxicRelay, folder: Path) -> Iterator[Unit]:
    dial = f"ws://127.0.0.1:{way.port}"
    with sample_unit() as local, reference_agent(server, owner, folder, local, "--dial", dial) as (unit, _):
        until(lambda: len(unit.item["accelerators"]) == 2, "the accelerators are known")
        yield unit


def loads(unit: Unit, owner: Caller | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        (owner or unit.owner).ask("GET", f"/api/devices/{unit.device_id}/loads").data
    )
    return found


def deeds(owner: Caller, load_id: str) -> list[str]:
    items = owner.ask("GET", "/api/audit?limit=50").data["items"]
    return [one["deed"] for one in items if one.get("subject") == load_id]


def must_be_noted(owner: Caller, load_id: str) -> None:
    """What is seen of a load is a moment ahead of what is kept of it."""
    until(lambda: deeds(owner, load_id) == DEEDS, "its begin and its end are on record")


@pytest.mark.parametrize("streams", [0, 4], ids=["form", "ranges"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_what_was_pushed_goes_on_after_the_restart(
    number: signal.Signals,
    streams: int,
    server: Server,
    way: ToxicRelay,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(site, "MAX_STREAMS", streams)
    with unit_behind(server, server.person("ada"), way, tmp_path / "agent") as unit:
        model = uploaded(unit.owner, "interrupted", "KL720")
        way.delay(DELAY_SECONDS)
        load = Watched(unit, model)
        load.until_sent(SIZE // 2)
        server.stop(number)
        interrupted = load.to_the_end()
        # It has not failed: whoever watches asks again.
        assert interrupted["state"] == "pushing"
        server.start()
        kept = loads(unit)
        assert [(one["id"], one["state"]) for one in kept] == [(interrupted["id"], "pushing")]
        again = Watched(unit, model, load_id=interrupted["id"])
        way.heal()
        last = again.to_the_end()
        assert (last["state"], last["current"]) == ("active", True), last
        if streams:
            sent = [one["sent_bytes"] for one in again.events if not one["waiting_for_device"]]
            assert min(sent[1:]) > SIZE // 8, "it began anew"
        assert accelerator(unit, "kl720-0").get("model") == "interrupted"
        must_be_noted(unit.owner, last["id"])
        assert [one["current"] for one in loads(unit)] == [True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_load_that_waits_for_its_turn_gets_it_from_the_next_server(
    number: signal.Signals, server: Server, unit: Unit, way: ToxicRelay
) -> None:
    first, second = uploaded(unit.owner, "first", "KL720"), uploaded(unit.owner, "second", "KL520", 1000)
    way.delay(DELAY_SECONDS)
    one = Watched(unit, first)
    one.until_sent(SIZE // 8)
    two = Watched(unit, second)
    until(lambda: two.events, "the second one waits")
    server.stop(number)
    assert [watched.to_the_end()["state"] for watched in (one, two)] == ["pushing", "queued"]
    server.start()
    way.heal()
    until(lambda: {one["state"] for one in loads(unit)} == {"active"}, "both are there", 30)
    ends = {one["accelerator"]: one["updated_at"] for one in loads(unit)}
    assert ends["kl720-0"] < ends["kl520-0"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_what_was_flashed_meanwhile_is_asked_of_the_device(
    number: signal.Signals, server: Server, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerators, "FLASH_SECONDS", 3.0)
    model = uploaded(unit.owner, "flashed", "KL720", 1000)
    load = Watched(unit, model)
    until(lambda: load.events and load.events[-1]["state"] == "flashing", "it is flashed")
    server.stop(number)
    load_id = load.to_the_end()["id"]
    server.start()
    last = Watched(unit, model, load_id=load_id).to_the_end()
    assert (last["state"], last["current"]) == ("active", True), last
    must_be_noted(unit.owner, load_id)


def test_who_was_taken_out_meanwhile_loads_nothing(server: Server, way: ToxicRelay, unit: Unit) -> None:
    model = uploaded(unit.owner, "disabled", "KL720")
    way.delay(DELAY_SECONDS)
    load = Watched(unit, model)
    load.until_sent(SIZE // 8)
    server.stop(signal.SIGKILL)
    load.to_the_end()
    assert server.run("user", "disable", "ada@example.org").code == 0
    server.start()
    server.run("user", "enable", "ada@example.org")
    ada = Caller(server.web, server.token("ada@example.org", "again"))
    until(lambda: loads(unit, ada)[0]["state"] == "failed", "it has ended", 20)


def test_an_accelerator_tells_after_a_restart_what_was_loaded_onto_it(server: Server, unit: Unit) -> None:
    old, new = (uploaded(unit.owner, name, "KL720", 1000) for name in ("old", "new"))
    assert Watched(unit, old).to_the_end()["state"] == "active"
    assert Watched(unit, new).to_the_end()["state"] == "active"
    server.stop(signal.SIGKILL)
    server.start()

    def current() -> list[tuple[str, bool]]:
        return [(one["model_name"], one["current"]) for one in loads(unit)]

    # If the end was not on record yet when it was killed, the next server asks the device.
    until(lambda: current() == [("new", True)], "it is told", 30)


def test_of_two_servers_on_one_database_one_carries_a_load_and_the_other_takes_over(
    tmp_path: Path, evidence: Evidence
) -> None:
    with PostgresServer() as postgres:
        url = f"database.url={postgres.create_database()}"
        storage = f"storage.path={tmp_path / 'files'}"
        with (
            running_server(tmp_path / "one", evidence, url, storage) as one,
            running_server(tmp_path / "two", evidence, url, storage) as two,
            ToxicRelay(port_of(one)) as way,
            unit_behind(one, one.person("ada"), way, tmp_path / "agent") as unit,
        ):
            elsewhere = Caller(two.web, two.token("ada@example.org", "two"))
            model = uploaded(unit.owner, "handed over", "KL720")
            way.delay(DELAY_SECONDS)
            load = Watched(unit, model)
            load.until_sent(SIZE // 4)
            # Another model for the same accelerator is refused by both.
            other = uploaded(unit.owner, "in the way", "KL720", 1000)
            path = f"/api/models/{other['id']}/load-to-device"
            assert unit.owner.ask("POST", path, {"device_id": unit.device_id}).status == 409
            one.stop(signal.SIGKILL)
            load_id = load.to_the_end()["id"]
            way.lead_to(port_of(two))
            way.heal()
            until(lambda: loads(unit, elsewhere)[0]["state"] == "active", "the other has taken over", 60)
            must_be_noted(elsewhere, load_id)
            assert len(two.lines("a load is taken up again")) == 1
            one.start()
            assert not one.lines("a load is taken up again")


def test_s01_a_load_outlives_the_database_that_is_away(tmp_path: Path, evidence: Evidence) -> None:
    with (
        PostgresServer() as postgres,
        running_server(tmp_path / "server", evidence, f"database.url={postgres.create_database()}") as server,
        ToxicRelay(port_of(server)) as way,
        unit_behind(server, server.person("ada"), way, tmp_path / "agent") as unit,
    ):
        model = uploaded(unit.owner, "meanwhile", "KL720")
        way.delay(DELAY_SECONDS)
        load = Watched(unit, model)
        load.until_sent(SIZE // 8)
        postgres.kill()
        way.heal()
        # Whoever watches is told all of it, whatever the database knows.
        last = load.to_the_end()
        assert (last["state"], load.states()) == ("active", ["queued", "pushing", "flashing", "active"])
        postgres.start()

        def kept() -> list[str]:
            answer = unit.owner.ask("GET", f"/api/devices/{unit.device_id}/loads")
            return [one["state"] for one in answer.data] if answer.status == 200 else []

        until(lambda: kept() == ["active"], "the database is told", 30)
        until(lambda: deeds(unit.owner, last["id"]) == DEEDS, "the log is told", 30)
