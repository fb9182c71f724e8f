"""A person's whole visit, from the first account on: through the pages, by password, with live pictures; then the end.

What a session is cut by is told apart in test_sessions.py; here the sessions are real ones, and every answer of the run
is looked at.
"""

import time
from collections.abc import Callable, Iterator
from http.client import HTTPMessage
from pathlib import Path

import pytest

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.backend import Backend
from tests.e2e.client import Caller, Watching, until, watch_stream, watch_websocket
from tests.e2e.evidence import Evidence
from tests.e2e.headers import complaints
from tests.e2e.person import Person, Seen, one_time_link
from tests.e2e.server import Server, running_server
from tests.support.lateness import Lateness
from tests.support.servers.processes import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]

EMAIL, PASSWORD = "grace@example.org", "a moth was in relay 70"
HTTPS = "https://visiona.example/units"

_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
GOOD = {
    "Set-Cookie": "visiona_idp=x; Path=/; HttpOnly; SameSite=Lax",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Type": "text/html; charset=utf-8",
}


@pytest.fixture(scope="module", params=[None, HTTPS], ids=["plain", "https below a path"])
def base(request: pytest.FixtureRequest) -> str | None:
    """`web.public_url`."""
    value: str | None = request.param
    return value


@pytest.fixture(scope="module")
def server(
    base: str | None, tmp_path_factory: pytest.TempPathFactory, evidence: Evidence
) -> Iterator[Server]:
    evidence.secret(PASSWORD, "a password")
    relay = f"127.0.0.1:{free_port()}"
    settings = (f"relay.public_url=ws://{relay}", f"web.public_url={base}") if base else ()
    with running_server(tmp_path_factory.mktemp("server"), evidence, *settings, relay_listen=relay) as server:
        yield server


@pytest.fixture(scope="module")
def seen(server: Server) -> list[Seen]:
    """Every answer that a person has had of this server."""
    return []


@pytest.fixture(scope="module")
def account(server: Server, base: str | None, seen: list[Seen]) -> Person:
    """The first account, made with the link; its owner is signed in."""
    person = Person(server, base, seen)
    until(lambda: server.lines("nobody can sign in yet", "visiona user link --first"), "it was said")
    link = one_time_link(server, "--first", "--url", person.base)
    person.open(link)
    home = person.submit(email=EMAIL, name="Grace", password=PASSWORD, again=PASSWORD)
    assert (home.status, person.url) == (200, person.base + "/")
    assert Person(server, base, seen).open(link).status == 410
    return person


@pytest.fixture
def somebody(server: Server, base: str | None, seen: list[Seen], account: Person) -> Callable[[], Person]:
    """Signs in with the password, in another browser each time."""

    def sign_in() -> Person:
        person = Person(server, base, seen)
        home = person.sign_in(EMAIL, PASSWORD)
        assert (home.status, person.url) == (200, person.base + "/")
        return person

    return sign_in


@pytest.fixture
def unit(server: Server, account: Person, backend: Backend, folder: Path) -> Iterator[Unit]:
    """Behind the first account, paired by a token of its own."""
    with reference_agent(server, Caller(server.web, server.token(EMAIL, "pair")), folder, backend.url) as (
        unit,
        _,
    ):
        yield unit


def watch(person: Person, unit: Unit) -> list[Watching]:
    """A camera, a WebSocket, and the console's own events."""
    riding = person.as_caller()
    return [
        watch_stream(riding, unit.path("/mjpeg")),
        watch_websocket(riding, unit.path("/ws")),
        watch_stream(riding, "/api/live"),
    ]


def over(measured: Measured, done_at: float, watching: list[Watching]) -> None:
    with Lateness() as lateness:
        for one in watching:
            one.ended(20)
    for name, one in zip(("camera", "WebSocket", "events"), watching, strict=True):
        measured(f"{name} after the deed", one.ended_at - done_at)
        assert one.ended_at - done_at - lateness.seconds < 2
    assert watching[1].how == "4401"


def test_a06_each_sign_in_is_a_session_of_its_own_and_is_told_to_its_owner_and_the_operator(
    server: Server, account: Person, somebody: Callable[[], Person]
) -> None:
    one, other = somebody(), somebody()
    listed = one.fetch("GET", "/api/auth/sessions").data["items"]
    ids = {each["id"] for each in listed}
    assert {account.session_id, one.session_id, other.session_id} <= ids
    assert [each["id"] for each in listed if each["current"]] == [one.session_id]
    told = server.run("session", "list", "--user", EMAIL, "--json").json
    assert {each["id"] for each in told} == ids
    assert {each["user_agent"] for each in told} == {"a browser"}

    before, kept = one.session_id, dict(one.cookies)
    one.open(f"{one.base}/api/auth/login")
    one.submit(email=EMAIL, password=PASSWORD)
    assert one.session_id != before
    one.cookies = kept
    until(lambda: one.fetch("GET", "/api/auth/me").status == 401, "the session before is over", 2)


def test_a15_the_cookie_alone_changes_nothing(somebody: Callable[[], Person]) -> None:
    person = somebody()
    assert person.fetch("GET", "/api/devices").status == 200
    assert person.fetch("POST", "/api/pairing/token", {"name": "x"}, csrf=False).status == 403
    assert (
        person.fetch("POST", "/api/pairing/token", {"name": "x"}, Origin="https://evil.example").status == 403
    )
    made = person.fetch("POST", "/api/pairing/token", {"name": "x"}, Origin=_origin(person))
    person.server.evidence.secret(made.data["token"], "a pairing token")
    assert person.fetch("GET", "/api/nothing").status == 404


