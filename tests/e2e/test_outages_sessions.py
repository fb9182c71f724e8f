"""S-02: Redis goes away in every way there is, under a whole server: sessions are 503, everything else goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import Unit
from tests.e2e.client import Caller, Watching, until, watch_stream, watch_websocket
from tests.e2e.outage_kinds import ANYTHING, REDIS, SESSION_OUTAGES
from tests.e2e.outages import RECOVERED_SECONDS, Outage, Site, measure, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@pytest.fixture(autouse=True)
def all_is_well_afterwards(site: Site) -> Iterator[None]:
    yield
    site.to_redis.heal()
    until(lambda: site.failing() == [], "all is well again")


@pytest.mark.parametrize("outage", SESSION_OUTAGES, ids=lambda outage: outage.name)
def test_s02_a12_sessions_are_503_in_time_and_all_else_goes_on(
    site: Site, site_unit: Unit, watching: list[Watching], outage: Outage, measured: Measured
) -> None:
    site.warm_browsers()
    on_session = [
        watch_stream(site.browser, site_unit.path("/mjpeg")),
        watch_websocket(site.browser, site_unit.path("/ws")),
    ]
    figures = measure(site, outage)
    tell(measured, figures)
    figures.must_be_in_time()
    assert figures.spared
    assert all(one.goes_on for one in (*watching, *on_session))
    assert site_unit.item["tunnel_online"]


def test_s02_a12_a_flushed_redis_is_sign_in_again_and_nothing_worse(site: Site) -> None:
    site.warm_browsers()
    (browser, *_) = site.unknown_browsers()
    site.redis.command("FLUSHALL")
    answer = browser.ask(*ANYTHING)
    assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")
    page = browser.ask("GET", "/", headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
    assert page.status == 302
    assert "api/auth/login" in page.headers["Location"]
    assert site.reads_succeed()
    assert site.failing() == []
    site.warm_browsers()


def test_s02_what_was_ended_elsewhere_meanwhile_is_cut_as_soon_as_redis_is_back(
    site: Site, site_unit: Unit, measured: Measured
) -> None:
    site.warm_browsers()
    on_session = [
        watch_stream(site.browser, site_unit.path("/mjpeg")),
        watch_websocket(site.browser, site_unit.path("/ws")),
    ]
    site.to_redis.vanish()
    until(lambda: site.failing() == [REDIS], "it is named")
    site.beside("session", "end", site.browser.session_id)
    assert all(one.goes_on for one in on_session)
    site.to_redis.heal()
    for one in on_session:
        measured("cut", until(lambda one=one: not one.goes_on, "it is cut", RECOVERED_SECONDS))
    assert on_session[1].how == "4401"
    assert site.browser.ask(*ANYTHING).status == 401


def test_s02_a_unit_is_paired_and_connects_without_redis(site: Site, tmp_path: Path) -> None:
    site.to_redis.refuse()
    until(lambda: site.failing() == [REDIS], "it is named")
    pairing = site.known.ask("POST", "/api/pairing/token").data["token"]
    site.server.evidence.secret(pairing, "a pairing token")
    done = Caller(site.server.web, None).ask("POST", "/api/pairing/exchange", {"pairing_token": pairing})
    assert done.status == 200
    site.server.evidence.secret(done.data["session_token"], "a session token")
