"""S-01, S-02: each route while the database, or where sessions are kept, is away; derived from the route table.

The same with real servers is in tests/e2e.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
import trio.testing
from visiona.integrations.interface import Attempt, LogoutToken, Person
from visiona.web.guards import is_public
from visiona.web.proxy_access import Access

from tests.support.away import DRIVERS_TEXT, RETRY_AFTER_SECONDS, AwayStores
from tests.support.route_needs import DATABASE, NEEDS, SESSIONS
from tests.web.asking import status_at
from tests.web.device_rig import open_port
from tests.web.test_access_matrix import device_requests
from tests.web.test_guards import routes
from tests.web.world import Answer, Visitor, World
from tests.web.world import Person as Program

OUTAGES = {
    "database": frozenset({DATABASE}),
    "sessions": frozenset({SESSIONS}),
    "both": frozenset({DATABASE, SESSIONS}),
}
CALLERS = {"token": frozenset({DATABASE}), "session": frozenset({DATABASE, SESSIONS})}
"""How a caller comes, and what must be asked about a caller who is not known yet."""


class SureProvider:
    """An identity provider that vouches for everybody."""

    async def authorization_url(self, attempt: Attempt, state: str) -> str:
        return f"https://id.example/authorize?state={state}"

    async def check_response_issuer(self, issuer: str | None) -> None:
        return

    async def exchange_code(self, code: str, attempt: Attempt) -> Person:
        email = "ada@example.com"
        return Person("https://id.example", email, None, email, email_verified=True, name="Ada")

    async def check_logout_token(self, token: str) -> LogoutToken:
        return LogoutToken("https://id.example", "ada@example.com", None, token, 2e9)

    async def logout_url(self, return_url: str) -> str | None:
        return None


class House:
    """A world whose stores can go away, and somebody who calls."""

    def __init__(self) -> None:
        self.stores = AwayStores()
        self.world = World(stores=self.stores, provider=SureProvider())

    async def caller(self, how: str) -> Program | Visitor:
        return await (self.world.person() if how == "token" else self.world.visitor())

    def go_away(self, what: frozenset[str]) -> None:
        self.stores.database_is_away = DATABASE in what
        self.stores.sessions_are_away = SESSIONS in what

    def forget_callers(self) -> None:
        self.world.callers._cached.clear()

    def come_back(self) -> None:
        self.go_away(frozenset())


def is_unavailable(answer: Answer) -> bool:
    """Whether this says: not now, come back then. A person gets it as a page."""
    if answer.status != 503 or answer.headers.get("Retry-After") != str(RETRY_AFTER_SECONDS):
        return False
    is_page = answer.headers["Content-Type"].startswith("text/html")
    return is_page or answer.code == "STORE_UNAVAILABLE"


UNPREPARED = [key for key, need in NEEDS.items() if not need.why or not need.of]


async def test_every_route_of_the_table_says_what_it_needs() -> None:
    table = {(method, rule) for method, rule, _ in routes(World()) if method not in {"HEAD", "OPTIONS"}}
    assert table == NEEDS.keys()


@pytest.mark.parametrize("how", CALLERS)
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("outage", OUTAGES)
async def test_s01_s02_every_route_is_503_with_retry_after_or_needs_nothing_that_is_away(
    outage: str, is_known: bool, how: str, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()
    caller = await house.caller(how)
    await caller.ask("GET", "/api/system/info")
    paths = {(method, rule): path for method, rule, path in routes(house.world)}
    house.go_away(OUTAGES[outage])
    wrong = []
    for method, rule in UNPREPARED:
        if not is_known:
            house.forget_callers()
        need = NEEDS[method, rule]
        needs = need.of if how == "token" else need.of | need.of_session
        if not is_known and not is_public(method, rule):
            needs = needs | CALLERS[how]
        answer = None
        with trio.move_on_after(5):  # events go on
            answer = await caller.ask(method, paths[method, rule], json=need.body)
        if (answer is not None and is_unavailable(answer)) is not bool(needs & OUTAGES[outage]):
            wrong.append((method, rule, answer))
        assert answer is None or DRIVERS_TEXT.encode() not in answer.body
    assert wrong == []
    house.come_back()
    assert (await caller.ask("GET", "/api/devices")).status == 200


Prepared = Callable[[], Awaitable[Answer]]


async def begun(house: House) -> str:
    """A sign-in under way: its state. The client keeps its cookie."""
    answer = await house.world.ask("GET", "/api/auth/login")
    assert answer.status == 302
    (state,) = parse_qs(urlsplit(answer.headers["Location"]).query)["state"]
    return state


async def prepare(house: House, method: str, rule: str) -> Prepared:
    """The request of a route that goes on from something."""
    world = house.world
    match rule:
        case "/api/auth/login":
            return lambda: world.ask(method, rule)
        case "/api/auth/callback":
            state = await begun(house)
            return lambda: world.ask(method, f"{rule}?code=x&state={state}")
        case "/api/auth/logout":
            visitor = await world.visitor()
            return lambda: visitor.ask(method, rule)
        case "/api/auth/backchannel-logout":
            await world.visitor()
            return lambda: world.ask(method, rule, form={"logout_token": "t"})
    raise AssertionError(rule)


PREPARED = [key for key, need in NEEDS.items() if need.why and need.of and key[1].startswith("/api/")]


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize(("method", "rule"), PREPARED)
async def test_s02_the_ways_in_and_out_are_503_and_go_on_afterwards(
    method: str, rule: str, outage: str
) -> None:
    house = House()
    ask = await prepare(house, method, rule)
    house.go_away(OUTAGES[outage])
    answer = await ask()
    assert is_unavailable(answer) is bool(NEEDS[method, rule].of & OUTAGES[outage]), answer
    assert "Set-Cookie" not in answer.headers or answer.status < 400
    assert DRIVERS_TEXT.encode() not in answer.body
    house.come_back()
    if answer.status == 503 and not (rule == "/api/auth/callback" and outage == "database"):
        assert (await ask()).status in {200, 302}


async def test_a_sign_in_that_met_an_outage_halfway_begins_anew() -> None:
    """The attempt was used up; nothing of it is left, and nobody was let in."""
    house = House()
    ask = await prepare(house, "GET", "/api/auth/callback")
    house.go_away(OUTAGES["database"])
    assert is_unavailable(await ask())
    house.come_back()
    assert (await ask()).status == 400
    assert (await (await prepare(house, "GET", "/api/auth/callback"))()).status == 302


async def test_s02_who_signs_out_while_it_cannot_be_kept_is_not_told_to_be_out() -> None:
    house = House()
    visitor = await house.world.visitor()
    house.go_away(OUTAGES["sessions"])
    refused = await visitor.ask("POST", "/api/auth/logout")
    assert is_unavailable(refused)
    assert "Set-Cookie" not in refused.headers
    assert "Clear-Site-Data" not in refused.headers
    house.come_back()
    assert (await visitor.ask("GET", "/api/auth/me")).status == 200
    assert (await visitor.ask("POST", "/api/auth/logout")).status == 200
    assert (await visitor.ask("GET", "/api/auth/me")).status == 401


async def test_s02_sessions_that_are_away_keep_no_program_out() -> None:
    house = House()
    program = await house.world.person("bob@example.com")
    house.go_away(OUTAGES["sessions"])
    for path in ("/api/devices", "/api/auth/me", "/api/auth/tokens"):
        assert (await program.ask("GET", path)).status == 200


@asynccontextmanager
async def device_gate(layer: str) -> AsyncIterator[tuple[House, Program, str, int]]:
    house = House()
    program = await house.world.person()
    done = await house.world.paired(program)
    access = Access(house.world.callers, house.world.registry, house.world.stores)
    async with open_port(layer, access=access) as port:
        yield house, program, done.device_id, port.number


@pytest.mark.parametrize("layer", ["door", "asgi"])
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
async def test_s01_every_path_to_a_device_that_is_not_connected(layer: str, is_known: bool) -> None:
    """Where its tunnel is up and the caller is known, nothing is asked: tests/e2e shows that."""
    wrong = []
    async with device_gate(layer) as (house, program, device_id, port):
        if is_known:
            await program.ask("GET", "/api/system/info")
        house.go_away(OUTAGES["database"])
        for method, target in device_requests(device_id):
            status = await status_at(port, method, target, program.headers)
            if status != 503:
                wrong.append((method, target, status))
        assert house.stores.asked > 25
    assert wrong == []