def test_a14_who_signs_out_is_ended_or_disabled_loses_pictures_sockets_and_events(
    server: Server, somebody: Callable[[], Person], unit: Unit, measured: Measured
) -> None:
    leaver, ended, told, last = (somebody() for _ in range(4))
    watching = {person: watch(person, unit) for person in (leaver, ended, told, last)}
    copies = {person: dict(person.cookies) for person in watching}

    def is_cut(person: Person, others: list[Person]) -> None:
        over(measured, time.monotonic(), watching[person])
        person.cookies = copies[person]
        assert person.fetch("GET", "/api/auth/me").status == 401
        assert all(one.goes_on for other in others for one in watching[other])

    assert leaver.fetch("POST", "/api/auth/logout").status == 200
    assert not any(name.endswith("visiona_session") for name in leaver.cookies)
    is_cut(leaver, [ended, told, last])
    assert last.fetch("DELETE", f"/api/auth/sessions/{ended.session_id}").status == 204
    is_cut(ended, [told, last])
    assert server.run("session", "end", told.session_id).code == 0
    is_cut(told, [last])
    assert server.run("user", "disable", EMAIL).code == 0
    is_cut(last, [])
    assert last.sign_in(EMAIL, PASSWORD).status == 403
    assert server.run("user", "enable", EMAIL).code == 0
    assert last.fetch("GET", "/api/auth/me").status == 401
    assert last.sign_in(EMAIL, PASSWORD).status == 200


def test_a_restart_keeps_who_is_signed_in_and_asks_for_no_first_account_again(
    server: Server, somebody: Callable[[], Person]
) -> None:
    person = somebody()
    session_id = person.session_id
    assert server.stop() == 0
    server.start()
    if person.base != HTTPS:
        person.base = server.web
    assert person.session_id == session_id
    assert somebody().session_id != session_id
    assert len(server.lines("nobody can sign in yet")) == 1


def test_a_sign_in_that_is_not_one_says_no_more_than_that(
    server: Server, somebody: Callable[[], Person]
) -> None:
    person = somebody()
    person.cookies.clear()
    wrong = person.sign_in(EMAIL, "a bug was in relay 70")
    unknown = person.sign_in("nobody@example.org", PASSWORD)
    assert (wrong.status, unknown.status) == (403, 403)
    assert _without_form(wrong.body) == _without_form(unknown.body).replace(
        b"nobody@example.org", EMAIL.encode()
    )
    assert not any(name.endswith("visiona_session") for name in person.cookies)


def test_every_answer_and_every_cookie_of_this_visit_is_guarded(account: Person, seen: list[Seen]) -> None:
    account.open("api/auth/login?return_to=//evil.example")
    account.open("idp/.well-known/openid-configuration")
    account.open("idp/link/vAo_nonsense")
    account.open("no/such/page")
    account.open("api/no/such/route")
    assert [each for one in seen for each in complaints(one, account.base)] == []
    assert {200, 302, 303, 404, 410} <= {one.status for one in seen}
    assert all(any(one.headers.get_all("Set-Cookie") or ()) for one in seen if "/callback" in one.path)


def _without_form(page: bytes) -> bytes:
    before, _, rest = page.partition(b'name="form" value="')
    return before + rest.partition(b'"')[2]


def _origin(person: Person) -> str:
    return "/".join(person.base.split("/")[:3])


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("Set-Cookie", "visiona_session=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=9", "outlives"),
        ("Set-Cookie", "visiona_login=x; Path=/; SameSite=Lax", "HttpOnly"),
        ("Set-Cookie", "visiona_idp=x; Path=/idp; HttpOnly; SameSite=Lax", "Path"),
        ("Set-Cookie", "__Host-visiona_idp=x; Path=/; HttpOnly; SameSite=Lax; Secure", "called"),
        ("Set-Cookie", "visiona_idp=x; Path=/; HttpOnly; SameSite=Lax; Domain=example.org", "Domain"),
        ("Content-Security-Policy", "default-src 'none'; base-uri 'none'", "framed"),
        ("Content-Security-Policy", _POLICY + "; script-src 'unsafe-inline'", "policy"),
        ("Content-Security-Policy", _POLICY.replace("form-action", "x"), "forms"),
        ("Cross-Origin-Opener-Policy", "unsafe-none", "COOP"),
        ("Cache-Control", "private", "Cache-Control"),
        ("X-Content-Type-Options", "sniff", "nosniff"),
        ("Referrer-Policy", "origin", "Referrer-Policy"),
        ("Access-Control-Allow-Origin", "*", "CORS"),
        ("Server", "hypercorn-h11/0.18", "version"),
        ("Content-Type", "text/html", "Content-Type"),
        ("Location", "//evil.example", "leads to"),
    ],
)
def test_a_careless_answer_would_be_found(name: str, value: str, word: str) -> None:
    headers = HTTPMessage()
    for each, good in GOOD.items():
        headers[each] = good
    assert complaints(Seen("GET", "/api/x", 200, headers, b"<p>"), "http://h") == []
    del headers[name]
    headers[name] = value
    found = complaints(Seen("GET", "/api/x", 200, headers, b"<p>"), "http://h")
    assert any(word in each for each in found), found
