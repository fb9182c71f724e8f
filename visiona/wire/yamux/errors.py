"""Two refusals that a caller of a session must expect; every other LocalProtocolError is a bug of the caller."""

from visiona.wire.errors import LocalProtocolError


class StreamLimit(LocalProtocolError):
    """No stream can be opened now: too many are open, unacknowledged, or waiting to be announced. Try later."""


class SessionEnding(LocalProtocolError):
    """No stream can be opened on this session any more: somebody said go-away, or the ids are used up."""
