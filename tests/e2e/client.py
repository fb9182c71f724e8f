"""A caller of the API and the proxy that shares no code with us: http.client, and websockets for WebSockets."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

SECONDS = 10.0
"""For any one wait on the server; none takes a tenth of it on an idle machine."""


@dataclass(frozen=True)
class Answer:
    """An answer that was read whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        assert self.status < 300, self
        return self.json["data"]

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass(frozen=True)
class Caller:
    """Whoever holds a token; each request has a connection of its own."""

    web: str
    token: str | None

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request and its whole answer. `body`: bytes as they are, anything else as JSON."""
        with self.stream(method, path, body, headers) as response:
            return Answer(response.status, response.headers, response.read())

    @contextmanager
    def stream(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer whose body is to be read; leaving the block early hangs up."""
        address = urlsplit(self.web)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
        given = self._headers()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, given | dict(headers or {}))
            response = connection.getresponse()
            try:
                yield response
            finally:
                response.close()
        finally:
            connection.close()

    def websocket(self, path: str, **options: Any) -> ClientConnection:
        """Opens one; raises websockets' InvalidStatus when it is refused."""
        return connect(
            self.web.replace("http", "ws", 1) + path,
            additional_headers=self._headers() | options.pop("headers", {}),
            open_timeout=SECONDS,
            close_timeout=1,
            proxy=None,
            compression=None,
            **options,
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


class Watching:
    """Something that goes on, read by a thread of its own until it ends; `ended_at` is the moment, monotonic."""

    def __init__(self, read: Callable[[Callable[[], None]], str]) -> None:
        self.ended_at = 0.0
        self.how = ""
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(read,), daemon=True)
        self._thread.start()
        assert self._begun.wait(SECONDS), "nothing came"

    def _run(self, read: Callable[[Callable[[], None]], str]) -> None:
        try:
            self.how = read(self._begun.set)
        except (OSError, http.client.HTTPException) as error:
            self.how = type(error).__name__
        self.ended_at = time.monotonic()

    def ended(self, within_seconds: float = 5.0) -> str:
        """Waits for the end; says how it came."""
        self._thread.join(within_seconds)
        assert self.ended_at, f"it still goes on after {within_seconds} s"
        return self.how

    @property
    def goes_on(self) -> bool:
        return not self.ended_at


def email_of(caller: Caller) -> str:
    return str(caller.ask("GET", "/api/auth/me").data["email"])


def watch_stream(caller: Caller, path: str) -> Watching:
    """Reads an endless answer; returns when its first bytes are here."""

    def read(begun: Callable[[], None]) -> str:
        with caller.stream("GET", path) as response:
            assert response.status == 200, response.status
            while response.read1(65536):
                begun()
        return "ended"

    return Watching(read)


def watch_websocket(caller: Caller, path: str) -> Watching:
    """Holds a WebSocket open; returns when a message has come back. `how` is the close code."""

    def read(begun: Callable[[], None]) -> str:
        with caller.websocket(path) as socket:
            socket.send("hello")
            for _ in socket:
                begun()
            # Iteration ends quietly for 1000 and 1001; for others it raises, which is caught by name below.
            return str(socket.protocol.close_code)

    def read_to_the_end(begun: Callable[[], None]) -> str:
        from websockets.exceptions import ConnectionClosed

        try:
            return read(begun)
        except ConnectionClosed as closed:
            return str(closed.rcvd.code if closed.rcvd is not None else 1006)

    return Watching(read_to_the_end)


def until(condition: Callable[[], object], what: str, within_seconds: float = SECONDS) -> float:
    """Asks again and again until it is so; gives the seconds that it took."""
    began, pause = time.monotonic(), threading.Event()
    while not condition():
        assert time.monotonic() - began < within_seconds, f"not within {within_seconds} s: {what}"
        pause.wait(0.01)
    return time.monotonic() - began
