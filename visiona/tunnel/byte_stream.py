"""A tunnel's stream as a Trio stream: for the agent, for tests, for whoever would rather await than be told."""

from collections import deque

import trio

from visiona.tunnel.errors import StreamReset, TunnelClosed
from visiona.tunnel.stream import Stream

PIECE_BYTES = 64 * 1024
"""How much `send_all` queues between two looks at whether there is room."""


class TunnelStream(trio.abc.HalfCloseableStream):
    """One stream. One task may send while another receives; `aclose` may come from anywhere.

    Errors are Trio's: BrokenResourceError with the StreamReset or TunnelClosed as its cause.
    """

    __slots__ = ("_chunks", "_closed", "_eof", "_error", "_receivers", "_senders", "_writable", "stream")

    stream: Stream
    """The stream under it; set by the tunnel that opened or accepted it."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._eof = False
        self._closed = False
        self._error: StreamReset | TunnelClosed | None = None
        self._writable = True
        self._receivers = trio.lowlevel.ParkingLot()
        self._senders = trio.lowlevel.ParkingLot()

    # Told by the tunnel.

    def stream_data(self, data: bytes) -> None:
        """Keeps the bytes; the window bounds how many there can be."""
        if self._closed:
            self.stream.consumed(len(data))
            return
        self._chunks.append(data)
        self._receivers.unpark_all()

    def stream_ended(self) -> None:
        """No more will come."""
        self._eof = True
        self._receivers.unpark_all()

    def stream_lost(self, error: StreamReset | TunnelClosed) -> None:
        """Wakes whoever waits."""
        self._error = error
        self._receivers.unpark_all()
        self._senders.unpark_all()

    def stream_writable(self) -> None:
        """There is room again."""
        self._writable = True
        self._senders.unpark_all()

    # Asked by its user.

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The bytes that arrived, `b""` at the end. Safe to cancel: nothing is lost."""
        await trio.lowlevel.checkpoint()
        while not self._chunks:
            if self._closed:
                raise trio.ClosedResourceError("this stream was closed here")
            if self._eof:
                return b""
            if self._error is not None:
                raise trio.BrokenResourceError(str(self._error)) from self._error
            await self._receivers.park()
        chunk = self._chunks.popleft()
        if max_bytes is not None and len(chunk) > max_bytes:
            self._chunks.appendleft(chunk[max_bytes:])
            chunk = chunk[:max_bytes]
        self.stream.consumed(len(chunk))
        return chunk

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queues all of it, waiting for room. Cancelling leaves whole pieces queued and the rest not."""
        await trio.lowlevel.checkpoint()
        view = memoryview(data)
        while view:
            await self.wait_send_all_might_not_block()
            self._write(bytes(view[:PIECE_BYTES]))
            view = view[PIECE_BYTES:]

    async def wait_send_all_might_not_block(self) -> None:
        """Waits for room; returns at once when the stream is over, as sending will say so."""
        while not self._writable and self._error is None and not self._closed:
            await self._senders.park()

    async def send_eof(self) -> None:
        """Ends this direction, after what is queued."""
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed here")
        self.stream.end()

    async def aclose(self) -> None:
        """Gives the stream up. After `send_eof` what was queued still goes, and the rest of the other side is dropped."""
        if not self._closed:
            self._closed = True
            if self.stream.is_ended:
                self._drop_the_rest()
            else:
                self.stream.reset()
            self._receivers.unpark_all()
            self._senders.unpark_all()
        await trio.lowlevel.checkpoint()

    def _write(self, data: bytes) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed here")
        try:
            self._writable = self.stream.write(data)
        except (StreamReset, TunnelClosed) as error:
            raise trio.BrokenResourceError(str(error)) from error

    def _drop_the_rest(self) -> None:
        # A reset now would reach the other side as one, and make it throw away what it has not read yet.
        self.stream.consumed(sum(map(len, self._chunks)))
        self._chunks.clear()
