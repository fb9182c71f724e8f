"""A TCP relay that can stop to deliver without a word: how a network looks that has lost its way (T-40)."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Hole:
    """Stands between an agent and the relay. Nothing of it raises; threads end with their sockets."""

    def __init__(self, to: str) -> None:
        host, _, port = to.rpartition("/")[2].rpartition(":")
        self._to = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._swallowing = threading.Event()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def swallow(self) -> None:
        """From now on every byte is lost, in both directions, and so is every connection that is begun."""
        self._swallowing.set()

    def heal(self) -> None:
        """New connections get through again; what was lost stays lost."""
        self._swallowing.clear()

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _spawn(self, target: object, *values: object) -> None:
        thread = threading.Thread(target=target, args=values, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                if self._swallowing.is_set():
                    continue
                far = socket.create_connection(self._to)
                self._sockets.append(far)
                lost = threading.Event()
                self._spawn(self._pump, near, far, lost)
                self._spawn(self._pump, far, near, lost)

    def _pump(self, source: socket.socket, sink: socket.socket, lost: threading.Event) -> None:
        """Ends are passed on as well, but not through the hole."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._swallowing.is_set():
                    lost.set()
                if not lost.is_set():
                    sink.sendall(data)
            if not lost.is_set() and not self._swallowing.is_set():
                sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def hole(to: str) -> Iterator[Hole]:
    made = Hole(to)
    try:
        yield made
    finally:
        made.close()
