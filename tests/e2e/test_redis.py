"""A server with its sessions in Redis: what an outage of Redis takes away, and what it does not (S-02, A-12)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.browsers import Browser, signed_in
from tests.e2e.client import Answer, Caller, until, watch_stream
from tests.e2e.evidence import Evidence
from tests.e2e.idle import Idle
from tests.e2e.server import Server, running_server
from tests.support.servers.redis import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]

PASSWORD = "hush-hush-hush"
ADA = "ada@example.org"

AT_ONCE_SECONDS = 0.5
SILENT_SECONDS = 2.5
BACK_SECONDS = 5.0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer(password=PASSWORD, keeps=True, starts=False) as server:
        yield server


@pytest.fixture
def server(redis: RedisServer, tmp_path: Path, evidence: Evidence) -> Iterator[Server]:
    evidence.secret(PASSWORD, "the password of Redis")
    with running_server(tmp_path / "server", evidence, f"redis.url={redis.url()}") as server:
        yield server


@pytest.fixture
def ada(server: Server) -> Caller:
    return server.person("ada")


@pytest.fixture
def unit(server: Server, ada: Caller, backend: Backend, folder: Path) -> Iterator[Unit]:
    with reference_agent(server, ada, folder, backend.url) as (unit, _):
        yield unit


def is_unavailable(answer: Answer) -> bool:
    if answer.status != 503:
        return False
    assert answer.error["code"] == "STORE_UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) >= 1
    assert b"edis" not in answer.body
    return True


def refused_at_once(browser: Browser, *paths: str) -> None:
    times = []
    with Idle(browser.web) as idle:
        for path in paths:
            began = time.monotonic()
            assert is_unavailable(browser.ask("GET", path))
            times.append((began, time.monotonic()))
    for began, ended in times:
        assert ended - began - idle.longest(began, ended) < AT_ONCE_SECONDS


def failing(server: Server) -> list[str]:
    found: list[str] = Caller(server.web, None).ask("GET", "/healthz").json.get("failing", [])
    return found


def test_s02_a_server_starts_without_its_redis_and_only_sessions_wait_for_it(
    redis: RedisServer, server: Server, ada: Caller, unit: Unit, measured: Measured
) -> None:
    assert failing(server) == ["redis"]
    assert server.lines("health changed", "redis", "Redis cannot be reached")
    assert ada.ask("GET", "/api/devices").status == 200
    assert ada.ask("GET", unit.path("/x")).status == 200
    camera = watch_stream(ada, unit.path("/mjpeg"))
    nobody = Browser(server.web, None, f"visiona_session={'A' * 43}.x", "")
    assert nobody.ask("GET", "/api/auth/me").status == 401
    assert nobody.ask("GET", "/api/auth/login").status == 503
    assert server.run("session", "list").code == 3
    redis.start()
    measured(
        "Redis is named well again", until(lambda: failing(server) == [], "Redis is found", BACK_SECONDS)
    )
    browser = signed_in(server, ADA)
    assert browser.ask("GET", "/api/auth/me").status == 200
    assert browser.ask("GET", unit.path("/x")).status == 200
    assert nobody.ask("GET", "/api/auth/login").status == 302
    assert camera.goes_on


def test_a12_a_session_that_was_just_used_is_refused_at_once_when_redis_is_gone(
    redis: RedisServer, server: Server, ada: Caller, unit: Unit, measured: Measured
) -> None:
    redis.start()
    browser = signed_in(server, ADA)
    for path in ("/api/auth/me", unit.path("/x")):
        assert browser.ask("GET", path).status == 200
    camera = watch_stream(browser, unit.path("/mjpeg"))
    redis.kill()
    with Idle(server.web) as idle:
        told = until(lambda: is_unavailable(browser.ask("GET", unit.path("/x"))), "nobody is let in")
    assert told - idle.longest() < 2
    measured("refused after the end of Redis", told)
    refused_at_once(browser, "/api/auth/me", "/api/devices", unit.path("/x"))
    assert ada.ask("GET", unit.path("/x")).status == 200
    assert camera.goes_on
    redis.start()
    back = until(lambda: browser.ask("GET", "/api/auth/me").status == 200, "it is back", BACK_SECONDS)
    measured("the session works again", back)
    assert browser.ask("GET", unit.path("/x")).status == 200
    assert camera.goes_on


def test_s02_a_silent_redis_is_a_refusal_within_its_deadline(
    redis: RedisServer, server: Server, ada: Caller, measured: Measured
) -> None:
    redis.start()
    browser = signed_in(server, ADA)
    assert browser.ask("GET", "/api/auth/me").status == 200
    redis.freeze()
    with Idle(server.web) as idle:
        told = until(lambda: is_unavailable(browser.ask("GET", "/api/auth/me")), "nobody is let in")
    assert told - idle.longest() < SILENT_SECONDS
    measured("refused after Redis fell silent", told)
    until(lambda: failing(server) == ["redis"], "it is named", BACK_SECONDS)
    until(lambda: server.lines("nobody is sent there"), "it counts as out", BACK_SECONDS)
    refused_at_once(browser, *["/api/auth/me"] * 5)
    assert ada.ask("GET", "/api/devices").status == 200
    redis.thaw()
    back = until(lambda: browser.ask("GET", "/api/auth/me").status == 200, "it is back", BACK_SECONDS)
    measured("the session works again", back)


def test_a12_a_flushed_redis_signs_everybody_out_and_in_again(
    redis: RedisServer, server: Server, ada: Caller, measured: Measured
) -> None:
    redis.start()
    browser = signed_in(server, ADA)
    assert browser.ask("GET", "/api/auth/me").status == 200
    redis.command("FLUSHALL")
    with Idle(server.web) as idle:
        out = until(lambda: browser.ask("GET", "/api/auth/me").status == 401, "signed out")
    assert out - idle.longest() < 2
    measured("signed out after the flush", out)
    assert browser.ask("GET", "/api/auth/me").error["code"] == "UNAUTHENTICATED"
    assert signed_in(server, ADA).ask("GET", "/api/auth/me").status == 200


def test_s02_a_redis_that_may_drop_sessions_is_in_the_log_and_in_the_details_of_health(
    redis: RedisServer, server: Server, ada: Caller
) -> None:
    redis.start()
    redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis.command("CONFIG", "SET", "maxmemory", "100mb")

    def why() -> str:
        return str(ada.ask("GET", "/api/system/health").data["checks"]["redis"].get("why"))

    until(lambda: "allkeys-lru" in why(), "it is told", BACK_SECONDS)
    assert Caller(server.web, None).ask("GET", "/readyz").status == 200
    # The log is written a moment after the fact.
    until(lambda: server.lines("stores.redis.client", "set maxmemory-policy noeviction"), "it is logged")


def test_t45_a_session_that_another_process_ends_in_redis_is_over_here(
    redis: RedisServer, server: Server, ada: Caller, measured: Measured
) -> None:
    redis.start()
    browser = signed_in(server, ADA)
    assert browser.ask("GET", "/api/auth/me").status == 200
    assert server.run_apart("session", "end", browser.session_id).code == 0
    with Idle(server.web) as idle:
        over = until(lambda: browser.ask("GET", "/api/auth/me").status == 401, "over")
    assert over - idle.longest() < 2
    measured("over after the command", over)
