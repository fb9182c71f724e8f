"""One yamux stream as its user holds it: `Stream` and the `StreamHandler` it reports to.

Nothing here waits. What arrives is handed to the handler from inside the tunnel's reader, in the same step that read
it; what is written goes to the session's queue and leaves with everything else that was queued in this scheduler
tick. Task-style use (`await receive_some()`) is in byte_stream.py, built on this.
"""

from typing import Protocol

from visiona.tunnel.errors import StreamReset, TunnelClosed
from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux.session import Session

MAX_PENDING_BYTES = 1024 * 1024
"""What one stream may hold back here while its queue is full: a writer that ignores `False` four times over."""


class StreamHandler(Protocol):
    """What a stream tells its user, synchronously from the tunnel's reader: it must neither block nor raise.

    After `stream_lost`, or after the user's own `reset()`, nothing more is told.
    """

    def stream_data(self, data: bytes) -> None:
        """Bytes arrived. Credit goes back only by `Stream.consumed`, when they have gone wherever they go."""
        ...

    def stream_ended(self) -> None:
        """The other side will send no more (FIN). This side may still write, and must end or reset the stream."""
        ...

    def stream_lost(self, error: StreamReset | TunnelClosed) -> None:
        """The stream is over, both ways, before its time."""
        ...

    def stream_writable(self) -> None:
        """There is room again after a `write` that returned False."""
        ...


class StreamOwner(Protocol):
    """What a stream asks of its tunnel."""

    session: Session

    def wake_writer(self) -> None:
        """Something was queued; it leaves in this scheduler tick's one send."""
        ...

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def note_blocked(self, stream: "Stream") -> None:
        """The stream holds bytes back: flush it when there is room, and do not wait for ever."""
        ...

    def forget(self, stream: "Stream") -> None:
        """The stream is over."""
        ...


class Stream:
    """One stream. All methods are plain functions and take effect at once.

    A stream that could not be opened yet, because too many opens are unanswered, has `id` 0 and takes writes all the
    same; it opens as soon as the other side has answered an earlier one.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_handler",
        "_owner",
        "_pending",
        "_pending_bytes",
        "_remote_ended",
        "id",
    )

    def __init__(self, owner: StreamOwner, handler: StreamHandler, stream_id: int) -> None:
        self._owner = owner
        self._handler = handler
        self.id = stream_id
        self._pending: list[bytes] | None = None
        self._pending_bytes = 0
        self._ended = False
        self._remote_ended = False
        self._error: StreamReset | TunnelClosed | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the stream was reset, by either side, or its tunnel closed."""
        return self._error is not None

    @property
    def room(self) -> int:
        """How many bytes would go straight to the queue; 0: the next `write` will return False."""
        if self._error is not None or self._pending is not None or not self.id:
            return 0
        return self._owner.session.room(self.id)

    def write(self, data: bytes) -> bool:
        """Queues all of the data; False: write no more until `stream_writable`.

        Raises:
            StreamReset: the stream was reset, by either side.
            TunnelClosed: the tunnel is over.
            LocalProtocolError: after `end()`, or a writer that goes on and on after False.
        """
        if self._error is not None or self._ended:
            raise self._why_not()
        if self._pending is not None or not self.id:
            return self._hold_back(data)
        session = self._owner.session
        room = session.room(self.id)
        size = len(data)
        if size < room:
            session.send_data(self.id, data)
            self._owner.wake_writer()
            return True
        if room:
            session.send_data(self.id, data[:room])
            self._owner.wake_writer()
            # The session promises Writable to whoever was told 0, and to nobody else.
            session.room(self.id)
        return self._hold_back(data[room:])

    @property
    def is_ended(self) -> bool:
        """Whether `end()` was called."""
        return self._ended

    @property
    def held_bytes(self) -> int:
        """What `write` took and could not queue yet."""
        return self._pending_bytes

    def consumed(self, count: int) -> None:
        """Gives credit back for bytes of `stream_data` that have left; harmless once the stream is over."""
        if self._error is None and self.id:
            self._owner.session.consume(self.id, count, self._owner.now())
            self._owner.wake_writer()

    def end(self) -> None:
        """Says that this side will write no more (FIN), after what is queued. Doing it twice is harmless."""
        if self._ended or self._error is not None:
            return
        self._ended = True
        if self._pending is None and self.id:
            self._send_end()

    def reset(self) -> None:
        """Abandons the stream at once, both ways; the handler hears nothing more. Doing it twice is harmless."""
        if self._error is not None:
            return
        self.lose(StreamReset("local"))
        if self.id and not (self._ended and self._remote_ended):
            self._owner.session.reset_stream(self.id)
            self._owner.wake_writer()
        self._owner.forget(self)

    # From here on: for the tunnel.

    @property
    def handler(self) -> StreamHandler:
        """Who is told."""
        return self._handler

    def flush(self) -> bool:
        """Moves what was held back into the queue as far as it goes; True when all of it went and room is left."""
        session = self._owner.session
        pending = self._pending or []
        room = session.room(self.id)
        while pending and room:
            data = pending[0]
            session.send_data(self.id, data[:room])
            self._pending_bytes -= min(len(data), room)
            if len(data) <= room:
                del pending[0]
            else:
                pending[0] = data[room:]
            room = session.room(self.id)
        if pending or (not room and not self._ended):
            return False
        self._pending = None
        if self._ended:
            self._send_end()
        return True

    def remote_ended(self) -> None:
        """A FIN arrived."""
        self._remote_ended = True
        if self._ended and self._pending is None:
            self._owner.forget(self)

    def lose(self, error: StreamReset | TunnelClosed) -> None:
        """Nothing more goes either way; frees what was held back."""
        self._error = error
        self._pending = None
        self._pending_bytes = 0

    def _hold_back(self, data: bytes) -> bool:
        if self._pending is None:
            self._pending = []
            self._owner.note_blocked(self)
        if data:
            self._pending.append(data)
            self._pending_bytes += len(data)
        if self._pending_bytes > MAX_PENDING_BYTES:
            raise LocalProtocolError("wait for stream_writable before writing more")
        return False

    def _send_end(self) -> None:
        self._owner.session.end_stream(self.id)
        self._owner.wake_writer()
        if self._remote_ended:
            self._owner.forget(self)

    def _why_not(self) -> Exception:
        # A fresh exception each time: one that is raised again and again drags all its tracebacks along.
        match self._error:
            case StreamReset(reason=reason):
                return StreamReset(reason)
            case TunnelClosed(cause=cause, detail=detail):
                return TunnelClosed(cause, detail)
            case None:
                return LocalProtocolError("write after end")
