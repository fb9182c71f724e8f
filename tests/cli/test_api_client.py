import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import trio
from visiona.cli.api_client import open_api, refusal
from visiona.cli.output import CommandError, Exit

TOKEN = "vAp_" + "0" * 64


@contextlib.contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[str | None]]]:
    """A server with one answer; what it was shown to let somebody in."""
    shown: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", shown
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str], object]:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")

    def asked(server: str) -> object:
        async def run() -> object:
            async with open_api(server, path) as api:
                return await api.ask("GET", "/api/x")

        return trio.run(run)

    return asked


def test_what_the_answer_holds(ask: Callable[[str], object]) -> None:
    with answering(200, b'{"success": true, "data": [1]}') as (server, shown):
        assert ask(f"{server}/") == [1]
    with answering(204, b"") as (server, _):
        assert ask(server) is None
    assert shown == [f"Bearer {TOKEN}"]


def test_a_token_does_not_follow_a_redirect(ask: Callable[[str], object]) -> None:
    with (
        answering(200, b'{"data": 1}') as (elsewhere, shown),
        answering(302, b"", Location=elsewhere) as (there, _),
        pytest.raises(CommandError) as caught,
    ):
        ask(there)
    assert shown == []
    assert caught.value.code == "UNEXPECTED_ANSWER"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"null"])
def test_what_is_no_server_of_ours_is_said(ask: Callable[[str], object], body: bytes) -> None:
    with answering(200, body) as (server, _), pytest.raises(CommandError, match="no visiona server"):
        ask(server)


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (404, "NOT_FOUND", Exit.NOT_FOUND),
        (400, "VALIDATION_FAILED", Exit.USAGE),
        (503, "STORE_UNAVAILABLE", Exit.STORE_UNAVAILABLE),
        (409, "CONFLICT", Exit.FAILED),
    ],
)
def test_a_refusal_is_its_sentence_and_an_exit_code(status: int, code: str, exit_code: Exit) -> None:
    body = {"success": False, "error": {"code": code, "message": "not so", "request_id": "r"}}
    error = refusal(httpx.Response(status, content=json.dumps(body).encode()))
    assert (error.message, error.code, error.exit_code) == ("not so", code, exit_code)


@pytest.mark.parametrize("text", ["", " \n", "vAp_ 1", "vAp_\n1", "vAp_\u00e9"])
def test_a_file_without_a_token_is_said_before_anybody_is_asked(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)

    async def run() -> None:
        async with open_api("http://127.0.0.1:9", path):
            pass

    with pytest.raises(CommandError, match="holds no access token"):
        trio.run(run)
