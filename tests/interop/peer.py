"""Drives a `Session` over a plain socket, in one thread: the smallest owner that a sans-IO core can have.

`Peer` moves the bytes and hands each stream's events to its `Channel`; what a channel does with them is in
exercise.py.
"""

import hashlib
import select
import socket
import time
from collections import Counter
from collections.abc import Callable

from visiona.wire.yamux.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    PingAcked,
    StreamEnded,
    StreamOpened,
    StreamReset,
    Writable,
)
from visiona.wire.yamux.session import Session

from tests.interop.pattern import pattern

READ_BYTES = 262_144
PIECE_BYTES = 65_536


class Channel:
    """One stream as seen from here: what came, how it ended, and what is still to be sent."""

    def __init__(self, peer: "Peer", stream_id: int) -> None:
        self.peer = peer
        self.stream_id = stream_id
        self.length = 0
        self.sum = hashlib.sha256()
        self.head = b""
        self.history: list[str] = []
        self.reading = True
        self.unconsumed = 0
        self._queue: list[bytes | tuple[int, int, int]] = []
        self._end_when_sent = False
        self.sent = 0

    @property
    def digest(self) -> str:
        """The hex SHA-256 of everything that came."""
        return self.sum.hexdigest()

    @property
    def is_over(self) -> bool:
        """Whether the peer will send nothing more."""
        return "ended" in self.history or "reset" in self.history

    def received(self, data: bytes) -> None:
        """Count, remember the beginning, and give the credit back."""
        self.length += len(data)
        self.sum.update(data)
        if len(self.head) < 200:
            self.head += data[: 200 - len(self.head)]
        self._take(len(data))

    def _take(self, count: int) -> None:
        if self.reading:
            self.peer.session.consume(self.stream_id, count, time.monotonic())
        else:
            self.unconsumed += count

    def read_on(self) -> None:
        """Take what was left lying, and everything from now on."""
        self.reading = True
        self._take(self.unconsumed)
        self.unconsumed = 0

    def ended(self) -> None:
        """The peer's FIN."""
        self.history.append("ended")

    def was_reset(self) -> None:
        """The peer's RST."""
        self.history.append("reset")
        self._queue.clear()

    def send(self, data: bytes) -> None:
        """Queue bytes; they leave as there is room."""
        self._queue.append(data)
        self.fill()

    def send_pattern(self, seed: int, count: int) -> None:
        """Queue `count` bytes of the pattern without making them yet."""
        self._queue.append((seed, 0, count))
        self.fill()

    def end(self) -> None:
        """FIN, after everything queued."""
        self._end_when_sent = True
        self.fill()

    @property
    def is_sent(self) -> bool:
        """Whether the session has taken everything that was queued here."""
        return not self._queue

    def fill(self) -> None:
        """Hand the session as much as there is room for."""
        session = self.peer.session
        while self._queue and (room := session.room(self.stream_id)):
            piece = self._next_piece(min(room, PIECE_BYTES))
            session.send_data(self.stream_id, piece)
            self.sent += len(piece)
        if not self._queue and self._end_when_sent:
            self._end_when_sent = False
            session.end_stream(self.stream_id)

    def _next_piece(self, most: int) -> bytes:
        first = self._queue.pop(0)
        if isinstance(first, bytes):
            if rest := first[most:]:
                self._queue.insert(0, rest)
            return first[:most]
        seed, start, count = first
        size = min(most, count)
        if count > size:
            self._queue.insert(0, (seed, start + size, count - size))
        return pattern(seed, size, start=start)


class Peer:
    """A session, its socket, and the channels that live on it."""

    def __init__(
        self, connection: socket.socket, session: Session, answer: Callable[["Peer", int], Channel] = Channel
    ) -> None:
        self.session = session
        self.channels: dict[int, Channel] = {}
        self.counts: Counter[str] = Counter()
        self.go_away_codes: list[int] = []
        self.ping_seconds: list[float] = []
        self.is_open = True
        self.on_step: Callable[[], None] = lambda: None
        self._answer = answer
        self._connection = connection
        self._unsent = b""
        connection.setblocking(False)

    def open(self, first: str) -> Channel:
        """Open a stream and say the first line on it."""
        channel = Channel(self, self.session.open_stream())
        self.channels[channel.stream_id] = channel
        channel.send(first.encode() + b"\n")
        return channel

    def run_until(self, done: Callable[[], bool], *, within_seconds: float = 60.0) -> None:
        """Move bytes until `done()`; an AssertionError when that takes too long or the connection ends first."""
        deadline = time.monotonic() + within_seconds
        while not done():
            assert self.is_open, "the connection ended"
            assert time.monotonic() < deadline, f"not done: {self.counts} {self.session.statistics()}"
            self.step()

    def run_to_the_end(self, *, within_seconds: float = 60.0) -> None:
        """Move bytes until the other side closes the connection."""
        deadline = time.monotonic() + within_seconds
        while self.is_open:
            assert time.monotonic() < deadline, f"not over: {self.counts} {self.session.statistics()}"
            self.step()

    def run_for(self, seconds: float) -> None:
        """Move bytes for a while."""
        deadline = time.monotonic() + seconds
        while self.is_open and time.monotonic() < deadline:
            self.step(0.01)

    def step(self, most_seconds: float = 0.05) -> None:
        """Send what can be sent, receive what has come."""
        self.on_step()
        self._send()
        wants = [self._connection] if self._unsent or self.session.wants_to_send else []
        readable, _, _ = select.select([self._connection], wants, [], most_seconds)
        if readable:
            self._receive()
        self._send()

    def _receive(self) -> None:
        try:
            data = self._connection.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_open = False
            return
        for event in self.session.receive_data(data, time.monotonic()):
            self._dispatch(event)

    def _send(self) -> None:
        while self.is_open:
            if not self._unsent:
                self._unsent = b"".join(self.session.data_to_send())
                for event in self.session.events():
                    self._dispatch(event)
            if not self._unsent:
                return
            try:
                self._unsent = self._unsent[self._connection.send(self._unsent) :]
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self.is_open = False

    def _dispatch(self, event: Event) -> None:
        self.counts[type(event).__name__] += 1
        match event:
            case StreamOpened(stream_id):
                self.channels[stream_id] = self._answer(self, stream_id)
            case DataReceived(stream_id, data):
                self.channels[stream_id].received(data)
            case StreamEnded(stream_id):
                self.channels[stream_id].ended()
            case StreamReset(stream_id):
                self.channels[stream_id].was_reset()
            case Writable(stream_id):
                self.channels[stream_id].fill()
            case PingAcked(_, rtt_seconds):
                self.ping_seconds.append(rtt_seconds)
            case GoAwayReceived(code):
                self.go_away_codes.append(code)
