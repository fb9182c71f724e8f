"""What Hypercorn gets to read of a connection: well-formed requests, written anew, and nothing else.

The door reads one head of a connection that it gives away; all that follows would be read by h11 alone, which forgives
what H-01 forbids: bare LF, folded lines, `Content-Length: 5, 5`, a space or a CR in a chunk's line, HTTP/2.0 in the
request line. So every request passes the rules of wire.http1 here first, and what crosses is spelt in one way, which no
two parsers read differently. What breaks the rules becomes a line that h11 refuses in any state: 400, and the close.

Only the first bytes may choose HTTP/2, and only WebSocket is an upgrade: `Upgrade: h2c` would get behind the rules of a
server in front of us (H-02).

And it gets one request at a time. What is sent ahead would stop Hypercorn's reading, and a client that then leaves would
never be noticed: the connection and its task stayed for ever. What is sent ahead of a WebSocket's answer it refuses
without telling the app (Hypercorn 0.18).

An agent may come on a kept connection, for proxies use theirs again: its request is not Hypercorn's to read.
"""

from visiona.web.door_frames import Frames
from visiona.web.targets import TUNNEL_CONNECT_PATH
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.body import BodyReader, chunk, last_chunk
from visiona.wire.http1.framing import Chunked, NoBody, Sized, expects_continue, request_framing
from visiona.wire.http1.head import RequestHead, find_head_end, parse_request_head
from visiona.wire.http1.upgrade import is_websocket_upgrade

REFUSED = b"\0\r\n\r\n"
"""Neither a request line nor a chunk's."""

MAX_AHEAD_BYTES = 65536
"""Of requests sent ahead of their turn; beyond it the connection is not read until an answer is out."""


class CheckedRequests:
    """The requests of one connection, and what follows a WebSocket's handshake or comes in HTTP/2, which passes as it is
    (HTTP/2 as long as its frames are: door_frames.py).

    Attributes:
        is_answering: a whole request has passed, and its answer is not out yet.
        agent: the head of a request to `/tunnel/connect`, in its turn; from it on nothing passes.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0
        self._body: BodyReader | None = None
        self._is_chunked = False
        self._has_begun = False
        self._passes_all = False
        self._frames: Frames | None = None
        self._is_over = False
        self._is_websocket = False
        self.is_answering = False
        self.agent: RequestHead | None = None

    @property
    def ahead(self) -> bytes:
        """What is here and has not passed."""
        return bytes(self._held)

    @property
    def is_full(self) -> bool:
        """Enough was sent ahead."""
        return self.is_answering and len(self._held) >= MAX_AHEAD_BYTES

    def receive(self, data: bytes) -> bytes:
        """What Hypercorn may read now; empty while a head or a chunk's line is not whole. After a refusal, nothing."""
        if self._passes_all:
            return data
        if self._frames is not None:
            return self._frames.receive(data)
        if self._is_over:
            return b""
        self._held += data
        return self._pass()

    def answered(self) -> bytes:
        """The answer is out and another request may follow: what of it is here already."""
        self._is_websocket = self.is_answering = False
        return self._pass()

    def upgraded(self) -> bytes:
        """Status 101 is out: what is here of the pipe already. Nothing, if no WebSocket was asked for."""
        if not self._is_websocket:
            return b""
        self._passes_all, self.is_answering = True, False
        return self._pass()

    def _pass(self) -> bytes:
        passed: list[bytes] = []
        try:
            while self._held and not (self._passes_all or self.is_answering) and self._step(passed):
                pass
        except RemoteProtocolError as error:
            if error.kind == "http2_preface" and not self._has_begun:
                self._frames = Frames()
                passed.append(self._frames.receive(bytes(self._held)))
                self._held.clear()
            else:
                passed.append(REFUSED)
                self._is_over = True
                self._held.clear()
        if self._passes_all:
            passed.append(bytes(self._held))
            self._held.clear()
        return b"".join(passed)

    def _step(self, passed: list[bytes]) -> bool:
        """Moves one head or some of a body; False when more must come first."""
        if self._body is not None:
            return self._pass_body(self._body, passed)
        end = find_head_end(self._held, self._seen)
        if end is None:
            self._seen = len(self._held)
            return False
        head = parse_request_head(bytes(self._held[:end]))
        del self._held[:end]
        self._seen = 0
        self._has_begun = True
        if head.target.partition(b"?")[0] == TUNNEL_CONNECT_PATH:
            self.agent = head
            self._is_over = True
            return False
        passed.append(self._checked_head(head))
        self.is_answering = self._body is None
        return True

    def _checked_head(self, head: RequestHead) -> bytes:
        framing = request_framing(head)
        expects_continue(head)
        is_websocket = is_websocket_upgrade(head)
        if is_websocket:
            self._check_websocket(head, framing)
        elif framing not in (NoBody(), Sized(0)):
            self._body = BodyReader(framing)
            self._is_chunked = isinstance(framing, Chunked)
        lines = [b"%b %b HTTP/%b\r\n" % (head.method, head.target, head.version)]
        lines += [
            b"%b: %b\r\n" % field for field in head.headers if is_websocket or field[0].lower() != b"upgrade"
        ]
        return b"".join([*lines, b"\r\n"])

    def _check_websocket(self, head: RequestHead, framing: NoBody | Sized | Chunked) -> None:
        # Hypercorn looks at the last of each, we at all: where it saw no upgrade, it would read on unchecked.
        if len(head.get_all(b"upgrade")) != 1 or len(head.get_all(b"connection")) != 1:
            raise RemoteProtocolError("an upgrade that can be read in two ways", kind="head")
        if framing not in (NoBody(), Sized(0)):
            raise RemoteProtocolError("a WebSocket handshake with a body", kind="framing")
        self._is_websocket = True

    def _pass_body(self, body: BodyReader, passed: list[bytes]) -> bool:
        pieces, used = body.receive(bytes(self._held))
        del self._held[:used]
        passed += [chunk(piece) for piece in pieces] if self._is_chunked else pieces
        if body.done:
            # Trailers end here: nobody on this side has a use for them.
            passed += [last_chunk()] if self._is_chunked else []
            self._body = None
            self.is_answering = True
        return body.done
