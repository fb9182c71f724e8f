"""A WebSocket that passes through: raw bytes both ways, and one thing of ours, the Close frame at its end.

What passes is not decoded: compression, pings and messages of any size are between the two ends. Only the frame
boundaries of the direction towards the client are followed, so that when we must end the pipe (the session is over,
the server restarts, the device died) the client is told why, between two of the device's frames.
"""

from visiona.domain.causes import Cause
from visiona.domain.errors import NotAllowed, NotSignedIn, VisionaError
from visiona.wire.websocket.boundary import BoundaryTracker
from visiona.wire.websocket.frames import close_frame

GOING_AWAY = 1001
INTERNAL_ERROR = 1011
SESSION_OVER = 4401

_REASONS = {
    GOING_AWAY: "the server is restarting",
    INTERNAL_ERROR: "the device is gone",
    SESSION_OVER: "the session is over",
}


def close_code(error: VisionaError) -> int:
    """The code that tells a client what happened to its pipe."""
    if isinstance(error, (NotSignedIn, NotAllowed)):
        return SESSION_OVER
    if error.details.get("cause") == Cause.SERVER_DRAIN.value:
        return GOING_AWAY
    return INTERNAL_ERROR


class Farewell:
    """Follows what the device sends to the client, and has the right last words ready."""

    __slots__ = ("_tracker",)

    def __init__(self) -> None:
        self._tracker = BoundaryTracker()

    def passed(self, data: bytes) -> None:
        """The device's bytes go to the client."""
        self._tracker.feed(data)

    def words(self, code: int) -> bytes:
        """A Close frame; nothing in mid-frame, where it would be read as payload, and nothing after a Close."""
        if self._tracker.closed or not self._tracker.at_boundary:
            return b""
        return close_frame(code, _REASONS.get(code, ""), None)
