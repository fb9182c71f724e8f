"""One Date in each answer, whoever writes it."""

from email.utils import parsedate_to_datetime

import pytest
from visiona.services.clock import now
from visiona.web.dates import dated

from tests.web.device_rig import WebClient, answering, open_rig
from tests.web.test_door_handover import UPGRADE
from tests.web.world import World

THEN = b"Sun, 06 Nov 1994 08:49:37 GMT"


def test_a_date_that_is_there_stays_however_it_is_spelt() -> None:
    for name in (b"date", b"Date", b"DATE"):
        assert dated([(b"x", b"1"), (name, THEN)]) == [(b"x", b"1"), (name, THEN)]


def test_a_missing_one_is_this_moment() -> None:
    (_, (name, value)) = dated([(b"x", b"1")])
    assert name == b"date"
    assert abs((parsedate_to_datetime(value.decode()) - now()).total_seconds()) < 5
    assert value.endswith(b" GMT")


async def test_an_answer_of_the_site_has_one() -> None:
    answer = await World().ask("GET", "/livez")
    assert len(answer.headers["Date"]) == len(THEN)


async def dates_in(client: WebClient) -> list[bytes]:
    lines = (await client.line()).split(b"\r\n")
    return [line.partition(b": ")[2] for line in lines if line.lower().startswith(b"date:")]


@pytest.mark.parametrize("layer", ["door", "asgi"])
@pytest.mark.parametrize("more", [(), UPGRADE], ids=["http", "websocket"])
async def test_a_device_says_itself_when_its_answer_was_made(layer: str, more: tuple[str, ...]) -> None:
    device = answering(b"HTTP/1.1 403 Forbidden\r\nDate: %b\r\nContent-Length: 0\r\n\r\n" % THEN)
    async with open_rig(layer, device) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/a", *more))
        assert await dates_in(client) == [THEN]


@pytest.mark.parametrize("more", [(), UPGRADE], ids=["http", "websocket"])
async def test_for_a_device_without_a_clock_it_is_said_on_the_asgi_layer(more: tuple[str, ...]) -> None:
    device = answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    async with open_rig("asgi", device) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/a", *more))
        assert len(await dates_in(client)) == 1


async def test_what_we_refuse_on_the_asgi_layer_has_one() -> None:
    async with open_rig("asgi", answering(b"nothing that is HTTP")) as rig:
        client = await rig.connect()
        await client.send(rig.request("GET ~/a"))
        assert len(await dates_in(client)) == 1
