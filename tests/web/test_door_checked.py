"""What Hypercorn may read: held against h11, which is who reads it."""

import h11
import pytest
from visiona.web.door_checked import REFUSED, CheckedRequests
from visiona.wire.http1.head import HTTP2_PREFACE

from tests.web.device_rig import echo, open_rig

GET = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%b\r\n"
)


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"".join(
        [b"POST / HTTP/1.1\r\nHost: h\r\n", *(header + b"\r\n" for header in headers), b"\r\n", body]
    )


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


BAD = {
    "bare LF after the request line": GET.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
    "bare LF after a field": GET.replace(b"h\r\n\r\n", b"h\n\r\n"),
    "bare LF at the end": GET[:-2] + b"\n",
    "a folded line": GET.replace(b"Host: h", b"Host: h\r\nX: a\r\n b"),
    "a folded Transfer-Encoding": post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
    "HTTP/2.0": GET.replace(b"/1.1", b"/2.0"),
    "HTTP/1.2": GET.replace(b"/1.1", b"/1.2"),
    "Content-Length twice": post(b"Content-Length: 1", b"Content-Length: 1", body=b"x"),
    "a list of lengths": post(b"Content-Length: 1, 1", body=b"x"),
    "CL and TE": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a space before a chunk's CRLF": chunked(b"1 \r\nx\r\n0\r\n\r\n"),
    "CR in an extension": chunked(b"1;a\rb\r\nx\r\n0\r\n\r\n"),
    "an endless extension": chunked(b"1;" + b"a" * 5000 + b"\r\nx\r\n0\r\n\r\n"),
    "LF after a trailer": chunked(b"1\r\nx\r\n0\r\nX: y\n\r\n"),
    "a folded trailer": chunked(b"1\r\nx\r\n0\r\nX: y\r\n z\r\n\r\n"),
    "more than 16 KiB of head": GET.replace(b"Host: h", b"Host: h\r\nX: " + b"a" * 16384),
    "101 fields": GET.replace(b"Host: h\r\n", b"Host: h\r\n" + b"X: a\r\n" * 100),
    "an empty line first": b"\r\n" + GET,
    "the preface of HTTP/2, later": HTTP2_PREFACE,
    "a WebSocket with a body": UPGRADE % b"Content-Length: 5\r\n" + b"hello",
    "two Upgrades": UPGRADE % b"Upgrade: foo\r\n",
    "two Connections": UPGRADE % b"Connection: keep-alive\r\n",
    "another expectation": post(b"Expect: a miracle", b"Content-Length: 1", body=b"x"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_h01_what_h11_would_forgive_it_does_not_get_to_read(bad: bytes, step: int) -> None:
    checked = CheckedRequests()
    data = GET + bad + GET
    passed = b"".join(checked.receive(data[at : at + step]) for at in range(0, len(data), step))

    reader = h11.Connection(h11.SERVER)
    reader.receive_data(passed)
    assert reader.next_event().target == b"/livez"  # type: ignore[union-attr]
    assert isinstance(reader.next_event(), h11.EndOfMessage)
    reader.send(h11.Response(status_code=204, headers=[]))
    reader.send(h11.EndOfMessage())
    reader.start_next_cycle()
    assert passed.endswith(REFUSED)
    with pytest.raises(h11.RemoteProtocolError):
        while reader.next_event() is not h11.NEED_DATA:
            pass
    assert passed.count(b"/livez") == 1


@pytest.mark.parametrize("step", [1, 3, 100_000])
def test_good_requests_cross_however_they_are_cut(step: int) -> None:
    data = b"".join(
        [
            GET,
            post(b"content-length: 5", body=b"hello"),
            chunked(b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: trailer\r\n\r\n"),
            post(b"Content-Length: 0"),
            GET,
        ]
    )
    checked = CheckedRequests()
    reader = h11.Connection(h11.SERVER)
    bodies = []
    for at in range(0, len(data), step):
        if passed := checked.receive(data[at : at + step]):
            reader.receive_data(passed)
        while (event := reader.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Request):
                bodies.append(b"")
            elif isinstance(event, h11.Data):
                bodies[-1] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert not event.headers
                reader.send(h11.Response(status_code=204, headers=[]))
                reader.send(h11.EndOfMessage())
                reader.start_next_cycle()
            else:
                break
    assert bodies == [b"", b"hello", b"hello0123456789", b"", b""]


def test_a_piece_of_a_body_is_not_held_back() -> None:
    checked = CheckedRequests()
    assert checked.receive(post(b"Content-Length: 9", body=b"one")).endswith(b"\r\n\r\none")
    assert checked.receive(b"two") == b"two"


def test_h02_h2c_is_not_offered_to_hypercorn_and_a_websocket_is() -> None:
    h2c = GET.replace(
        b"Host: h", b"Host: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
    )
    assert b"h2c" not in CheckedRequests().receive(h2c)
    checked = CheckedRequests()
    assert checked.receive(UPGRADE % b"" + b"\x81\x80") == UPGRADE % b"" + b"\x81\x80"
    assert checked.receive(b"\0\n anything") == b"\0\n anything"


def test_http_2_that_begins_the_connection_passes_as_it_is() -> None:
    checked = CheckedRequests()
    assert checked.receive(HTTP2_PREFACE + b"\0\0\0\4") == HTTP2_PREFACE + b"\0\0\0\4"
    assert checked.receive(b"\0\0\0\0\0") == b"\0\0\0\0\0"


@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_h01_a_connection_that_was_handed_to_hypercorn_is_as_strict_as_the_door(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        for bad in BAD.values():
            client = await rig.connect()
            assert (await client.ask(rig.request("GET /api/of/the/site"))).status == 404
            await client.send(bad.replace(b"\r\nHost: h", b"\r\nHost: door.test"))
            assert (await client.rest()).startswith((b"HTTP/1.1 400", b"HTTP/1.1 404")), bad[:300]
