"""What one connection still has to send: straight to the kernel where it takes it, kept and awaited where not.

Sending never waits, for it is done from inside the tunnel's reader. What the kernel does not take at once is sent by
a task that exists only as long as there is something left; until then nobody is given credit for it.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable

import trio

from visiona.relay.deadlines import Sweeper

SEND_BYTES = 262144
"""At most this much is joined for one send: as much as a stream's first window, and no copy is larger."""

LIVE_UNSENT_BYTES = 131072
"""Of a moving picture, waiting in the kernel beyond what is on its way: what waits there is old when it is seen."""

Spawn = Callable[[Callable[[], Awaitable[None]]], None]


class Output:
    """The sending side of one connection.

    Attributes:
        is_stalled: the kernel's buffer is full; the drain task waits for the client.
        is_broken: the client is gone; everything is dropped from now on.
        moved_at: when the client last took something, on the sweeper's clock.
        sent_bytes: in all.
    """

    def __init__(
        self, sock: socket.socket, sweeper: Sweeper, spawn: Spawn, drained: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._descriptor = sock.fileno()
        self._sweeper = sweeper
        self._spawn = spawn
        self._drained = drained
        self._parts: deque[bytes] = deque()
        self._taken: Callable[[int], None] | None = None
        self._owed_bytes = 0
        self.is_stalled = False
        self.is_broken = False
        self.moved_at = 0.0
        self.sent_bytes = 0

    def owe(self, taken: Callable[[int], None] | None) -> None:
        """From now on `taken` is told how many payload bytes have left; None: nobody asks any more."""
        self._taken = taken
        self._owed_bytes = 0

    def queue(self, data: bytes, payload_bytes: int = 0) -> None:
        """Keeps the bytes for the next flush; `payload_bytes` of them are owed."""
        self._parts.append(data)
        self._owed_bytes += payload_bytes

    def hold_little(self) -> None:
        """What is sent from here on is live: the kernel is to take no more than a little ahead of the client."""
        hold_little(self._sock)

    def discard(self) -> None:
        """Drops what was queued and not flushed. Only sound while nothing is stalled."""
        self._parts.clear()
        self._owed_bytes = 0

    def flush(self) -> None:
        """Sends what the kernel takes now, and leaves the rest to the drain task."""
        if self.is_stalled or not self._parts:
            return
        self._send_what_goes()
        if self._parts:
            self.is_stalled = True
            self.moved_at = self._sweeper.now
            self._spawn(self._drain)

    def give_up(self) -> None:
        """The connection is over: nothing more is sent."""
        self.is_broken = True
        self.is_stalled = False
        self._parts.clear()
        self._taken = None

    async def _drain(self) -> None:
        while self._parts:
            try:
                await trio.lowlevel.wait_writable(self._descriptor)
            except trio.ClosedResourceError:
                # Either the socket is closed, or the reading task was woken by the same means.
                if self.is_broken:
                    return
                await trio.lowlevel.checkpoint()
                continue
            if self.is_broken:
                return
            self._send_what_goes()
        self.is_stalled = False
        self._drained()

    def _send_what_goes(self) -> None:
        parts = self._parts
        while parts:
            data = parts.popleft() if len(parts) == 1 else self._gather()
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                parts.appendleft(data)
                return
            except OSError:
                # The reading task hears of it as well, and ends the connection.
                self.give_up()
                return
            self._note_sent(sent, everything=not parts and sent == len(data))
            if sent < len(data):
                parts.appendleft(data[sent:])
                return

    def _gather(self) -> bytes:
        parts, size, joined = self._parts, 0, []
        while parts and size < SEND_BYTES:
            joined.append(parts.popleft())
            size += len(joined[-1])
        return joined[0] if len(joined) == 1 else b"".join(joined)

    def _note_sent(self, sent: int, *, everything: bool) -> None:
        self.sent_bytes += sent
        self.moved_at = self._sweeper.now
        # Heads and chunk lines are sent too and not owed, so that the last of the debt is paid when all has left.
        paid = self._owed_bytes if everything else min(sent, self._owed_bytes)
        self._owed_bytes -= paid
        if paid and self._taken is not None:
            self._taken(paid)


def hold_little(sock: socket.socket) -> None:
    """See Output.hold_little."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, LIVE_UNSENT_BYTES)
