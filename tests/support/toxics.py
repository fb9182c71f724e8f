"""A TCP relay between a program and its server that spoils the way: slow, cut to pieces, silent, reset, refused (T-40, S-01).

One thread moves the bytes and is the only one that touches sockets, so that a reset is one, whoever is just sending.
What is set holds for connections that are open and for those to come, until `heal`.
"""

import collections
import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.servers.processes import free_port

READ_BYTES = 65536
HELD_BYTES = 1 << 20
"""Beyond so much on its way in one direction nothing more is read: the sender feels it."""


class Lane:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        self.held_bytes = 0
        self.has_ended = False
        self.is_lost = False


@dataclass(eq=False)
class Passage:
    """One connection: to the server, and back."""

    near: socket.socket
    far: socket.socket
    to_server: Lane = field(init=False)
    to_client: Lane = field(init=False)

    def __post_init__(self) -> None:
        self.to_server = Lane(self.near, self.far)
        self.to_client = Lane(self.far, self.near)

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        return self.to_server, self.to_client

    @property
    def is_over(self) -> bool:
        return all(lane.has_ended and not lane.waiting for lane in self.lanes)


class ToxicRelay:
    """Stands before a port of the loopback; close it.

    Attributes:
        port: its own.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._passages: list[Passage] = []
        self._delay_seconds = 0.0
        self._slice_bytes = 0
        self._swallows = False
        self._lost_answer_to = b""
        self._orders: collections.deque[tuple[Callable[[], object], threading.Event]] = collections.deque()
        self._wake, self._woken = socket.socketpair()
        self._listener: socket.socket | None = _listening(free_port())
        self._fillers: list[socket.socket] = []
        # Not any port: nobody else may be given it while it refuses.
        self.port: int = self._listener.getsockname()[1]
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "ToxicRelay":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._passages)

    def delay(self, seconds: float) -> None:
        """Each piece arrives so much later, in both directions."""
        self._order(lambda: setattr(self, "_delay_seconds", seconds))

    def slice(self, count: int) -> None:
        """Nothing arrives in larger pieces."""
        self._order(lambda: setattr(self, "_slice_bytes", count))

    def swallow(self) -> None:
        """Every byte is lost, ends too; new connections are made and get no answer."""
        self._order(lambda: setattr(self, "_swallows", True))

    def vanish(self) -> None:
        """As `swallow`, and the beginning of new connections is lost as well: nobody answers a SYN."""

        def go() -> None:
            self._swallows = True
            self._stop_listening()
            deaf = _listening(self.port, backlog=0)
            self._fillers = [deaf, *(_begun(self.port) for _ in range(2))]

        self._order(go)

    def lead_to(self, port: int) -> None:
        """Connections to come go there."""
        self._order(lambda: setattr(self, "_to", port))

    def lose_the_answer_to(self, words: bytes) -> None:
        """Connections on which a client says this get no answer any more; it does reach the server."""
        self._order(lambda: setattr(self, "_lost_answer_to", words))

    def reset(self) -> None:
        """RST to both ends of every open connection; new ones are welcome."""
        self._order(self._reset_all)

    def refuse(self) -> None:
        """As `reset`, and new ones are refused."""

        def go() -> None:
            self._stop_listening()
            self._reset_all()

        self._order(go)

    def heal(self) -> None:
        """All is well again; a connection that has lost something is reset, as by who hears of it for the first time."""

        def go() -> None:
            self._delay_seconds, self._slice_bytes, self._swallows = 0.0, 0, False
            self._lost_answer_to = b""
            if self._listener is None:
                self._stop_listening()
                self._listener = _listening(self.port)
            for passage in [one for one in self._passages if any(lane.is_lost for lane in one.lanes)]:
                self._drop(passage, resets=True)

        self._order(go)

    def close(self) -> None:
        if not self._is_closed:
            self._order(lambda: setattr(self, "_is_closed", True))
            self._thread.join(5)
            # Not in the thread: it may be through with the order before it is woken for it.
            self._wake.close()
            self._woken.close()

    def _order(self, go: Callable[[], object]) -> None:
        done = threading.Event()
        self._orders.append((go, done))
        self._wake.send(b"x")
        assert done.wait(5), "the relay's thread is gone"

    def _run(self) -> None:
        try:
            while not self._is_closed:
                self._turn()
                while self._orders:
                    go, done = self._orders.popleft()
                    go()
                    done.set()
        finally:
            self._stop_listening()
            self._reset_all()

    def _turn(self) -> None:
        """Waits for something to do, and does it."""
        now = time.monotonic()
        poll, due = select.poll(), [30.0]
        poll.register(self._woken, select.POLLIN)
        if self._listener is not None:
            poll.register(self._listener, select.POLLIN)
        wanted: dict[int, int] = {}
        for lane in self._lanes():
            if not lane.has_ended and lane.held_bytes < HELD_BYTES:
                wanted[lane.source.fileno()] = wanted.get(lane.source.fileno(), 0) | select.POLLIN
            if lane.waiting and lane.waiting[0][0] <= now:
                wanted[lane.sink.fileno()] = wanted.get(lane.sink.fileno(), 0) | select.POLLOUT
            elif lane.waiting:
                due.append(lane.waiting[0][0] - now)
        for number, events in wanted.items():
            poll.register(number, events)
        found = dict(poll.poll(max(0.0, min(due)) * 1000 + 0.5))
        if self._woken.fileno() in found:
            self._woken.recv(4096)
        if self._listener is not None and self._listener.fileno() in found:
            self._accept(self._listener)
        for passage in list(self._passages):
            self._serve(passage, found)

    def _serve(self, passage: Passage, found: dict[int, int]) -> None:
        try:
            for lane in passage.lanes:
                if found.get(lane.source.fileno(), 0) & ~select.POLLOUT and not lane.has_ended:
                    self._read(passage, lane)
                self._write(lane)
        except OSError:
            self._drop(passage, resets=True)
            return
        if passage.is_over and not any(lane.is_lost for lane in passage.lanes):
            self._drop(passage, resets=False)

    def _read(self, passage: Passage, lane: Lane) -> None:
        data = lane.source.recv(READ_BYTES)
        lane.has_ended = not data
        if self._swallows:
            lane.is_lost = True
        if lane is passage.to_server and self._lost_answer_to and self._lost_answer_to in data:
            passage.to_client.is_lost = True
        if lane.is_lost:
            return
        size = self._slice_bytes or READ_BYTES
        at = time.monotonic() + self._delay_seconds
        # The end is a piece too, an empty one.
        for begin in range(0, max(len(data), 1), size):
            lane.waiting.append((at, data[begin : begin + size]))
        lane.held_bytes += len(data)

    def _write(self, lane: Lane) -> None:
        while lane.waiting and lane.waiting[0][0] <= time.monotonic():
            if self._swallows or lane.is_lost:
                lane.is_lost = True
                lane.waiting.clear()
                return
            at, data = lane.waiting[0]
            if not data:
                lane.waiting.popleft()
                lane.sink.shutdown(socket.SHUT_WR)
                continue
            try:
                sent = lane.sink.send(data)
            except BlockingIOError:
                return
            lane.held_bytes -= sent
            if sent < len(data):
                lane.waiting[0] = (at, data[sent:])
            else:
                lane.waiting.popleft()

    def _accept(self, listener: socket.socket) -> None:
        near, _ = listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._to), 5)
        except OSError:
            _reset(near)
            return
        for one in (near, far):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._passages.append(Passage(near, far))

    def _lanes(self) -> Iterator[Lane]:
        for passage in self._passages:
            yield from passage.lanes

    def _reset_all(self) -> None:
        for passage in list(self._passages):
            self._drop(passage, resets=True)

    def _drop(self, passage: Passage, *, resets: bool) -> None:
        self._passages.remove(passage)
        for one in (passage.near, passage.far):
            if resets:
                _reset(one)
            else:
                one.close()

    def _stop_listening(self) -> None:
        for one in self._fillers:
            one.close()
        self._fillers = []
        if self._listener is not None:
            self._listener.close()
            self._listener = None


@contextlib.contextmanager
def before(port: int) -> Iterator[ToxicRelay]:
    """A relay before the port while the block runs."""
    with ToxicRelay(port) as relay:
        yield relay


def _listening(port: int, **more: Any) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), **more)


def _begun(port: int) -> socket.socket:
    """A connection that is begun and not waited for."""
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", port))
    return one


def _reset(one: socket.socket) -> None:
    """Closes with RST instead of FIN."""
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
