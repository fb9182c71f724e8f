"""Whether a device is there is never guessed: agents that are killed, networks that fall silent, tunnels replaced.

The keepalive is shortened to a second by settings; everything else is as it ships.
"""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import InFlight, ReferenceAgent, Unit, go_unit, pair, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, until, watch_stream
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, running_server
from tests.interop import gobuild
from tests.interop.programs import go_agent
from tests.support.toxics import before

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Server]:
    settings = ("relay.ping_seconds=0.2", "relay.dead_seconds=1", "relay.clone_replacements=4")
    with running_server(tmp_path_factory.mktemp("server"), evidence, *settings) as server:
        yield server


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def timeline(unit: Unit) -> list[str]:
    """Connections, causes of ends, and alarms; the oldest first."""
    return [event.get("cause", event["kind"]) for event in reversed(unit.events)]


@pytest.fixture(scope="module")
def timelines() -> list[tuple[Unit, list[str]]]:
    """What must be in the timelines, which are written a few seconds later: the last test looks at them all."""
    return []


Timelines = list[tuple[Unit, list[str]]]


def must_be_offline(unit: Unit, cause: str) -> None:
    """The same truth wherever one asks."""
    item = unit.item
    assert (item["remote_status"], item["tunnel_online"], item["offline_cause"]) == ("offline", False, cause)
    refused = unit.owner.ask("GET", unit.path("/x"))
    assert (refused.status, refused.error["code"]) == (503, "DEVICE_OFFLINE")
    assert refused.error["details"]["cause"] == cause
    assert refused.error["details"]["since"] == item["last_seen_at"]
    page = unit.owner.ask(
        "GET", unit.path("/"), headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    )
    assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert b"<html" in page.body


def test_a_killed_agent_is_offline_at_once_and_requests_in_flight_end(
    server: Server, ada: Caller, backend: Backend, folder: Path, timelines: Timelines, measured: Measured
) -> None:
    with reference_agent(server, ada, folder, backend.url) as (unit, agent):
        camera, waiting = watch_stream(ada, unit.path("/mjpeg")), InFlight(unit, backend)
        agent.stop(signal.SIGKILL)
        killed_at = time.monotonic()
        answer = waiting.ended()
        measured("502 after the kill", time.monotonic() - killed_at)
        camera.ended()
        assert (answer.status, answer.error["code"]) == (502, "DEVICE_ERROR")
        unit.wait_offline()
        until(lambda: unit.item.get("offline_cause"), "its cause is known")
        cause = unit.item["offline_cause"]
        assert cause in {"agent_closed", "tcp_reset"}
        must_be_offline(unit, cause)
        agent.start()
        unit.wait_online()
        assert "offline_cause" not in unit.item
        assert ada.ask("GET", unit.path("/x")).status == 200
        timelines.append((unit, ["paired", "connected", cause, "connected"]))


def test_t40_a_silent_network_is_offline_with_its_cause(
    server: Server, ada: Caller, backend: Backend, folder: Path, timelines: Timelines, measured: Measured
) -> None:
    with before(port_of(server.relay)) as between:
        dial = ("--dial", f"ws://127.0.0.1:{between.port}")
        with reference_agent(server, ada, folder, backend.url, *dial) as (unit, agent):
            camera, waiting = watch_stream(ada, unit.path("/mjpeg")), InFlight(unit, backend)
            between.swallow()
            silent_at = time.monotonic()
            answer = waiting.ended()
            measured("502 after the silence (1 s by settings)", time.monotonic() - silent_at)
            assert (answer.status, answer.error["code"]) == (502, "DEVICE_ERROR")
            assert answer.error["details"]["cause"] == "keepalive_timeout"
            camera.ended()
            must_be_offline(unit, "keepalive_timeout")
            agent.stop(signal.SIGKILL)
            between.heal()
            agent.start()
            unit.wait_online()
            timelines.append((unit, ["paired", "connected", "keepalive_timeout", "connected"]))


@pytest.mark.interop
@pytest.mark.parametrize("generation", sorted(gobuild.GENERATIONS))
def test_t40_a_silent_network_with_an_agent_that_exists(
    server: Server, ada: Caller, backend: Backend, generation: str
) -> None:
    gobuild.binary("agent")
    with before(port_of(server.relay)) as between:
        flags = {"mode": "forward", "target": backend.address, "relay": f"ws://127.0.0.1:{between.port}"}
        with go_unit(server, ada, generation, **flags) as (unit, _):
            waiting = InFlight(unit, backend)
            between.swallow()
            assert waiting.ended().error["details"]["cause"] == "keepalive_timeout"
            must_be_offline(unit, "keepalive_timeout")


