"""The answer to one request at the door: the exchange's `Client`, written as HTTP/1.1 onto the connection."""

from typing import Protocol

import trio

from visiona.domain.errors import VisionaError
from visiona.domain.ids import DeviceId
from visiona.relay.passthrough import Farewell, close_code
from visiona.web.access_log import BROKEN_OFF, CLIENT_LEFT, LEFT, log_access
from visiona.web.challenges import without_challenges
from visiona.web.door_output import Output
from visiona.web.pages import answer_to
from visiona.web.proxy_access import Allowed
from visiona.web.request_ids import request_id_from
from visiona.wire.http1.body import chunk, last_chunk
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.fields import Header
from visiona.wire.http1.forward import answer_for_client, trailers_for_client
from visiona.wire.http1.framing import CHUNKED, UNTIL_CLOSE, Chunked, Framing, UntilClose
from visiona.wire.http1.head import RequestHead, ResponseHead
from visiona.wire.mixed_replace import MIXED_REPLACE

ENDLESS_TYPES = (b"text/event-stream", MIXED_REPLACE)


class Connection(Protocol):
    """What an answer asks of the connection it is written on."""

    output: Output

    def answered(self, *, keep_alive: bool) -> None:
        """The answer is whole; another request may follow if `keep_alive`."""
        ...

    def cut(self, *, abruptly: bool) -> None:
        """The answer is not whole and will not be: end the connection so that the client notices."""
        ...

    def upload_room(self) -> None:
        """More of the request's body can go to the device."""
        ...

    def found_camera(self, head: ResponseHead, framing: Framing) -> bool:
        """The answer is a moving picture; True: it is shared, and begins anew from the camera."""
        ...


