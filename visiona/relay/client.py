"""The two ports of an exchange: who asked, and what opens its stream. Whatever answers to these can use it."""

from typing import Protocol

from visiona.domain.errors import VisionaError
from visiona.tunnel.stream import Stream, StreamHandler
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import Framing
from visiona.wire.http1.head import ResponseHead


class Client(Protocol):
    """Who asked. Every method is called from the tunnel's reader or the sweeper: it must neither block nor raise.

    The order is `answer_interim`*, `answer_head`, `answer_body`*, then one of `answer_end` and `answer_broken`;
    `answer_broken` may come at any time instead. After either of the two nothing follows.
    """

    def answer_interim(self, head: ResponseHead) -> None:
        """A 1xx answer other than 100 and 101."""

    def answer_head(self, head: ResponseHead, framing: Framing) -> None:
        """The answer begins. Status 101: from here `answer_body` brings the raw bytes of a pipe."""

    def answer_body(self, data: bytes) -> None:
        """A piece of the body, without its chunk framing."""

    def answer_end(self, trailers: tuple[Header, ...]) -> None:
        """The answer is whole."""

    def answer_broken(self, error: VisionaError) -> None:
        """There will be no (more of an) answer. If nothing was flushed yet, the client can still be told."""

    def flush(self) -> None:
        """Everything that came in one piece from the tunnel was handed over: send it."""

    def upload_room(self) -> None:
        """The stream takes more of the request's body."""

    @property
    def is_full(self) -> bool:
        """Whether the client has not taken what it was given: then a silent device is not to blame."""


class Opener(Protocol):
    """What is needed of a tunnel."""

    def open_stream_nowait(self, handler: StreamHandler) -> Stream:
        """Raises TunnelClosed or StreamRefused."""
