"""The local service of an edge unit, for agents under test: standard library and wsproto, nothing of ours."""

import base64
import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FRAME_SECONDS = 0.02
PICTURE = bytes(range(256)) * 16
THEIRS = "visiona_session=theirs; Path=/"
RANGED = bytes(index * 7 % 251 for index in range(100_000))


class Backend:
    """What the tests know of the service.

    Attributes:
        left: paths of answers without end whose reader has gone.
        broken_off: methods of the requests to /broken.
        waiting: set while somebody waits in /wait.
        go_on: lets those in /wait have their answer.
        pages: content types and bodies by path, sent with a cookie that is not the unit's to set.
        cookies: the Cookie fields that came with requests for those.
    """

    def __init__(self) -> None:
        self.left: list[str] = []
        self.waiting = threading.Event()
        self.go_on = threading.Event()
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.cookies: list[str] = []
        self.closed_with: list[int] = []
        self.broken_off: list[str] = []
        self.flooded_bytes = 0

        class Answering(Handler):
            backend = self

        self._server = Quiet(("127.0.0.1", 0), Answering)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Quiet(ThreadingHTTPServer):
    """That a reader leaves is what is tested here, and no error."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving() -> Iterator[Backend]:
    backend = Backend()
    try:
        yield backend
    finally:
        backend.close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    backend: Backend

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError):
            super().handle_one_request()

    def log_message(self, *_: object) -> None:
        """No access log."""

    def _route(self) -> None:
        path = urlsplit(self.path).path
        routes = {
            "/echo": self._echo,
            "/sse": self._events,
            "/mjpeg": self._pictures,
            "/flood": self._flood,
            "/range": self._range,
            "/wait": self._wait,
            "/ws": self._websocket,
            "/ws/detections": self._websocket,
            "/broken": self._broken,
        }
        if path in self.backend.pages:
            self._page(*self.backend.pages[path])
        else:
            routes.get(path, self._headers)()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _route  # noqa: N815 - http.server's names

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _page(self, content_type: str, body: bytes) -> None:
        self.backend.cookies += self.headers.get_all("Cookie") or []
        self._answer(200, body, Content_Type=content_type, Set_Cookie=THEIRS)

    def _echo(self) -> None:
        body = self._body()
        digest = hashlib.sha256(body).hexdigest()
        self._answer(200, body, X_Method=self.command, X_Target=self.path, X_Body_Sha256=digest)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in {b"\r\n", b""}:
            pass
        return body

    def _headers(self) -> None:
        """The request as it came here; of the inventory's two questions nothing is known."""
        if self.path in {"/api/system/info", "/api/devices"}:
            self._answer(404, b"")
            return
        seen = {"method": self.command, "target": self.path, "headers": self.headers.items()}
        self._answer(200, json.dumps(seen).encode(), Content_Type="application/json")

    def _events(self) -> None:
        self._endless("text/event-stream", lambda number: b"id: %d\ndata: {}\n\n" % number)

    def _pictures(self) -> None:
        head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
        self._endless("multipart/x-mixed-replace; boundary=frame", lambda _: head + PICTURE + b"\r\n")

    def _flood(self) -> None:
        """As much as is taken, as fast as it is taken."""
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 40))
        self.end_headers()
        while True:
            self.wfile.write(PICTURE * 16)
            self.backend.flooded_bytes += len(PICTURE) * 16

    def _endless(self, content_type: str, piece: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        number, pause = 0, threading.Event()
        try:
            while not pause.wait(FRAME_SECONDS):
                number += 1
                data = piece(number)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        except OSError:
            self.backend.left.append(self.path)
            raise

    def _range(self) -> None:
        first, _, last = (self.headers.get("Range") or "").removeprefix("bytes=").partition("-")
        if not first:
            self._answer(200, RANGED, ETag='"r1"', Accept_Ranges="bytes")
            return
        end = min(int(last or len(RANGED) - 1), len(RANGED) - 1)
        span = f"bytes {first}-{end}/{len(RANGED)}"
        self._answer(206, RANGED[int(first) : end + 1], ETag='"r1"', Content_Range=span)

    def _wait(self) -> None:
        """Answers when the test says so."""
        name = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
        self.backend.waiting.set()
        self.backend.go_on.wait(30)
        self._answer(200, f"at last {name}".encode())

    def _broken(self) -> None:
        self.backend.broken_off.append(self.command)
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _websocket(self) -> None:
        key = (self.headers.get("Sec-WebSocket-Key") or "").encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header(
            "Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        )
        if offered := self.headers.get("Sec-WebSocket-Protocol"):
            self.send_header("Sec-WebSocket-Protocol", offered.split(",")[0].strip())
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._talk(Connection(ConnectionType.SERVER))

    def _talk(self, connection: Connection) -> None:
        """Echoes; "close CODE" closes so."""
        while data := self.connection.recv(65536):
            connection.receive_data(data)
            for event in connection.events():
                if isinstance(event, TextMessage) and event.data.startswith("close "):
                    self.connection.sendall(connection.send(CloseConnection(int(event.data[6:]), "as told")))
                elif isinstance(event, (TextMessage, BytesMessage)):
                    echoed = type(event)(event.data, message_finished=event.message_finished)
                    self.connection.sendall(connection.send(echoed))
                elif isinstance(event, Ping):
                    self.connection.sendall(connection.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self.backend.closed_with.append(event.code)
                    with contextlib.suppress(Exception):
                        self.connection.sendall(connection.send(event.response()))
                    return
        self.backend.left.append(self.path)
