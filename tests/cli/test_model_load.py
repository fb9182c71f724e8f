"""`visiona model load|loads` against a real server, with a real unit behind it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from visiona.cli.model_load import _one
from visiona.cli.output import CommandError, Exit

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.client import until
from tests.e2e.evidence import Evidence
from tests.e2e.sample_unit import sample_unit
from tests.e2e.server import Said, Server, clean_environment, in_process, running_server
from tests.e2e.test_model_loads import uploaded
from tests.support.servers.guardian import watched
from tests.support.toxics import ToxicRelay

SIZE = 8 * 1024 * 1024
BIG = pytest.mark.timeout(90)

Run = Callable[..., Said]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), Evidence()) as server:
        yield server


@pytest.fixture(scope="module")
def way(server: Server) -> Iterator[ToxicRelay]:
    with ToxicRelay(int(server.relay.rpartition(":")[2])) as way:
        yield way


@pytest.fixture(scope="module")
def unit(server: Server, way: ToxicRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unit]:
    folder, dial = tmp_path_factory.mktemp("agent"), f"ws://127.0.0.1:{way.port}"
    with (
        sample_unit() as local,
        reference_agent(server, server.person("ada"), folder, local, "--dial", dial) as (unit, _),
    ):
        until(lambda: len(unit.item["accelerators"]) == 2, "the accelerators are known")
        unit.owner.ask("PATCH", f"/api/devices/{unit.device_id}", {"name": "Gate 7"})
        yield unit


@pytest.fixture
def where(unit: Unit, tmp_path: Path) -> tuple[str, ...]:
    token = tmp_path / "token"
    token.write_text(str(unit.owner.token))
    return "--server", unit.server.web, "--token-file", str(token)


@pytest.mark.slow
@BIG
def test_a_model_is_loaded_by_name_and_listed(unit: Unit, where: tuple[str, ...]) -> None:
    model = uploaded(unit.owner, "detector", "KL720", 1000)
    done = in_process("model", "load", "detector", "Gate 7", *where)
    assert (done.code, done.out) == (0, "detector 1 is on kl720-0 (KL720)\n"), done.err
    again = in_process(
        "model", "load", model["id"], unit.device_id, "--accelerator", "kl720-0", "--json", *where
    )
    assert (again.json["state"], again.json["current"]) == ("active", True)
    listed = in_process("model", "loads", *where).out.splitlines()
    assert listed[0].split() == ["DEVICE", "ACCELERATOR", "MODEL", "ON", "IT", "STATE", "SENT", "AT", "LOAD"]
    (line,) = [line for line in listed if "kl720-0" in line]
    assert line.startswith("Gate 7  kl720-0      detector 1  yes    active")
    assert in_process("model", "loads", "--device", "Gate 7", "--json", *where).json == [again.json]


@pytest.mark.slow
@BIG
def test_a_refusal_is_one_sentence_and_a_code(unit: Unit, where: tuple[str, ...]) -> None:
    uploaded(unit.owner, "misfit", "KL630", 1000)
    for order, code, says in (
        (("misfit", "Gate 7"), 1, "[CONFLICT]"),
        (("none", "Gate 7"), 4, "[NOT_FOUND]"),
        (("misfit", "none"), 4, "[NOT_FOUND]"),
    ):
        said = in_process("model", "load", *order, *where)
        assert (said.code, says in said.err, len(said.err.splitlines())) == (code, True, 1), said
    assert in_process("model", "loads", "--device", "none", *where).code == 4
    assert in_process("model", "load", "x", "y").code == 2


@pytest.mark.slow
@BIG
def test_a_load_that_fails_says_why(unit: Unit, where: tuple[str, ...]) -> None:
    uploaded(unit.owner, "busy", "KL520", 1000)
    assert unit.owner.ask("POST", unit.path("/api/devices/kl520-0/connect")).status == 200
    assert unit.owner.ask("POST", unit.path("/api/devices/kl520-0/inference/start"), {}).status == 200
    said = in_process("model", "load", "busy", "Gate 7", "--json", *where)
    assert (said.code, "[DEVICE_BUSY]" in said.err) == (1, True), said
    assert json.loads(said.out)["code"] == "DEVICE_BUSY"


@pytest.mark.slow
@BIG
@pytest.mark.parametrize("answer", ["y", "n", "Ctrl-C"])
def test_ctrl_c_asks_whether_the_load_is_to_end(
    answer: str, unit: Unit, way: ToxicRelay, where: tuple[str, ...]
) -> None:
    model = uploaded(unit.owner, f"interrupted-{answer}", "KL720", SIZE)
    way.delay(0.1)
    near, far = os.openpty()
    order = [sys.executable, "-m", "visiona", "model", "load", model["id"], "Gate 7", *where]
    environment = clean_environment() | {"COLUMNS": "100"}
    process = watched(subprocess.Popen(order, stdin=far, stdout=subprocess.PIPE, stderr=far, env=environment))
    os.close(far)
    seen = b""

    def shows(words: str) -> bool:
        nonlocal seen
        if words.encode() not in seen:
            seen += os.read(near, 65536)
        return words.encode() in seen

    until(lambda: shows("pushing  "), "it has a bar", 30)
    process.send_signal(signal.SIGINT)
    until(lambda: shows("cancel the load?"), "it asks", 10)
    if answer == "Ctrl-C":
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        way.heal()
    else:
        os.write(near, f"{answer}\n".encode())
        assert process.wait(20) == 1
        way.heal()
        until(lambda: shows("CANCELLED" if answer == "y" else "INTERRUPTED"), "it says what became of it", 5)
    os.close(near)
    assert process.stdout is not None
    assert process.stdout.read() == b""
    process.stdout.close()

    def state() -> dict[str, Any]:
        found = unit.owner.ask("GET", f"/api/devices/{unit.device_id}/loads").data
        return next(one for one in found if one["model_id"] == model["id"])

    until(lambda: state()["state"] in {"active", "failed"}, "it is over", 30)
    assert (state()["state"], state().get("code")) == (
        ("failed", "CANCELLED") if answer == "y" else ("active", None)
    )


@pytest.mark.slow
@BIG
def test_a_load_is_followed_over_the_servers_restart(
    unit: Unit, server: Server, way: ToxicRelay, where: tuple[str, ...]
) -> None:
    model = uploaded(unit.owner, "restarted", "KL720", SIZE)
    way.delay(0.1)
    order = [sys.executable, "-m", "visiona", "model", "load", model["id"], "Gate 7", "--json", *where]
    pipe = subprocess.PIPE
    process = watched(subprocess.Popen(order, stdout=pipe, stderr=pipe, text=True, env=clean_environment()))

    def sent() -> int:
        found = unit.owner.ask("GET", f"/api/devices/{unit.device_id}/loads").data
        return max((one["sent_bytes"] for one in found if one["model_id"] == model["id"]), default=0)

    until(lambda: sent() > SIZE // 8, "it is on its way", 30)
    server.stop(signal.SIGKILL)
    server.start()
    way.heal()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["state"]) == (0, "active"), err


def test_a_name_is_one_things_or_an_id_is_asked_for() -> None:
    items = [
        {"id": "1", "name": "detector", "version": "1"},
        {"id": "2", "name": "detector", "version": "2"},
        {"id": "3", "name": "1", "version": "1"},
    ]
    assert [_one(items, wanted, "model")["id"] for wanted in ("2", "1", "detector 2")] == ["2", "1", "2"]
    for wanted, code in (("detector", Exit.USAGE), ("none", Exit.NOT_FOUND)):
        with pytest.raises(CommandError) as refused:
            _one(items, wanted, "model")
        assert refused.value.exit_code is code
