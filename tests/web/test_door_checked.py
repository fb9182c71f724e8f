"""What Hypercorn may read: held against h11, which is who reads it."""

import h11
import pytest
from visiona.web.door_checked import MAX_AHEAD_BYTES, REFUSED, CheckedRequests
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


class Reader:
    """Reads as Hypercorn does, one request after another, and answers each at once."""

    def __init__(self) -> None:
        self.checked = CheckedRequests()
        self.passed = b""
        self.requests: list[tuple[bytes, bytes]] = []
        self._connection = h11.Connection(h11.SERVER)

    def read(self, data: bytes, step: int = 100_000) -> None:
        for at in range(0, len(data), step):
            self._take(self.checked.receive(data[at : at + step]))

    def _take(self, passed: bytes) -> None:
        self.passed += passed
        if passed:
            self._connection.receive_data(passed)
        while (event := self._connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Request):
                self.requests.append((event.target, b""))
            elif isinstance(event, h11.Data):
                target, body = self.requests[-1]
                self.requests[-1] = (target, body + bytes(event.data))
            else:
                # PAUSED would mean that more came than the one request.
                assert isinstance(event, h11.EndOfMessage), event
                assert not event.headers
                self._connection.send(h11.Response(status_code=204, headers=[]))
                self._connection.send(h11.EndOfMessage())
                self._connection.start_next_cycle()
                self._take(self.checked.answered())


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_h01_what_h11_would_forgive_it_does_not_get_to_read(bad: bytes, step: int) -> None:
    reader = Reader()
    with pytest.raises(h11.RemoteProtocolError):
        reader.read(GET + bad + GET, step)
    assert reader.passed.endswith(REFUSED)
    assert reader.passed.count(b"/livez") == 1
    assert reader.checked.receive(GET) == b""


@pytest.mark.parametrize("step", [1, 3, 100_000])
def test_good_requests_cross_however_they_are_cut(step: int) -> None:
    reader = Reader()
    reader.read(
        b"".join(
            [
                GET,
                post(b"content-length: 5", body=b"hello"),
                chunked(b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: trailer\r\n\r\n"),
                post(b"Content-Length: 0"),
                GET,
            ]
        ),
        step,
    )
    bodies = [b"", b"hello", b"hello0123456789", b"", b""]
    assert reader.requests == list(zip([b"/livez", b"/", b"/", b"/", b"/livez"], bodies, strict=True))


def test_one_request_passes_at_a_time_and_not_much_is_kept_of_the_next() -> None:
    checked = CheckedRequests()
    assert checked.receive(GET + GET) == GET
    assert checked.is_answering
    assert not checked.is_full
    assert checked.answered() == GET
    assert checked.receive(post(b"Content-Length: %d" % MAX_AHEAD_BYTES) + bytes(MAX_AHEAD_BYTES)) == b""
    assert checked.is_full
    assert len(checked.answered()) > MAX_AHEAD_BYTES
    assert not checked.is_full


def test_a_piece_of_a_body_is_not_held_back() -> None:
    checked = CheckedRequests()
    assert checked.receive(post(b"Content-Length: 9", body=b"one")).endswith(b"\r\n\r\none")
    assert checked.receive(b"two") == b"two"


def test_h02_h2c_is_not_offered_to_hypercorn() -> None:
    h2c = GET.replace(
        b"Host: h", b"Host: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
    )
    assert b"h2c" not in CheckedRequests().receive(h2c)


def test_what_is_sent_ahead_of_a_websocket_waits_until_it_is_one() -> None:
    checked = CheckedRequests()
    assert checked.receive(UPGRADE % b"" + b"\x81\x80") == UPGRADE % b""
    assert checked.receive(b"\0\0") == b""
    assert checked.upgraded() == b"\x81\x80\0\0"
    assert checked.receive(b"\0\n anything") == b"\0\n anything"


def test_what_follows_a_websocket_that_was_refused_is_a_request_or_nothing() -> None:
    checked = CheckedRequests()
    checked.receive(UPGRADE % b"" + b"\x81\x80")
    assert checked.answered() == REFUSED


def test_status_101_that_nobody_asked_for_opens_nothing() -> None:
    checked = CheckedRequests()
    checked.receive(GET + b"\x81\x80")
    assert checked.upgraded() == b""
    assert checked.receive(b"\x81\x80") == b""


def test_http_2_that_begins_the_connection_passes_as_it_is() -> None:
    checked = CheckedRequests()
    assert checked.receive(HTTP2_PREFACE + b"\0\0\0\4") == HTTP2_PREFACE
    assert checked.receive(b"\0\0\0\0\0") == b"\0\0\0\4\0\0\0\0\0"


@pytest.mark.parametrize("layer", ["door", "asgi"])
async def test_h01_a_connection_that_was_handed_to_hypercorn_is_as_strict_as_the_door(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        for bad in BAD.values():
            client = await rig.connect()
            assert (await client.ask(rig.request("GET /api/of/the/site"))).status == 404
            await client.send(bad.replace(b"\r\nHost: h", b"\r\nHost: door.test"))
            assert (await client.rest()).startswith((b"HTTP/1.1 400", b"HTTP/1.1 404")), bad[:300]
