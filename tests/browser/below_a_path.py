"""A reverse proxy that shows a server below a path and tells it nothing about that, as simple ones do."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager


class BelowAPath:
    """Takes the path off each request and passes everything else on, one request a connection."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server: tuple[str, int] | None = None
        self.outside: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def lead_to(self, host: str, port: int) -> None:
        self._server = (host, port)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with closing(client):
            data = b""
            while b"\r\n\r\n" not in data:
                if not (piece := client.recv(65536)):
                    return
                data += piece
            line, _, rest = data.partition(b"\r\n")
            method, target, version = line.split(b" ")
            if not target.startswith(self._prefix + b"/"):
                if target != b"/favicon.ico":
                    self.outside.append(target)
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            line = b" ".join((method, target.removeprefix(self._prefix), version))
            rest = rest.replace(b"Connection: keep-alive\r\n", b"Connection: close\r\n", 1)
            assert self._server is not None
            with closing(socket.create_connection(self._server)) as server:
                server.sendall(line + b"\r\n" + rest)
                threading.Thread(target=_pump, args=(client, server), daemon=True).start()
                _pump(server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
    except OSError:
        return


@contextmanager
def below_a_path(prefix: str) -> Iterator[BelowAPath]:
    proxy = BelowAPath(prefix)
    try:
        yield proxy
    finally:
        proxy.close()
