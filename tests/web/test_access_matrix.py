"""Who gets in where: every route of the table × every way to come, derived from the tables and not listed by hand.

The API's routes are asked in process; the device paths, which are no routes of the site, through both layers that take
them. A route that is added is in the matrix the same day.
"""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import trio
import trio.testing
from visiona.services.sessions import end_session
from visiona.web.cookies import seal
from visiona.web.cross_site import SAFE_METHODS
from visiona.web.guards import is_public
from visiona.web.openapi import DEVICE_PATHS
from visiona.web.proxy_access import Access

from tests.web.asking import status_at
from tests.web.device_rig import open_port
from tests.web.test_guards import routes
from tests.web.world import Visitor, World

CSRF = {"X-Visiona-CSRF": "1"}
OWN = {"Sec-Fetch-Site": "same-origin"}
LET_IN = None


class Way(NamedTuple):
    """A way to come: headers besides the cookie, which cookie, and the answer to what reads and what changes."""

    cookie: str | None
    headers: dict[str, str]
    reads: int | None
    changes: int | None


WAYS: dict[str, Way] = {
    "no session": Way(None, {**OWN, **CSRF}, 401, 401),
    "a session of another server": Way("foreign", {**OWN, **CSRF}, 401, 401),
    "a session that was ended": Way("ended", {**OWN, **CSRF}, 401, 401),
    "A-07 the cookie twice": Way("twice", {**OWN, **CSRF}, 401, 401),
    "A-07 a forged cookie beside it": Way("forged beside", {**OWN, **CSRF}, 401, 401),
    "no session, another site's page": Way(None, {"Sec-Fetch-Site": "cross-site"}, 401, 401),
    "A-15 no header": Way("own", OWN, LET_IN, 403),
    "A-15 no header, a simple form": Way("own", {**OWN, "Content-Type": "text/plain"}, LET_IN, 403),
    "A-15 the header says something else": Way("own", {**OWN, "X-Visiona-CSRF": "true"}, LET_IN, 403),
    "A-15 another site's page": Way("own", {**CSRF, "Sec-Fetch-Site": "cross-site"}, 403, 403),
    "A-15 a sibling domain's page": Way("own", {**CSRF, "Sec-Fetch-Site": "same-site"}, 403, 403),
    "A-15 another origin": Way("own", {**CSRF, "Origin": "https://evil.example"}, 403, 403),
    "H-10 a sandboxed page of a device": Way("own", {**CSRF, "Origin": "null"}, 403, 403),
    "our own page": Way("own", {**OWN, **CSRF}, LET_IN, LET_IN),
    "our own page, an old browser": Way("own", CSRF, LET_IN, LET_IN),
}


def expected(method: str, way: Way) -> int | None:
    return way.reads if method in SAFE_METHODS else way.changes


@dataclass
class Gate:
    """A server with a person's live session, and other sessions that are none."""

    world: World
    visitor: Visitor
    ended: Visitor

    @classmethod
    async def open(cls) -> "Gate":
        world = World()
        visitor, ended = await world.visitor(), await world.visitor()
        await end_session(world.stores, ended.done.session.id, world.now())
        return cls(world, visitor, ended)

    def headers(self, way: Way) -> dict[str, str]:
        own, name = self.visitor.cookie, self.world.cookie.name
        foreign = f"{name}={seal(b'x' * 32, self.visitor.done.text)}"
        cookies = {
            "own": own,
            "foreign": foreign,
            "ended": self.ended.cookie,
            "twice": f"{own}; {own}",
            "forged beside": f"{own}; {foreign}",
        }
        return way.headers if way.cookie is None else {**way.headers, "Cookie": f"a=b; {cookies[way.cookie]}"}


def is_right(status: int | None, wanted: int | None) -> bool:
    """None is an answer that goes on (events): whoever gets that was let in."""
    return status == wanted if wanted is not None else status not in {401, 403}


@pytest.mark.parametrize("name", WAYS)
async def test_a15_every_route_of_the_api_by_every_way(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    way = WAYS[name]
    asked = 0
    wrong = []
    async for gate, method, rule, path in _guarded():
        status = None
        with trio.move_on_after(5):
            status = (await gate.world.ask(method, path, headers=gate.headers(way))).status
        asked += 1
        if not is_right(status, expected(method, way)):
            wrong.append((method, rule, status))
    assert wrong == []
    assert asked > 30


async def _guarded() -> AsyncIterator[tuple[Gate, str, str, str]]:
    gate = await Gate.open()
    for method, rule, path in list(routes(gate.world)):
        if not is_public(method, rule):
            yield gate, method, rule, path
            if path.startswith("/api/auth/") and method == "DELETE":
                gate = await Gate.open()


def device_requests(device_id: str) -> Iterator[tuple[str, str]]:
    for path, (methods, _) in DEVICE_PATHS.items():
        for method in methods:
            target = path.replace("{device_id}", device_id).replace("{path}", "x/y?z=1")
            yield method.upper(), target


@asynccontextmanager
async def device_gate(layer: str) -> AsyncIterator[tuple[Gate, str, int]]:
    gate = await Gate.open()
    person = await gate.world.person("bob@example.com")
    theirs = await gate.world.paired(person)
    access = Access(gate.world.callers, gate.world.registry, gate.world.stores)
    async with open_port(layer, access=access) as port:
        yield gate, theirs.device_id, port.number


@pytest.mark.parametrize("layer", ["door", "asgi"])
@pytest.mark.parametrize("name", WAYS)
async def test_a15_h10_h24_every_device_path_by_every_way(layer: str, name: str) -> None:
    """ASVS 3.5.8 with the rest: what a person may watch, another site's page may not embed."""
    way = WAYS[name]
    wrong = []
    async with device_gate(layer) as (gate, device_id, port):
        requests = list(device_requests(device_id))
        assert len(requests) > 25
        for method, target in requests:
            status = await status_at(port, method, target, gate.headers(way))
            if not is_right(status, expected(method, way)):
                wrong.append((method, target, status))
    assert wrong == []


@pytest.mark.parametrize("layer", ["door", "asgi"])
@pytest.mark.parametrize("name", WAYS)
async def test_h14_a_websocket_by_every_way(layer: str, name: str) -> None:
    way = WAYS[name]
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with device_gate(layer) as (gate, device_id, port):
        for target in (f"/api/devices/{device_id}/proxy/ws", "/ws/inference"):
            status = await status_at(port, "GET", target, {**gate.headers(way), **upgrade})
            assert is_right(status, way.reads), (target, status)


async def test_a_token_needs_none_of_the_rules_for_cookies() -> None:
    """No browser sends it by itself; a program has no Origin to show."""
    world = World()
    ada = await world.person()
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert (await ada.ask("POST", "/api/pairing/token", headers=headers)).status == 200


def test_the_matrix_has_each_kind_of_way() -> None:
    answers = set(itertools.chain.from_iterable((way.reads, way.changes) for way in WAYS.values()))
    assert answers == {LET_IN, 401, 403}
