"""Saying no."""

import json

import trio
import trio.testing
from visiona.relay.refusals import LINGER_SECONDS, Refusal, broken_request, render, send_and_close
from visiona.tunnel.pipe import StreamPipe
from visiona.wire.errors import RemoteProtocolError


def test_a_refusal_is_the_apis_envelope() -> None:
    refusal = Refusal(429, "RATE_LIMITED", "too many", 7, details={"since": "now"})
    head, _, body = render(refusal, "r1").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"Retry-After: 7" in head
    assert b"Connection: close" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {
        "success": False,
        "error": {
            "code": "RATE_LIMITED",
            "message": "too many",
            "request_id": "r1",
            "details": {"since": "now"},
        },
    }


def test_methods_and_versions_that_would_do_are_named() -> None:
    assert b"Allow: GET" in render(Refusal(405, "VALIDATION_FAILED", "no", allow="GET"), "r1")
    assert b"Sec-WebSocket-Version: 13" in render(Refusal(426, "VALIDATION_FAILED", "no"), "r1")


def test_a_broken_request_is_refused_with_its_own_status() -> None:
    refusal = broken_request(RemoteProtocolError("too long", kind="head_too_large", status=431))
    assert (refusal.status, refusal.message) == (431, "too long")


async def test_what_is_still_coming_is_read_a_little_while(autojump_clock: trio.testing.MockClock) -> None:
    here, there = trio.testing.memory_stream_pair()
    began = trio.current_time()
    await there.send_all(b"x" * 100)
    await send_and_close(StreamPipe(here), b"no")
    assert trio.current_time() - began == LINGER_SECONDS
    assert await there.receive_some() == b"no"
    assert await there.receive_some() == b""


async def test_a_newcomer_that_is_gone_or_deaf_costs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    here, there = trio.testing.memory_stream_pair()
    await there.aclose()
    await send_and_close(StreamPipe(here), b"no")
    here, there = trio.testing.lockstep_stream_pair()
    began = trio.current_time()
    await send_and_close(StreamPipe(here), b"no")
    assert trio.current_time() - began < 4
    await there.aclose()