@pytest.mark.interop
@pytest.mark.parametrize(("order", "cause"), [("drop", "tcp_reset"), ("close", "agent_closed")])
def test_each_end_has_its_own_cause(
    server: Server, ada: Caller, order: str, cause: str, timelines: Timelines
) -> None:
    gobuild.binary("agent")
    with go_unit(server, ada, "new", once=True) as (unit, program):
        program.tell(order)
        unit.wait_offline()
        must_be_offline(unit, cause)
        timelines.append((unit, ["paired", "connected", cause]))


class Flicker:
    """Asks for a device's status all the time; remembers each answer that was not `online`."""

    def __init__(self, unit: Unit) -> None:
        self.asked = 0
        self.offline: list[object] = []
        self._unit = unit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.is_set():
            item = self._unit.item
            self.asked += 1
            if not item["tunnel_online"] or item["remote_status"] != "online":
                self.offline.append(item)

    def __enter__(self) -> "Flicker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.mark.interop
def test_t42_the_newest_connection_wins_and_the_status_does_not_flicker(
    server: Server, ada: Caller, backend: Backend, timelines: Timelines
) -> None:
    gobuild.binary("agent")
    flags = {"once": True, "mode": "pipe", "target": backend.address, "instance": "one"}
    with go_unit(server, ada, "new", **flags) as (unit, old):
        waiting = InFlight(unit, backend)
        with (
            Flicker(unit) as flicker,
            go_agent(server.relay, unit.session_token, "old", **flags) as new,
        ):
            new.wait("connected")
            old.wait("goaway")
            backend.go_on.set()
            assert waiting.ended().status in {200, 502}
            old.wait("disconnected")
            assert ada.ask("GET", unit.path("/x")).status == 200
            assert new.process.poll() is None
            before = flicker.asked
            until(lambda: flicker.asked > before + 5, "the status was asked after it, too")
            assert flicker.offline == []
            # The watch ends before the agent does, whose end is no flicker.
            flicker.stop()
        unit.wait_offline()
        last = unit.item["offline_cause"]
        timelines.append((unit, ["paired", "connected", "replaced", "connected", last]))


@pytest.mark.interop
def test_t43_two_installations_with_one_token_are_noticed_and_stopped(
    server: Server, ada: Caller, timelines: Timelines
) -> None:
    gobuild.binary("agent")
    unit = pair(server, ada)
    with (
        go_agent(server.relay, unit.session_token, "new", instance="mine") as mine,
        go_agent(server.relay, unit.session_token, "old", instance="its clone") as clone,
    ):
        until(lambda: mine.said("refused") or clone.said("refused"), "one of the two is refused", 30)
        (refused,) = [one for one in (mine, clone) if one.said("refused")]
        holder = clone if refused is mine else mine
        said = refused.said("refused")[0]
        assert (said["status"], json.loads(said["body"])["error"]["code"]) == (409, "CONFLICT")
        assert int(said["retry_after"]) > 60
        lost = len(holder.said("disconnected"))
        assert ada.ask("GET", unit.path("/headers")).status == 200
        assert len(holder.said("disconnected")) == lost
        words = ("WARNING", "fight over one token, from 127.0.0.1 and 127.0.0.1", unit.device_id)
        until(lambda: server.lines(*words), "the operator is told")
        timelines.append((unit, ["alarm"]))


def test_a_copied_credential_is_a_clone_as_well(
    server: Server, ada: Caller, backend: Backend, folder: Path
) -> None:
    """The whole state directory copied, as by an image of a card: nothing tells the two apart, and one tunnel stays."""
    with reference_agent(server, ada, folder, backend.url) as (unit, first):
        copy = folder.parent / f"copy-{os.getpid()}"
        shutil.copytree(folder / "state", copy)
        second = ReferenceAgent(server, copy, folder.parent / "second.log")
        second.start()
        try:
            until(
                lambda: server.lines("tunnel down", "cause=replaced", unit.device_id), "the first is replaced"
            )
            first.stop(signal.SIGKILL)
            unit.wait_online()
            assert ada.ask("GET", unit.path("/x")).status == 200
        finally:
            second.stop()


def test_every_timeline_tells_each_connection_and_why_it_ended(timelines: Timelines) -> None:
    for unit, expected in timelines:
        until(lambda unit=unit, expected=expected: is_in_order(expected, timeline(unit)), f"{expected}", 8)


def is_in_order(expected: list[str], found: list[str]) -> bool:
    """Whether all that is expected is there in this order; an agent may have come once more."""
    rest = iter(found)
    return all(one in rest for one in expected)
