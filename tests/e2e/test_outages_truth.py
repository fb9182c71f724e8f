"""S-01: what is true after an outage is what was said before and during it, and nobody is left outside.

The site and its unit are those of all tests of outages.
"""

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.agents import ReferenceAgent, Unit, pair
from tests.e2e.client import Caller, Watching, until, watch_stream, watch_websocket
from tests.e2e.evidence import Evidence
from tests.e2e.idle import Idle
from tests.e2e.outage_kinds import outage_named
from tests.e2e.outages import ANSWERED_SECONDS, Outage, Request, Site, figure, must_be_honest
from tests.e2e.server import Server, running_server
from tests.support.relays import request as handshake
from tests.support.route_needs import DATABASE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]

COMMIT = b"COMMIT\0"
"""As the driver says it; with its end, or READ COMMITTED would be one."""

BACK_SECONDS = 5.0

KILLED, FROZEN, BLACK_HOLE, REFUSED = (
    outage_named(name) for name in ("killed (SIGKILL)", "frozen (SIGSTOP)", "black hole", "refused")
)


@pytest.fixture(autouse=True)
def all_is_well(site: Site) -> Iterator[None]:
    site.warm()
    yield
    site.to_postgres.heal()
    until(lambda: site.failing() == [], "all is well again")


class Writers:
    """People who make tokens all the time; what each was answered."""

    def __init__(self, people: list[Caller]) -> None:
        self.answers: list[tuple[str, int, str]] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(one,)) for one in people]
        for thread in self._threads:
            thread.start()

    def _write(self, caller: Caller) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            name = f"{caller.token[-8:] if caller.token else ''}-{number}"
            answer = caller.ask("POST", "/api/auth/tokens", {"name": name, "ttl_seconds": 1})
            made = str(answer.data["id"]) if answer.status == 201 else ""
            self.answers.append((name, answer.status, made))

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)


def test_s01_killed_under_load_nothing_that_was_answered_is_lost_and_nothing_is_there_twice(
    site: Site,
) -> None:
    people = [site.server.person(f"writer-{number}") for number in range(4)]
    writers = Writers(people)
    for _ in range(3):
        before = len(writers.answers)
        until(lambda before=before: len(writers.answers) > before + 40, "they write")
        site.postgres.kill()
        site.postgres.start()
    until(lambda: [status for _, status, _ in writers.answers[-4:]] == [201] * 4, "they write again")
    writers.stop()
    kept = [line.split("|") for line in site.sql("SELECT name, id FROM access_tokens").splitlines()]
    times, ids = Counter(name for name, _ in kept), dict(kept)
    assert {status for _, status, _ in writers.answers} == {201, 503}
    assert [name for name, status, made in writers.answers if status == 201 and ids.get(name) != made] == []
    assert [name for name, _, _ in writers.answers if times[name] > 1] == []


def test_s01_the_answer_to_a_commit_is_lost_and_nobody_lies_about_it(site: Site, evidence: Evidence) -> None:
    """503 says neither that it was done nor that it was not; the exchange can be asked again by its key (P-03)."""
    pairing = site.known.ask("POST", "/api/pairing/token").data["token"]
    evidence.secret(pairing, "a pairing token")
    exchange = {"pairing_token": pairing, "idempotency_key": os.urandom(16).hex()}
    site.to_postgres.lose_the_answer_to(COMMIT)
    orders: list[Request] = [
        ("POST", "/api/pairing/exchange", exchange),
        ("POST", "/api/auth/tokens", {"name": "in doubt", "ttl_seconds": 60}),
    ]
    with Idle(site.server.web) as idle:
        shots = site.salvo([(site.known, order) for order in orders])
    must_be_honest(shots, idle)
    site.to_postgres.heal()
    until(lambda: site.failing() == [], "all is well")
    assert site.sql("SELECT count(*) FROM access_tokens WHERE name = 'in doubt'") == "1"
    again = Caller(site.server.web, None).ask(*orders[0])
    assert again.status == 200, again
    evidence.secret(again.data["session_token"], "a session token")
    devices = [one["id"] for one in site.known.ask("GET", "/api/devices").data]
    assert devices.count(again.data["device_id"]) == 1


def held_by(site: Site, unit: Unit) -> tuple[Caller, str, list[Watching]]:
    """A token of its own with a picture and a socket on it."""
    made = site.known.ask("POST", "/api/auth/tokens", {"name": "viewer"}).data
    caller = Caller(site.server.web, site.server.evidence.secret(made["token"], "a personal access token"))
    watching = [watch_stream(caller, unit.path("/mjpeg")), watch_websocket(caller, unit.path("/ws"))]
    return caller, made["id"], watching


