"""A person's session, with live pictures and sockets on it: what it may, and how it ends.

As in test_revoking.py an order of events is proved (the deed, then the end, without a further request), and the time
between is told.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.agents import Unit
from tests.e2e.browsers import Browser, signed_in
from tests.e2e.client import Caller, Watching, email_of, watch_stream, watch_websocket
from tests.e2e.server import Server
from tests.support.lateness import Lateness

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]


@contextmanager
def watched(caller: Caller, unit: Unit) -> Iterator[list[Watching]]:
    """A camera and a socket, both open."""
    yield [watch_stream(caller, unit.path("/mjpeg")), watch_websocket(caller, unit.path("/ws"))]


def over(measured: Measured, done_at: float, watching: list[Watching]) -> None:
    """Both end; the socket is told why (H-14)."""
    with Lateness() as lateness:
        for one in watching:
            one.ended(20)
    for name, one in zip(("camera", "WebSocket"), watching, strict=True):
        measured(f"{name} after the deed", one.ended_at - done_at)
        assert one.ended_at - done_at - lateness.seconds < 2
    assert watching[1].how == "4401"


def is_over(browser: Browser, unit: Unit) -> None:
    for path in (unit.path("/x"), "/api/auth/me"):
        assert browser.ask("GET", path).status == 401
    with pytest.raises(InvalidStatus) as refused:
        browser.websocket(unit.path("/ws"))
    assert refused.value.response.status_code == 401


def test_h14_a_session_ended_by_the_operator_loses_its_live_sockets_and_only_those(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    email = email_of(owner)
    here, there = signed_in(server, email), signed_in(server, email)
    with watched(there, unit) as ending, watched(here, unit) as staying:
        assert server.run("session", "end", there.session_id).code == 0
        over(measured, time.monotonic(), ending)
        is_over(there, unit)
        assert all(one.goes_on for one in staying)
        assert server.run_apart("session", "end", "--user", email).code == 0
        over(measured, time.monotonic(), staying)
        is_over(here, unit)
    assert owner.ask("GET", "/api/auth/me").status == 200


def test_h14_a_session_ended_from_another_browser_loses_its_live_sockets_at_once(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    email = email_of(owner)
    here, there = signed_in(server, email), signed_in(server, email)
    with watched(there, unit) as ending, watched(here, unit) as staying:
        assert here.ask("DELETE", f"/api/auth/sessions/{there.session_id}").status == 204
        over(measured, time.monotonic(), ending)
        is_over(there, unit)
        assert all(one.goes_on for one in staying)
        assert here.ask("DELETE", f"/api/auth/sessions/{here.session_id}").status == 204
        over(measured, time.monotonic(), staying)


def test_a14_a_disabled_person_loses_the_sessions_and_what_runs_on_them(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    email = email_of(owner)
    browser = signed_in(server, email)
    with watched(browser, unit) as ending:
        assert server.run("user", "disable", email).code == 0
        over(measured, time.monotonic(), ending)
    is_over(browser, unit)
    # Ended for good: the account works again, that session does not.
    assert server.run("user", "enable", email).code == 0
    is_over(browser, unit)
    assert signed_in(server, email).ask("GET", "/api/auth/me").status == 200


def test_a15_h24_another_sites_page_gets_neither_picture_nor_socket_nor_change(
    server: Server, owner: Caller, unit: Unit
) -> None:
    browser = signed_in(server, email_of(owner))
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert browser.ask("GET", unit.path("/x")).status == 200
    assert browser.ask("GET", unit.path("/mjpeg"), headers=elsewhere).status == 403
    assert browser.ask("POST", unit.path("/x"), b"x", headers={"X-Visiona-CSRF": "0"}).status == 403
    assert browser.ask("POST", unit.path("/x"), b"x").status == 200
    with pytest.raises(InvalidStatus) as refused:
        browser.websocket(unit.path("/ws"), origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_signing_out_ends_the_live_sockets_of_this_session_and_of_no_other(
    server: Server, owner: Caller, unit: Unit, measured: Measured
) -> None:
    email = email_of(owner)
    here, there = signed_in(server, email), signed_in(server, email)
    with watched(here, unit) as ending, watched(there, unit) as staying:
        assert here.ask("POST", "/api/auth/logout").status == 200
        over(measured, time.monotonic(), ending)
        is_over(here, unit)
        assert all(one.goes_on for one in staying)
        assert server.run("session", "end", there.session_id).code == 0


def test_h09_neither_the_session_nor_its_rules_reach_the_unit(
    server: Server, owner: Caller, unit: Unit
) -> None:
    browser = signed_in(server, email_of(owner))
    headers = {"Cookie": f"theirs=1; {browser.cookie}"}
    answer = browser.ask("GET", unit.path("/headers"), headers=headers)
    assert answer.status == 200
    text = answer.body.decode().lower()
    assert "theirs=1" in text
    for ours in ("visiona_session", browser.cookie.partition("=")[2].lower(), "x-visiona-csrf"):
        assert ours not in text


def test_a_restart_keeps_people_signed_in(server: Server, owner: Caller) -> None:
    browser = signed_in(server, email_of(owner))
    server.stop()
    server.start()
    assert browser.ask("GET", "/api/auth/me").data["session"]["id"] == browser.session_id
