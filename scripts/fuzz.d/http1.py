"""Throws bytes at the HTTP/1.1 readers and at the rules about what crosses.

Only RemoteProtocolError may come out of them. What is accepted is checked further: h11 reads the same head, what we write
is one head again, and a body that is cut anywhere is the same body.
"""

import random
import sys

import h11
from harness.rounds import run_rounds
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.body import BodyReader
from visiona.wire.http1.forward import (
    Crossing,
    agent_path,
    answer_for_client,
    client_address,
    request_for_agent,
)
from visiona.wire.http1.framing import (
    CHUNKED,
    UntilClose,
    expects_continue,
    request_framing,
    response_framing,
)
from visiona.wire.http1.head import (
    MAX_RESPONSE_HEAD_BYTES,
    find_head_end,
    parse_request_head,
    parse_response_head,
)

PREFIX = b"/api/devices/0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b/proxy"
CROSSING = Crossing(b"r-1", "192.0.2.7", b"https", b"relay.example.com", PREFIX)

SEEDS = [
    b"GET %b/a?b HTTP/1.1\r\nHost: relay.example.com\r\nCookie: a=1; visiona_session=s\r\nAccept: */*\r\n\r\n"
    % PREFIX,
    b"POST %b/%%2e%%2e/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde"
    % PREFIX,
    b"POST %b/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\nX_Forwarded-For: 1.1.1.1\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    % PREFIX,
    b"PUT %b HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nabcde\r\n0\r\nX-A: 1\r\n\r\n"
    % PREFIX,
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, X-A\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=1; Path=/; Domain=b\r\nCache-Control: public\r\n\r\nabcde",
    b"HTTP/1.1 302 Found\r\nLocation: ../../x?y#z\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 204 No Content\r\nRefresh: 5; url=/x\r\nLocation: //evil\\..\\x\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
]
SPICE = [
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b"\t",
        b" ",
        b":",
        b",",
        b";",
        b"%",
        b"\\",
        b"/",
        b"..",
        b"%2e",
        b"%25",
        b"#",
        b"\x7f",
        b"\xff",
    ),
    *(
        b"\r\n ",
        b"0",
        b"-1",
        b"chunked",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Host: b\r\n",
        b"Cookie: ",
    ),
    *(b"Location: ", b"Set-Cookie: ", b"http://", b"localhost", b"[::1]", b"@", b"visiona_session=x"),
]


def mutated(randomness: random.Random) -> bytes:
    if randomness.random() < 0.05:
        return randomness.randbytes(randomness.randrange(64))
    data = bytearray(randomness.choice(SEEDS))
    for _ in range(randomness.randrange(5)):
        at = randomness.randrange(len(data) + 1)
        piece = (
            randomness.choice(SPICE)
            if randomness.random() < 0.8
            else randomness.randbytes(randomness.randrange(4))
        )
        data[at : at + randomness.choice([0, 0, 1, 3, len(piece)])] = piece
    if randomness.random() < 0.1:
        data[: len(data) // 2] = randomness.choice(SEEDS)[: randomness.randrange(80)]
    return bytes(data)


def try_request(data: bytes, randomness: random.Random) -> None:
    find_head_end(data[: randomness.randrange(len(data) + 1)])
    end = find_head_end(data)
    if end is None:
        return
    head = parse_request_head(data[:end])
    client_address("127.0.0.1", head.headers, [])
    framing = request_framing(head)
    expects_continue(head)
    server = h11.Connection(h11.SERVER)
    server.receive_data(data[:end])
    theirs = server.next_event()
    assert isinstance(theirs, h11.Request), "h11 does not read this head"
    assert (theirs.method, theirs.target) == (head.method, head.target), "h11 reads another request"
    target = agent_path(head.target, PREFIX)
    again = parse_request_head(request_for_agent(head, target, CROSSING, framing))
    assert again.target == target, "the target changed on the way"
    assert request_framing(again) == framing, "the framing changed on the way"
    pairs = [pair.strip() for value in again.get_all(b"cookie") for pair in value.split(b";")]
    assert not any(pair.startswith(b"visiona_session") for pair in pairs), "our cookie crossed"
    try_body(data[end:], randomness)


def try_answer(data: bytes, randomness: random.Random) -> None:
    end = find_head_end(data, limit_bytes=MAX_RESPONSE_HEAD_BYTES)
    if end is None:
        return
    head = parse_response_head(data[:end])
    framing = response_framing(head, b"GET")
    text = answer_for_client(head, CROSSING, framing, keep_alive=not isinstance(framing, UntilClose))
    again = parse_response_head(text)
    assert response_framing(again, b"GET") == framing, "the framing changed on the way"
    assert all(PREFIX in value for value in again.get_all(b"set-cookie")), "a cookie escaped its path"
    for value in again.get_all(b"location"):
        assert value.startswith((PREFIX, b"http", b"//")) or value[:4].lower() == b"http", (
            "a redirect escaped its path"
        )
    try_body(data[end:], randomness)


def try_body(data: bytes, randomness: random.Random) -> None:
    """The same body, whole and in pieces."""
    whole = BodyReader(CHUNKED)
    pieces, consumed = whole.receive(data)
    cut, body, used = BodyReader(CHUNKED), b"", 0
    while used < len(data) and not cut.done:
        some = data[used : used + randomness.randrange(1, 4)]
        parts, taken = cut.receive(some)
        body += b"".join(parts)
        used += taken
    assert (body, cut.done, cut.trailers) == (b"".join(pieces), whole.done, whole.trailers), (
        "cut, it is another body"
    )
    assert used == consumed, "cut, it is of another length"


def request_round(chance: random.Random) -> None:
    try_request(mutated(chance), chance)


def answer_round(chance: random.Random) -> None:
    try_answer(mutated(chance), chance)


def body_round(chance: random.Random) -> None:
    try_body(mutated(chance), chance)


if __name__ == "__main__":
    sys.exit(run_rounds([request_round, answer_round, body_round], (RemoteProtocolError,)))
