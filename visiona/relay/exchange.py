"""One HTTP exchange over one stream of a tunnel: request up, answer down, both as they come.

There is no task here. The tunnel's reader calls the `StreamHandler` half with what the device sent, the client's
side calls `send_body`/`end_body`, and the sweeper calls `check_deadlines`. The answer goes to a `Client`, which is
the door's raw connection, the ASGI layer or a collector; whoever it is says with `taken` how much it has really
passed on, and that is what gives the device credit for more.

What ends early never ends well: an answer shorter than it announced reaches the client as `answer_broken`. Nothing
is ever sent twice: a request that fails after its stream was opened is reported, not repeated.
"""

from datetime import datetime
from enum import Enum

from visiona.domain.access import CredentialId
from visiona.domain.errors import DeviceBroke, DeviceTooSlow, VisionaError
from visiona.domain.ids import DeviceId, UserId
from visiona.relay.calls import LiveCall, LiveCalls, cut_error
from visiona.relay.client import Client, Opener
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.lost_streams import lost
from visiona.tunnel.errors import StreamReset, TunnelClosed, TunnelError
from visiona.tunnel.stream import Stream
from visiona.wire.errors import ProtocolError, RemoteProtocolError
from visiona.wire.http1.body import BodyReader, chunk, last_chunk
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import Chunked, Framing, NoBody, response_framing
from visiona.wire.http1.head import MAX_RESPONSE_HEAD_BYTES, ResponseHead, find_head_end, parse_response_head

MAX_INTERIM_ANSWERS = 16
"""Of status 1xx before the real answer. Early hints come once or twice; more is a flood (T-50)."""

DISCARD_BYTES = 65536
"""How much an exchange that is over takes at a time, to drop it."""

HANG_UP_SECONDS = 0.5
"""For a device to take the last words of a client that left, before the stream is reset."""

_SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class Phase(Enum):
    """Where an exchange is, as seen from the device's answer."""

    HEAD = "waiting for the head of the answer"
    BODY = "passing the body of the answer"
    PIPE = "switched to another protocol"
    LINGER = "answered; waiting for the device's end of stream"
    OVER = "nothing is left of it"


