"""What a request's head was found to mean, kept for the next request of the same connection.

A client that polls says the same again and again, and reading a head is a sixth of what a small request costs here.
The same bytes mean the same, so nothing of an earlier request can get into one that differs in a single byte.
"""

from typing import Final, NamedTuple

from visiona.web.targets import Target
from visiona.wire.http1.framing import Chunked, NoBody, Sized
from visiona.wire.http1.head import RequestHead

MAX_KEPT_BYTES = 2048
"""Of one head: kept while its connection is open, so not more than what programs that poll send."""

RequestFraming = NoBody | Sized | Chunked


class Request(NamedTuple):
    """The bytes of a head, and everything that follows from them alone."""

    data: bytes
    head: RequestHead
    framing: RequestFraming
    target: Target | None

    def to_keep(self) -> "Request":
        """This one, or an empty one where it is too long."""
        return self if len(self.data) <= MAX_KEPT_BYTES else NO_REQUEST


NO_REQUEST: Final = Request(b"", RequestHead(b"", b"", b"", ()), NoBody(), None)
"""Equal to no request that can be made."""