def test_s01_a_revocation_that_cannot_be_kept_is_refused_and_takes_nothing_away(
    site: Site, site_unit: Unit
) -> None:
    caller, token_id, watching = held_by(site, site_unit)
    FROZEN.begin(site)
    refused = site.shoot(("DELETE", f"/api/auth/tokens/{token_id}", None))
    assert refused.is_unavailable
    assert all(one.goes_on for one in watching)
    # Who was checked a moment ago is believed for that while, and needs no database for a device that is connected.
    assert caller.ask("GET", site_unit.path("/x")).status == 200
    FROZEN.end(site)
    until(lambda: site.failing() == [], "all is well")
    assert all(one.goes_on for one in watching)
    assert caller.ask("GET", "/api/devices").status == 200
    with Idle(site.server.web) as idle:
        assert site.known.ask("DELETE", f"/api/auth/tokens/{token_id}").status == 204
        revoked_at = time.monotonic()
        for one in watching:
            one.ended()
    assert max(one.ended_at for one in watching) - revoked_at - idle.longest() < 1
    assert caller.ask("GET", "/api/devices").status == 401


def test_s01_what_was_revoked_elsewhere_meanwhile_is_cut_as_soon_as_the_database_is_back(
    site: Site, site_unit: Unit, measured: Measured
) -> None:
    """Another program reached the database and this server did not: it cannot know, and catches up."""
    caller, token_id, watching = held_by(site, site_unit)
    BLACK_HOLE.begin(site)
    until(lambda: site.failing() == [DATABASE], "it is named")
    site.beside("token", "revoke", token_id)
    assert all(one.goes_on for one in watching)
    BLACK_HOLE.end(site)
    back_at = time.monotonic()
    for one in watching:
        one.ended(BACK_SECONDS)
        measured("cut after the database's return", one.ended_at - back_at)
    assert caller.ask("GET", "/api/devices").status == 401


def refusals(site: Site) -> int:
    return len(site.server.lines("connection refused", "status=503", "code=STORE_UNAVAILABLE"))


@pytest.mark.parametrize("outage", [KILLED, BLACK_HOLE], ids=lambda outage: outage.name)
def test_s01_t11_agents_are_told_503_meanwhile_and_come_back_by_themselves(
    site: Site, connected: tuple[Unit, ReferenceAgent], outage: Outage, measured: Measured
) -> None:
    unit, agent = connected
    before = refusals(site)
    outage.begin(site)
    agent.stop(signal.SIGKILL)
    until(lambda: site.server.lines("tunnel down", unit.device_id), "its tunnel is down")
    agent.start()
    until(lambda: refusals(site) > before, "it was refused", 10)
    assert "Traceback" not in agent.text
    outage.end(site)
    back_at = time.monotonic()
    until(site.reads_succeed, "the database is back", BACK_SECONDS)
    unit.wait_online()
    measured("online after the database's return", time.monotonic() - back_at)
    assert unit.owner.ask("GET", unit.path("/x")).status == 200


def answer_to(server: Server, door: str, session_token: str) -> tuple[bytes, float]:
    """What an agent's connect is answered, and after how long."""
    address = urlsplit(getattr(server, door))
    began = time.monotonic()
    with socket.create_connection((address.hostname or "", address.port or 0), 5) as connection:
        connection.sendall(handshake(session_token).replace(b"relay.example", address.netloc.encode()))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer, time.monotonic() - began


def test_s01_t11_a_connect_in_a_black_hole_is_503_in_time(site: Site, measured: Measured) -> None:
    unit = pair(site.server, site.known)
    BLACK_HOLE.begin(site)
    with Idle(site.server.web) as idle, ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(answer_to, site.server, door, unit.session_token) for door in ("web", "relay")
        ]
    for answer, took in (one.result() for one in asked):
        measured("answered", took)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b" 503 " in head.partition(b"\r\n")[0]
        assert b"\r\nretry-after: " in head
        assert b"STORE_UNAVAILABLE" in answer
        assert took - idle.longest() < ANSWERED_SECONDS


def test_s01_a_command_says_in_a_sentence_that_the_database_is_away(site: Site) -> None:
    REFUSED.begin(site)
    said = site.server.run("user", "list")
    REFUSED.end(site)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("visiona: the database ")
    assert said.err.count("\n") == 1


def test_s06_s01_a_server_stops_in_time_though_the_database_is_silent(
    site: Site, tmp_path: Path, evidence: Evidence, measured: Measured
) -> None:
    with running_server(tmp_path / "second", evidence, *site.stores) as server:
        caller = server.person("stopper")
        assert caller.ask("GET", "/api/devices").status == 200
        before = figure(server, "visiona_tasks")
        BLACK_HOLE.begin(site)
        with ThreadPoolExecutor(8) as threads:
            asking = [threads.submit(caller.ask, "GET", "/api/devices") for _ in range(8)]
            until(lambda: figure(server, "visiona_tasks") >= before + 8, "they wait")
            began = time.monotonic()
            assert server.stop() == 0
            took = time.monotonic() - began
            measured("stopped", took)
            assert {one.result().status for one in asking} == {503}
        assert took < 10


def test_s01_what_happened_meanwhile_is_in_the_timeline(site_unit: Unit) -> None:
    """Each time its agent was killed in an outage; written when the database was back."""
    expected = ["connected", "disconnected"] * 2 + ["connected", "paired"]
    until(lambda: [event["kind"] for event in site_unit.events] == expected, "it is told")
    causes = {event["cause"] for event in site_unit.events if event["kind"] == "disconnected"}
    assert causes <= {"agent_closed", "tcp_reset"}
