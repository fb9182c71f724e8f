import json

import pytest
import trio
import trio.testing
from visiona.domain.listen import ListenAddress
from visiona.ops.health import HealthBoard
from visiona.ops.internal import (
    CONNECTION_SECONDS,
    answer_connection,
    answers_for,
    health_answer,
    serve_internal,
)
from visiona.ops.metrics import Metrics, Sources

NAMES = frozenset({"localhost", "metrics.lan"})


def well() -> HealthBoard:
    board = HealthBoard()
    board.report("database", ok=True)
    return board


async def ask(request: bytes, board: HealthBoard | None = None) -> tuple[int, dict[str, str], bytes]:
    """One connection, as far as it is answered: status, headers, body."""
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_connection, server, answers_for(board or well(), Metrics(Sources())), NAMES)
        await client.send_all(request)
        answer = b"".join([data async for data in client])
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    return int(status_line.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def test_metrics_are_text_for_prometheus() -> None:
    status, headers, body = await ask(get("/metrics?x=1"))
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"process_open_fds" in body


async def test_ready_says_what_it_looked_at() -> None:
    for path in ("/readyz", "/healthz"):
        status, _, body = await ask(get(path))
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert json.loads(body)["checks"]["database"]["ok"] is True


async def test_unready_is_503_and_names_what_fails_while_the_process_lives() -> None:
    board = well()
    board.report("database", ok=False, why="gone")
    status, _, body = await ask(get("/readyz"), board)
    assert (status, json.loads(body)["failing"]) == (503, ["database"])
    assert json.loads(body)["checks"]["database"]["why"] == "gone"
    assert (await ask(get("/livez"), board))[0] == 200


async def test_s06_draining_is_503_at_once_and_still_alive() -> None:
    board = well()
    board.drain()
    assert (await ask(get("/healthz"), board))[0] == 503
    assert (await ask(get("/livez"), board))[0] == 200
    assert json.loads(health_answer(board.snapshot())[2])["status"] == "draining"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/elsewhere"), 404),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
        (b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    ],
)
async def test_other_questions_have_plain_answers(request_bytes: bytes, status: int) -> None:
    assert (await ask(request_bytes))[0] == status


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/elsewhere"])
async def test_every_answer_names_its_request(path: str) -> None:
    given = get(path)[:-2] + b"X-Request-Id: mine-1\r\n\r\n"
    assert (await ask(given))[1]["x-request-id"] == "mine-1"
    assert len((await ask(get(path)))[1]["x-request-id"]) == 24


async def test_head_has_no_body() -> None:
    assert (await ask(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"))[2] == b""


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02", b"GET / HTTP/9\r\n\r\n", b"GET /" + b"x" * 20_000])
async def test_garbage_closes_the_connection_and_nothing_else(garbage: bytes) -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_connection, server, answers_for(well(), Metrics(Sources())), NAMES)
        await client.send_all(garbage)
        await client.send_eof()
        assert await client.receive_some() == b""


async def test_a_client_that_leaves_is_nobodys_error() -> None:
    client, server = trio.testing.memory_stream_pair()
    await client.aclose()
    await answer_connection(server, answers_for(well(), Metrics(Sources())), NAMES)


async def test_s09_a_slow_scraper_loses_its_place(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    started = trio.current_time()
    await client.send_all(b"GET /met")
    await answer_connection(server, answers_for(well(), Metrics(Sources())), NAMES)
    assert trio.current_time() - started == pytest.approx(CONNECTION_SECONDS)


async def test_it_listens_where_it_is_told_and_says_where() -> None:
    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(
            serve_internal, ListenAddress("127.0.0.1", 0), well(), Metrics(Sources())
        )
        host, port = url.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(get("/livez"))
            assert b" 200 " in b"".join([data async for data in stream])
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:3801",
        "localhost.",
        "127.0.0.1:3801",
        "[::1]:3801",
        "10.1.2.3",
        "metrics.lan:80",
    ],
)
async def test_h05_it_is_asked_by_an_address_or_by_a_name_of_its_own(host: str) -> None:
    assert (await ask(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x", ""]
)
async def test_h05_a_page_that_was_pointed_here_by_its_name_is_told_nothing(host: str) -> None:
    status, _, body = await ask(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert status == 421
    assert b"internal.hosts" in body
    assert b"process_open_fds" not in body


async def test_an_old_probe_names_no_host() -> None:
    assert (await ask(b"GET /livez HTTP/1.0\r\n\r\n"))[0] == 200


async def test_h05_the_names_are_localhost_the_one_it_listens_on_and_those_that_are_set() -> None:
    async with trio.open_nursery() as nursery:
        listen = ListenAddress("localhost", 0)
        parts = (listen, well(), Metrics(Sources()), ("Metrics.lan",))
        url, *_ = await nursery.start(serve_internal, *parts)
        port = int(url.rpartition(":")[2])
        for host, status in (("localhost", 200), ("metrics.lan", 200), ("elsewhere", 421)):
            async with await trio.open_tcp_stream("localhost", port) as stream:
                await stream.send_all(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert b" %d " % status in b"".join([data async for data in stream])
        nursery.cancel_scope.cancel()
