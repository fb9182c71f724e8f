"""What requests to devices are refused for is on record too, on both layers that take them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from visiona.domain.access import Scope
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, NotAllowed, NotFound, PairingRefused, TooMany
from visiona.services.audit import NOWHERE, Origin, set_origin
from visiona.services.refusals import Refusals
from visiona.web.proxy_access import Access
from visiona.web.refused import note_refusal

from tests.support.nouns import NOW
from tests.web.device_rig import WebClient, open_port
from tests.web.world import World

LAYERS = pytest.mark.parametrize("layer", ["door", "asgi"])
UPGRADE = (
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@asynccontextmanager
async def opened(layer: str) -> AsyncIterator[tuple[World, int]]:
    world = World()
    access = Access(world.callers, world.registry, world.stores, refusals=world.refusals)
    async with open_port(layer, access=access) as port:
        yield world, port.number


async def asked(port: int, target: str, *headers: str) -> int:
    client = WebClient(await trio.open_tcp_stream("127.0.0.1", port))
    lines = [f"GET {target} HTTP/1.1", "Host: door.test", *headers, "", ""]
    async with client.stream:
        with trio.fail_after(5):
            answer = await client.ask("\r\n".join(lines).encode())
    return answer.status


def noted(world: World) -> list[tuple[str, str, str | None]]:
    return [(entry.deed, entry.address, entry.email) for entry in world.refusals._waiting]


@LAYERS
async def test_a_token_that_is_no_good(layer: str) -> None:
    async with opened(layer) as (world, port):
        target = "/api/devices/0190d9a0-0000-7000-8000-000000000011/proxy/x"
        assert await asked(port, target) == 401
        assert noted(world) == []
        assert await asked(port, target, "Authorization: Bearer vAp_" + "0" * 64) == 401
        assert noted(world) == [(Deed.CREDENTIAL_REFUSED, "127.0.0.1", None)]


@LAYERS
async def test_a_token_without_the_scope(layer: str) -> None:
    async with opened(layer) as (world, port):
        ada = await world.person(scopes=[Scope.ACCOUNT])
        assert await asked(port, "/api/camera/x", f"Authorization: Bearer {ada.token}") == 403
        assert noted(world) == [(Deed.ACCESS_REFUSED, "127.0.0.1", "ada@example.com")]


@LAYERS
async def test_another_sites_page(layer: str) -> None:
    async with opened(layer) as (world, port):
        bob = await world.visitor("bob@example.com")
        foreign = (f"Cookie: {bob.cookie}", "Sec-Fetch-Site: cross-site")
        assert await asked(port, "/api/camera/x", *foreign) == 403
        assert noted(world) == [(Deed.ACCESS_REFUSED, "127.0.0.1", "bob@example.com")]


@LAYERS
async def test_h14_another_sites_websocket(layer: str) -> None:
    async with opened(layer) as (world, port):
        bob = await world.visitor("bob@example.com")
        headers = (*UPGRADE, f"Cookie: {bob.cookie}", "Origin: https://evil.example")
        assert await asked(port, "/ws/inference", *headers) == 403
        # Refused before it was asked whose cookie it is.
        assert noted(world) == [(Deed.ACCESS_REFUSED, "127.0.0.1", None)]


@pytest.mark.parametrize(
    ("error", "deed"),
    [
        (NotAllowed("no"), Deed.ACCESS_REFUSED),
        (TooMany("no", retry_after_seconds=1), Deed.ACCESS_REFUSED),
        (PairingRefused("no"), Deed.PAIRING_REFUSED),
        (NotFound("no"), None),
        (Conflict("no"), None),
        (ValueError("a bug"), None),
    ],
)
def test_which_refusals_are_worth_a_line(error: Exception, deed: Deed | None) -> None:
    refusals = Refusals(lambda: NOW, lambda: 0.0)
    set_origin(Origin(refusals=refusals))
    try:
        note_refusal(error)
    finally:
        set_origin(NOWHERE)
    assert [entry.deed for entry in refusals._waiting] == ([deed] if deed is not None else [])
