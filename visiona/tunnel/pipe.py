"""A byte connection as tunnels need it: try to send at once, wait only when that fails.

Two kinds: a plain non-blocking socket, which is the fast one, and any Trio stream (TLS, and memory streams in tests),
which cannot be tried and is always awaited. Nothing here knows what the bytes mean.
"""

import socket
from typing import Protocol

import trio

READ_BYTES = 256 * 1024
"""One read: 4 KiB reads cost two thirds of the bulk rate, beyond 256 KiB nothing more is won."""

NOT_SENT_LOW_BYTES = 256 * 1024
"""TCP_NOTSENT_LOWAT: how much the kernel queues beyond what is in flight. Without it several MiB wait there on a slow
line, a ping answer behind them, and the agent's 10 s run out."""

STREAM_PIECE_BYTES = 64 * 1024
"""What is given to an awaited stream at a time: the write deadline then means at least 6.4 KiB/s of progress."""


class Pipe(Protocol):
    """One connection. One task reads, one task writes; closing is for whoever owns both."""

    async def receive_some(self) -> bytes:
        """Waits for bytes; `b""` is the end. Raises OSError or trio.BrokenResourceError when it broke."""
        ...

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Sends what the kernel takes at once and says how much; 0 means wait. Raises OSError."""
        ...

    async def send_all(self, data: memoryview, progress_seconds: float) -> None:
        """Sends all of it; trio.TooSlowError if for so long nothing was taken. Cancelling may leave half sent."""
        ...

    async def send_eof(self) -> None:
        """Says that no more comes, where the connection can say it; never raises for a broken one."""
        ...

    async def aclose(self) -> None:
        """Drops the connection without waiting for anybody; harmless twice."""
        ...


class SocketPipe:
    """A connected, non-blocking socket of the standard library. Closing is ours from here on."""

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def receive_some(self) -> bytes:
        """Waits first and reads then: after each read there is nothing more most of the time."""
        while True:
            await trio.lowlevel.wait_readable(self._socket.fileno())
            try:
                return self._socket.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                continue

    def send_nowait(self, data: bytes | memoryview) -> int:
        """See Pipe."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    async def send_all(self, data: memoryview, progress_seconds: float) -> None:
        """See Pipe."""
        while data:
            with trio.fail_after(progress_seconds):
                await trio.lowlevel.wait_writable(self._socket.fileno())
            data = data[self.send_nowait(data) :]

    async def send_eof(self) -> None:
        """See Pipe."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            # Already gone: then the end is known to everybody.
            return

    async def aclose(self) -> None:
        """See Pipe."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket.fileno())
            self._socket.close()


class StreamPipe:
    """Any Trio stream."""

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def receive_some(self) -> bytes:
        """See Pipe."""
        return bytes(await self._stream.receive_some(READ_BYTES))

    def send_nowait(self, data: bytes | memoryview) -> int:
        """A Trio stream cannot be tried."""
        return 0

    async def send_all(self, data: memoryview, progress_seconds: float) -> None:
        """See Pipe; progress is seen once per piece."""
        while data:
            with trio.fail_after(progress_seconds):
                await self._stream.send_all(data[:STREAM_PIECE_BYTES])
            data = data[STREAM_PIECE_BYTES:]

    async def send_eof(self) -> None:
        """TLS cannot say it without waiting for the other side; closing does."""

    async def aclose(self) -> None:
        """See Pipe."""
        await trio.aclose_forcefully(self._stream)


def tune(sock: socket.socket) -> None:
    """Sets the options of a tunnel's socket: small frames leave at once, and little waits in the kernel."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_BYTES)