class Exchange:
    """One request and its answer. Made, started once, and gone when its phase is OVER.

    Attributes:
        is_bare: nothing follows the request's head, neither a body nor another protocol.
    """

    __slots__ = (
        "_body_chunked",
        "_buffer",
        "_call",
        "_client",
        "_head_limit_seconds",
        "_interims",
        "_limits",
        "_method",
        "_moved_at",
        "_reader",
        "_stream",
        "_sweeper",
        "_upgrade",
        "_upload_done",
        "is_bare",
        "phase",
    )

    def __init__(
        self,
        client: Client,
        method: bytes,
        framing: Framing,
        *,
        upgrade: bool,
        sweeper: Sweeper,
        limits: Limits,
    ) -> None:
        self._client: Client | None = client
        self._method = method
        self._upgrade = upgrade
        self._sweeper = sweeper
        self._limits = limits
        self._body_chunked = isinstance(framing, Chunked)
        self._upload_done = isinstance(framing, NoBody)
        self.is_bare = self._upload_done and not upgrade
        self._head_limit_seconds = (
            limits.answer_head_seconds if method in _SAFE_METHODS else limits.slow_answer_head_seconds
        )
        self._stream: Stream | None = None
        self._call: LiveCall | None = None
        self._reader: BodyReader | None = None
        self._buffer = b""
        self._interims = 0
        self._moved_at = 0.0
        self.phase = Phase.HEAD

    # --- the client's half -------------------------------------------------------------------------------------

    def start(self, tunnel: Opener, head: bytes) -> None:
        """Opens the stream and sends the request's head.

        Raises:
            TunnelClosed, StreamRefused: nothing was sent.
        """
        stream = tunnel.open_stream_nowait(self)
        self._stream = stream
        self._moved_at = self._sweeper.now
        self._sweeper.watch(self)
        stream.write(head)

    @property
    def upload_space_bytes(self) -> int:
        """How much `send_body` takes now. An exchange that is over takes anything, and drops it."""
        stream = self._stream
        # A chunk's own lines may go beyond the room: the stream holds that little back, and says when there is more.
        return DISCARD_BYTES if stream is None or self.phase is Phase.LINGER else stream.room

    def send_body(self, data: bytes) -> None:
        """Sends a piece of the request's body, no longer than `upload_space_bytes`."""
        stream = self._stream
        if stream is None or self.phase is Phase.LINGER or not data:
            return
        self._moved_at = self._sweeper.now
        self._write(stream, chunk(data) if self._body_chunked else data)

    def end_body(self, trailers: tuple[Header, ...] = ()) -> None:
        """The request's body is whole. The stream's own end is not sent before the answer is there as well.

        An agent built on an HTTP server takes an early end of stream for a client that left, and drops the request.
        """
        stream = self._stream
        if stream is None or self._upload_done or self.phase is Phase.LINGER:
            return
        self._moved_at = self._sweeper.now
        self._upload_done = True
        if self._body_chunked:
            self._write(stream, last_chunk(trailers))

    def taken(self, count: int) -> None:
        """The client has passed on `count` bytes of the answer's body."""
        if count and self._stream is not None:
            self._stream.consumed(count)

    def leave(self) -> None:
        """The client is gone: the device is told at once, and nobody else. After a whole answer it says nothing."""
        self._client = None
        if self.phase is not Phase.LINGER:
            self._drop_stream()

    def hang_up(self) -> None:
        """The client of a pipe is gone: what it said last still goes, then the stream ends, within a moment."""
        self._client = None
        self._leave_the_list()
        if self._stream is None:
            return
        self._stream.end()
        self.phase = Phase.LINGER
        self._moved_at = self._sweeper.now - self._limits.linger_seconds + HANG_UP_SECONDS

    def enter(
        self,
        calls: LiveCalls,
        user_id: UserId,
        credential_id: CredentialId,
        device_id: DeviceId,
        ends_at: datetime | None = None,
    ) -> None:
        """Puts the exchange on the list of what a revocation or an expiry ends; it leaves the list by itself."""
        self._call = calls.add(user_id, credential_id, device_id, self.cut, ends_at)

    def pass_to(self, client: Client) -> None:
        """Somebody else is told of the answer from here on, and stands for itself on the list of what can be cut."""
        self._client = client
        self._leave_the_list()

    def cut(self, cause: str) -> None:
        """The credential or the device behind the exchange was taken away."""
        self.give_up(cut_error(cause))

    def give_up(self, error: VisionaError) -> None:
        """Ends the exchange from outside: the client is told the error if it still can be."""
        client = self._client
        self._break(error)
        if client is not None:
            client.flush()

    # --- the stream's half (StreamHandler) ---------------------------------------------------------------------

    def stream_data(self, data: bytes) -> None:
        """Bytes of the answer."""
        client = self._client
        if client is None:
            # More than was announced, after all of that was passed on. Without credit it soon ends, and the deadline
            # of the last phase resets it.
            return
        self._moved_at = self._sweeper.now
        try:
            if self.phase is Phase.BODY:
                self._body_data(data)
            elif self.phase is Phase.HEAD:
                self._head_data(data)
            elif self.phase is Phase.PIPE:
                client.answer_body(data)
        except ProtocolError as error:
            self._break(DeviceBroke(f"the device's answer breaks HTTP: {error}"))
        client.flush()

    def stream_ended(self) -> None:
        """The device's end of stream."""
        client = self._client
        match self.phase:
            case Phase.HEAD:
                self._break(DeviceBroke("the device closed the stream without an answer"))
            case Phase.BODY:
                self._body_ended()
            case Phase.PIPE:
                self._finish(())
                self._let_go()
            case Phase.LINGER | Phase.OVER:
                self._let_go()
        if client is not None:
            client.flush()

    def stream_lost(self, error: StreamReset | TunnelClosed) -> None:
        """The stream is gone; there is nobody to tell on the device's side."""
        client = self._client
        self._stream = None
        self._break(lost(error))
        if client is not None:
            client.flush()

    def stream_writable(self) -> None:
        """The stream has room again."""
        self._moved_at = self._sweeper.now
        if self._client is not None:
            self._client.upload_room()

    # --- the sweeper's part ------------------------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        """Ends the exchange when the device let it wait too long."""
        client = self._client
        if client is not None and client.is_full:
            self._moved_at = now
            return
        waited = now - self._moved_at
        match self.phase:
            case Phase.HEAD if waited > self._head_limit_seconds:
                self._break(DeviceTooSlow(f"the device did not answer within {waited:.0f} seconds"))
            case Phase.BODY if waited > self._limits.idle_seconds:
                self._break(DeviceTooSlow(f"the device fell silent for {waited:.0f} seconds in mid-answer"))
            case Phase.PIPE if waited > self._limits.pipe_idle_seconds:
                self._break(DeviceTooSlow(f"nothing was said for {waited:.0f} seconds"))
            case Phase.LINGER if waited > self._limits.linger_seconds:
                self._drop_stream()
            case _:
                return
        if client is not None:
            client.flush()

    # --- inside ------------------------------------------------------------------------------------------------

    def _head_data(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while self.phase is Phase.HEAD:
            end = find_head_end(buffer, len(self._buffer), limit_bytes=MAX_RESPONSE_HEAD_BYTES)
            if end is None:
                self._buffer = buffer
                return
            self._buffer = b""
            head = parse_response_head(buffer[:end])
            buffer = buffer[end:]
            self.taken(end)
            self._take_head(head)
        if buffer:
            self._rest_after_head(buffer)

    def _take_head(self, head: ResponseHead) -> None:
        client = self._client
        if client is None:
            return
        if head.status == 101:
            if not self._upgrade:
                raise RemoteProtocolError("it switched protocols unasked", kind="upgrade", status=502)
            self.phase = Phase.PIPE
            client.answer_head(head, NoBody())
        elif head.status < 200:
            self._interims += 1
            if self._interims > MAX_INTERIM_ANSWERS:
                raise RemoteProtocolError("too many interim answers", kind="flood", status=502)
            if head.status != 100:
                client.answer_interim(head)
        else:
            framing = response_framing(head, self._method)
            reader = self._reader = BodyReader(framing)
            self.phase = Phase.BODY
            # Whoever hears of it may leave.
            client.answer_head(head, framing)
            if reader.done and self._reader is reader:
                self._finish(())

    def _rest_after_head(self, data: bytes) -> None:
        if self.phase is Phase.BODY:
            # Nothing of this answer was flushed yet, so a device that says too much can still become a 502.
            self._body_data(data, fresh=True)
        elif self.phase is Phase.PIPE and self._client is not None:
            self._client.answer_body(data)
        elif self.phase is Phase.LINGER:
            self._drop_stream()

    def _body_data(self, data: bytes, *, fresh: bool = False) -> None:
        reader, client = self._reader, self._client
        if reader is None or client is None:
            return
        pieces, used = reader.receive(data)
        if fresh and reader.done and used < len(data):
            raise RemoteProtocolError("the answer is longer than it says", kind="framing", status=502)
        # Joined, for a device may cut its answer into chunks of one byte, and each would cost the client's side as one.
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if body:
            client.answer_body(body)
        if reader.done:
            self._finish(reader.trailers)
            if used < len(data):
                self._drop_stream()
        else:
            self.taken(used - len(body))

    def _body_ended(self) -> None:
        reader = self._reader
        try:
            if reader is not None:
                reader.end_of_stream()
        except RemoteProtocolError as error:
            self._break(DeviceBroke(f"the answer ended early: {error}"))
        else:
            self._finish(())
            self._let_go()

    def _finish(self, trailers: tuple[Header, ...]) -> None:
        """The answer is whole: the client is done with us, the stream is ended from our side too."""
        client, self._client = self._client, None
        stream = self._stream
        self._reader = None
        self._leave_the_list()
        self.phase = Phase.LINGER
        if stream is not None:
            if self._upload_done:
                stream.end()
            else:
                # It answered without wanting the rest of the body; a reset tells it that none will come.
                self._drop_stream()
        if client is not None:
            client.answer_end(trailers)

    def _break(self, error: VisionaError) -> None:
        client, self._client = self._client, None
        self._drop_stream()
        if client is not None:
            client.answer_broken(error)

    def _drop_stream(self) -> None:
        stream = self._stream
        self._let_go()
        if stream is not None:
            stream.reset()

    def _let_go(self) -> None:
        # Stream and exchange hold each other; a cycle per request would be the garbage collector's latency.
        self.phase = Phase.OVER
        self._stream = self._reader = None
        self._leave_the_list()
        self._buffer = b""
        self._sweeper.forget(self)

    def _leave_the_list(self) -> None:
        if self._call is not None:
            self._call.remove()
            self._call = None

    def _write(self, stream: Stream, data: bytes) -> None:
        try:
            stream.write(data)
        except TunnelError as error:
            # Its `stream_lost` may come later or never; the client hears of it once, here.
            self._stream = None
            self._break(lost(error))
