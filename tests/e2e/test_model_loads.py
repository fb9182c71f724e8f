"""A model from a laptop to an accelerator: uploaded, pushed through a tunnel, checked there, and flashed."""

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from visiona.agent.sample import site

from tests.e2e.agents import Unit, go_unit, reference_agent
from tests.e2e.client import Caller, until
from tests.e2e.sample_unit import sample_unit
from tests.e2e.server import Server
from tests.interop import gobuild
from tests.support.toxics import ToxicRelay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SIZE = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with sample_unit() as base:
        yield base


@pytest.fixture(scope="module")
def way(server: Server) -> Iterator[ToxicRelay]:
    """Between the agent and the relay port."""
    with ToxicRelay(int(server.relay.rpartition(":")[2])) as way:
        yield way


@pytest.fixture(scope="module")
def unit(
    server: Server, ada: Caller, local: str, way: ToxicRelay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Unit]:
    dial = f"ws://127.0.0.1:{way.port}"
    with reference_agent(server, ada, tmp_path_factory.mktemp("loads"), local, "--dial", dial) as (unit, _):
        until(lambda: len(unit.item["accelerators"]) == 2, "the accelerators are known")
        yield unit


def uploaded(owner: Caller, name: str, chip: str, size: int = SIZE) -> dict[str, Any]:
    """A model whose file is there."""
    content = os.urandom(size)
    words = {
        "name": name,
        "version": "1",
        "target_chips": [chip],
        "file_size": size,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    made = owner.ask("POST", "/api/models/init", words).data
    link = made["upload_url"]
    path = link[link.index("/storage/") :]
    assert Caller(owner.web, None).ask("PUT", path, content).status == 200
    found: dict[str, Any] = owner.ask("POST", f"/api/models/{made['model']['id']}/finalize").data
    return found


class Watched:
    """A load, followed in a thread; begun by that, or, with an id, somebody's."""

    def __init__(self, unit: Unit, model: dict[str, Any], load_id: str | None = None, **more: str) -> None:
        self._unit = unit
        self._path = f"/api/models/{model['id']}/load-to-device"
        self._wish: dict[str, str] | None = {"device_id": unit.device_id, **more}
        if load_id is not None:
            self._path, self._wish = f"/api/devices/{unit.device_id}/loads/{load_id}/events", None
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        method = "POST" if self._wish is not None else "GET"
        # A server that is killed ends its answers in the middle.
        broken = contextlib.suppress(OSError, HTTPException)
        with broken, self._unit.owner.stream(method, self._path, self._wish) as answer:
            assert answer.status == 200, answer.read()
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            for line in answer:
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line[6:]))

    def to_the_end(self) -> dict[str, Any]:
        self._thread.join(60)
        assert not self._thread.is_alive(), self.events[-1:]
        return self.events[-1]

    def states(self) -> list[str]:
        """In order, each once."""
        return list(dict.fromkeys(one["state"] for one in self.events))

    def until_sent(self, count: int) -> None:
        until(lambda: self.events and self.events[-1]["sent_bytes"] >= count, f"{count} bytes are sent")


def accelerator(unit: Unit, local_id: str) -> dict[str, Any]:
    return next(one for one in unit.item["accelerators"] if one["id"] == local_id)


def test_a_model_comes_whole_onto_the_accelerator_that_it_is_made_for(unit: Unit) -> None:
    model = uploaded(unit.owner, "detector", "KL720")
    load = Watched(unit, model)
    last = load.to_the_end()
    assert last["state"] == "active", last
    assert load.states() == ["queued", "pushing", "flashing", "active"]
    assert last["accelerator"] == "kl720-0"
    assert last["sent_bytes"] == last["total_bytes"] == SIZE
    assert any(one.get("progress", 0) > 0 for one in load.events)
    until(lambda: accelerator(unit, "kl720-0").get("model") == "detector", "the inventory tells of it")
    kept = unit.owner.ask("GET", f"/api/devices/{unit.device_id}/loads").data
    assert [one["state"] for one in kept if one["accelerator"] == "kl720-0"] == ["active"]
    deeds = [
        one["deed"]
        for one in unit.owner.ask("GET", "/api/audit?limit=50").data["items"]
        if one.get("subject") == last["id"]
    ]
    assert deeds == ["model_load_ended", "model_load_started"]


