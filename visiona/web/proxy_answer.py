"""The answer to one request in ASGI: the exchange's `Client`, whose pieces a task of the request delivers."""

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from visiona.domain.errors import VisionaError
from visiona.relay.camera_view import CameraView
from visiona.relay.exchange import Exchange
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import NO_BODY, Framing
from visiona.wire.http1.head import ResponseHead
from visiona.wire.mixed_replace import MIXED_REPLACE

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


TAKE_BYTES = 131072
"""Of an answer, in one ASGI message."""


class Inbox:
    """What the exchange has to say, until the request's task asks for it.

    Attributes:
        head, framing: of the answer, once it is here.
        trailers: once the answer is whole.
        error: why there will be no (more of an) answer.
        is_whole: everything was put in.
        found_camera: asked about an answer that is a moving picture; True: it is shared, and begins anew.
        answered: told the status then, before anything of the last piece can have left.
    """

    def __init__(self) -> None:
        self.found_camera: Callable[[ResponseHead, Framing], bool] | None = None
        self.answered: Callable[[int], None] | None = None
        self.head: ResponseHead | None = None
        self.framing: Framing = NO_BODY
        self.trailers: tuple[Header, ...] = ()
        self.error: VisionaError | None = None
        self.is_whole = False
        self._flushed = False
        self._pieces: deque[bytes] = deque()
        self._something = trio.Event()
        self._room = trio.Event()

    @property
    def is_over(self) -> bool:
        """Nothing more will be put in."""
        return self.is_whole or self.error is not None

    @property
    def is_full(self) -> bool:
        """The request's task has not come to take what is here."""
        return bool(self._pieces)

    def answer_interim(self, head: ResponseHead) -> None:
        """ASGI has no way to pass it on."""

    def answer_head(self, head: ResponseHead, framing: Framing) -> None:
        """See relay.exchange.Client."""
        kind = (head.get(b"content-type") or b"").lower()
        if (
            self.found_camera is not None
            and kind.startswith(MIXED_REPLACE)
            and self.found_camera(head, framing)
        ):
            return
        self.head = head
        self.framing = framing

    def answer_body(self, data: bytes) -> None:
        """See relay.exchange.Client."""
        self._pieces.append(data)

    def answer_end(self, trailers: tuple[Header, ...]) -> None:
        """See relay.exchange.Client."""
        self.trailers = trailers
        self.is_whole = True
        self._room.set()
        if self.answered is not None and self.head is not None:
            self.answered(self.head.status)

    def answer_broken(self, error: VisionaError) -> None:
        """See relay.exchange.Client. What came in one piece with the fault is not shown to anybody."""
        self.error = error
        if not self._flushed:
            self.head = None
            self._pieces.clear()
        self._room.set()

    def flush(self) -> None:
        """See relay.exchange.Client."""
        self._flushed = self.head is not None
        self._something.set()

    def upload_room(self) -> None:
        """See relay.exchange.Client."""
        self._room.set()

    async def wait_something(self) -> None:
        """Until something was put in since the last time."""
        await self._something.wait()
        self._something = trio.Event()

    async def wait_head(self) -> ResponseHead:
        """The answer's head; raises why there is none."""
        while self.head is None:
            if self.error is not None:
                raise self.error
            await self.wait_something()
        return self.head

    def take(self) -> bytes:
        """What is here, up to a bound; empty: nothing is.

        Joined, because agents send pieces of 4 KiB, and every ASGI message costs Hypercorn the same.
        """
        pieces = self._pieces
        if len(pieces) < 2:
            return pieces.popleft() if pieces else b""
        joined, size = [], 0
        while pieces and size < TAKE_BYTES:
            joined.append(pieces.popleft())
            size += len(joined[-1])
        return b"".join(joined)

    async def send_up(self, exchange: Exchange | CameraView, data: bytes) -> None:
        """Sends a piece of the request's body as the stream has room for it; drops it when all is over."""
        at = 0
        while at < len(data) and not self.is_over:
            space = exchange.upload_space_bytes
            if space:
                exchange.send_body(data[at : at + space])
                at += space
            else:
                self._room = trio.Event()
                await self._room.wait()