class DoorAnswer:
    """One answer.

    Attributes:
        is_pipe: it was status 101.
        is_endless: it is a pipe, or of a kind that goes on for ever: events, moving pictures.
    """

    __slots__ = (
        "_agent_seconds",
        "_connection",
        "_farewell",
        "_framing",
        "_head_flushed",
        "_keep_alive",
        "_started_at",
        "_status",
        "allowed",
        "crossing",
        "is_endless",
        "is_pipe",
        "request",
    )

    def __init__(
        self,
        connection: Connection,
        head: RequestHead,
        crossing: Crossing,
        allowed: Allowed,
        *,
        keep_alive: bool,
    ) -> None:
        self._connection = connection
        self.request = head
        self.crossing = crossing
        self.allowed = allowed
        self._keep_alive = keep_alive
        self._framing: Framing = UNTIL_CLOSE
        self._head_flushed = False
        self._farewell: Farewell | None = None
        self._started_at = trio.current_time()
        self._agent_seconds: float | None = None
        self._status = 0
        self.is_endless = False
        self.is_pipe = False

    @property
    def is_full(self) -> bool:
        """Whether the client's own side is the one that waits."""
        return self._connection.output.is_stalled

    def answer_interim(self, head: ResponseHead) -> None:
        """Not passed on: early hints name resources that a sandboxed page could not load."""

    def answer_head(self, head: ResponseHead, framing: Framing) -> None:
        """Writes the head as this client can read it."""
        kind = (head.get(b"content-type") or b"").lower()
        if kind.startswith(MIXED_REPLACE) and self._connection.found_camera(head, framing):
            return
        if kind.startswith(MIXED_REPLACE):
            self._connection.output.hold_little()
        self._status = head.status
        self._agent_seconds = trio.current_time() - self._started_at
        head = without_challenges(head, self.request, self.allowed.actor)
        if head.status == 101:
            self.is_pipe = self.is_endless = True
            self._farewell = Farewell()
        elif kind.startswith(ENDLESS_TYPES):
            self.is_endless = True
        if isinstance(framing, UntilClose) and self.request.version == b"1.1":
            # Chunks let the client see whether the answer is whole, and keep its connection.
            framing = CHUNKED
        elif isinstance(framing, Chunked) and self.request.version == b"1.0":
            framing = UNTIL_CLOSE
        if isinstance(framing, UntilClose):
            self._keep_alive = False
        self._framing = framing
        self._connection.output.queue(
            answer_for_client(head, self.crossing, framing, keep_alive=self._keep_alive)
        )

    def answer_body(self, data: bytes) -> None:
        """Writes a piece, as a chunk where chunks are."""
        if self._farewell is not None:
            self._farewell.passed(data)
        framed = chunk(data) if isinstance(self._framing, Chunked) else data
        self._connection.output.queue(framed, len(data))

    def answer_end(self, trailers: tuple[Header, ...]) -> None:
        """The answer is whole: the client's connection goes on, or ends well."""
        output = self._connection.output
        if self._farewell is not None:
            self._say_farewell(1011)
            return
        if isinstance(self._framing, Chunked):
            output.queue(last_chunk(trailers_for_client(trailers)))
        output.owe(None)
        self._log()
        self.allowed.answered(self._status)
        self._connection.answered(keep_alive=self._keep_alive)

    def answer_broken(self, error: VisionaError) -> None:
        """Tells the client, if nothing was said to it yet; else its connection is broken, never ended well."""
        output = self._connection.output
        if self._farewell is not None and self._head_flushed:
            self._say_farewell(close_code(error))
        elif self._head_flushed:
            self._log(BROKEN_OFF)
            self._connection.cut(abruptly=isinstance(self._framing, UntilClose))
        else:
            output.discard()
            output.owe(None)
            self._status = write_error(
                output, error, self.request, self.crossing.request_id.decode(), keep_alive=self._keep_alive
            )
            self._log()
            self._connection.answered(keep_alive=self._keep_alive)

    def client_left(self) -> None:
        """Nobody reads on: what came of the request is still said in the log."""
        self._log(None if self.is_pipe else LEFT)

    def flush(self) -> None:
        """Sends what was written."""
        if self._status:
            self._head_flushed = True
        self._connection.output.flush()

    def upload_room(self) -> None:
        """Lets the connection go on reading the request's body."""
        self._connection.upload_room()

    def _say_farewell(self, code: int) -> None:
        output = self._connection.output
        words = self._farewell.words(code) if self._farewell is not None else b""
        if words:
            output.queue(words)
        output.owe(None)
        self._log()
        self._connection.answered(keep_alive=False)

    def _log(self, ended: str | None = None) -> None:
        log_access(
            method=self.request.method.decode("ascii", "replace"),
            path=self.request.target.decode("ascii", "replace"),
            status=self._status or CLIENT_LEFT,
            seconds=trio.current_time() - self._started_at,
            request_id=self.crossing.request_id.decode(),
            address=self.crossing.peer_address,
            user_id=self.allowed.actor.user_id,
            device_id=self.allowed.live.device_id,
            tunnel_seconds=self.allowed.live.tunnel.rtt_seconds,
            agent_seconds=self._agent_seconds,
            ended=ended,
        )


def write_error(
    output: Output, error: BaseException, head: RequestHead | None, request_id: str, *, keep_alive: bool
) -> int:
    """Queues the answer to an error and says its status."""
    get_header = head.get if head is not None else _no_header
    status, headers, body = answer_to(error, request_id, get_header)
    lines = [b"HTTP/1.1 %d \r\n" % status]
    lines += [b"%b: %b\r\n" % header for header in headers]
    if not keep_alive:
        lines.append(b"Connection: close\r\n")
    lines.append(b"\r\n")
    if head is None or head.method != b"HEAD":
        lines.append(body)
    output.queue(b"".join(lines))
    return status


def refuse(
    output: Output,
    error: BaseException,
    head: RequestHead | None,
    address: str,
    device_id: DeviceId | None,
    arrived_at: float,
    *,
    keep_alive: bool,
) -> None:
    """Answers a request that does not come to a device, and says so in the log. Without a head it was no request."""
    given = head.get(b"x-request-id") if head is not None else None
    request_id = request_id_from(given.decode("latin-1") if given is not None else None)
    status = write_error(output, error, head, request_id, keep_alive=keep_alive)
    output.flush()
    log_access(
        method=head.method.decode("ascii", "replace") if head is not None else "-",
        path=head.target.decode("ascii", "replace") if head is not None else "-",
        status=status,
        seconds=trio.current_time() - arrived_at,
        request_id=request_id,
        address=address,
        device_id=device_id,
    )


def _no_header(_: bytes) -> None:
    return None