def test_m06_another_chip_is_refused_before_anything_is_sent(unit: Unit) -> None:
    model = uploaded(unit.owner, "other", "KL630", 1000)
    answer = unit.owner.ask(
        "POST", f"/api/models/{model['id']}/load-to-device", {"device_id": unit.device_id}
    )
    assert answer.status == 409
    assert answer.error["code"] == "CONFLICT"
    assert answer.error["details"]["accelerators"] == ["kl520-0 (KL520)", "kl720-0 (KL720)"]
    assert answer.error["details"]["target_chips"] == ["KL630"]
    wrong = uploaded(unit.owner, "wrong", "KL520", 1000)
    wish = {"device_id": unit.device_id, "accelerator": "kl720-0"}
    assert unit.owner.ask("POST", f"/api/models/{wrong['id']}/load-to-device", wish).status == 409


def test_t40_a_tunnel_that_is_cut_in_the_middle_costs_only_what_was_on_its_way(
    unit: Unit, way: ToxicRelay
) -> None:
    model = uploaded(unit.owner, "resumed", "KL720")
    way.delay(0.05)
    load = Watched(unit, model)
    load.until_sent(SIZE // 2)
    way.reset()
    way.heal()
    last = load.to_the_end()
    assert last["state"] == "active", last
    assert any(one["waiting_for_device"] for one in load.events)
    after = next(i for i, one in enumerate(load.events) if one["waiting_for_device"])
    # It goes on from what is there, not from the beginning.
    assert min(one["sent_bytes"] for one in load.events[after:]) > SIZE // 8


def test_a_load_is_cancelled_while_it_is_pushed(unit: Unit, way: ToxicRelay) -> None:
    model = uploaded(unit.owner, "cancelled", "KL520")
    way.delay(0.1)
    load = Watched(unit, model)
    load.until_sent(SIZE // 8)
    path = f"/api/devices/{unit.device_id}/loads/{load.events[-1]['id']}"
    assert unit.owner.ask("DELETE", path).status == 204
    way.heal()
    last = load.to_the_end()
    assert (last["state"], last["code"]) == ("failed", "CANCELLED")
    assert unit.owner.ask("DELETE", path).status == 409
    assert accelerator(unit, "kl520-0").get("model") != "cancelled"


def test_a_load_goes_on_without_its_viewer_and_others_join_it(unit: Unit, way: ToxicRelay) -> None:
    model = uploaded(unit.owner, "joined", "KL720")
    path = f"/api/models/{model['id']}/load-to-device"
    way.delay(0.05)
    with unit.owner.stream("POST", path, {"device_id": unit.device_id}) as answer:
        assert answer.readline() == b"event: queued\n"
    first, second = Watched(unit, model), Watched(unit, model)
    second.until_sent(SIZE // 8)
    other = uploaded(unit.owner, "in the way", "KL720", 1000)
    refused = unit.owner.ask(
        "POST", f"/api/models/{other['id']}/load-to-device", {"device_id": unit.device_id}
    )
    assert refused.status == 409
    assert refused.error["details"]["load_id"] == second.events[0]["id"]
    way.heal()
    assert first.to_the_end()["id"] == second.to_the_end()["id"]
    assert first.events[-1]["state"] == "active"


def test_of_strangers_nothing_is_seen(unit: Unit, server: Server, tmp_path: Path) -> None:
    eve = server.person("eve")
    model = uploaded(eve, "hers", "KL720", 1000)
    wish = {"device_id": unit.device_id}
    assert eve.ask("POST", f"/api/models/{model['id']}/load-to-device", wish).status == 404
    assert eve.ask("GET", f"/api/devices/{unit.device_id}/loads").status == 404
    nobody = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
    for method, tail in (("DELETE", ""), ("GET", "/events")):
        path = f"/api/devices/{unit.device_id}/loads/{nobody}{tail}"
        assert eve.ask(method, path).status == 404
        assert unit.owner.ask(method, path).status == 404


@pytest.mark.interop
@pytest.mark.parametrize("generation", gobuild.GENERATIONS)
@pytest.mark.parametrize("streams", [0, 4])
def test_go_agents_bring_a_model_as_a_form_and_in_ranges(
    generation: str, streams: int, server: Server, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0: the local tool does not know of ranges, as all that exist."""
    monkeypatch.setattr(site, "MAX_STREAMS", streams)
    with (
        sample_unit() as local,
        go_unit(server, ada, generation, mode="pipe", target=local.removeprefix("http://")) as (unit, _),
    ):
        until(lambda: len(unit.item["accelerators"]) == 2, "the accelerators are known")
        model = uploaded(ada, f"go-{generation}-{streams}", "KL720")
        load = Watched(unit, model)
        last = load.to_the_end()
        assert last["state"] == "active", last
        assert load.states() == ["queued", "pushing", "flashing", "active"]
