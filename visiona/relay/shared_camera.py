"""One moving picture of a device, and everybody who watches it: one stream to the device however many they are.

The camera is the `Client` of an exchange of its own, which belongs to none of its viewers; the device never waits for
one. What turns out to be no moving picture, or one that cannot be cut into frames, goes on as it is to the viewer who
came first.
"""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Final

from visiona.domain.errors import DeviceBroke, VisionaError
from visiona.relay.camera_frames import Frame, FrameCounts, frame_of
from visiona.relay.camera_view import CameraView
from visiona.relay.client import Opener
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.exchange import Exchange
from visiona.tunnel.errors import TunnelError
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import NO_BODY, Framing, Sized
from visiona.wire.http1.head import ResponseHead
from visiona.wire.mixed_replace import PartSplitter, boundary_of

MAX_FRAMES_AT_ONCE = 8
"""Of those that arrive in one piece; older ones are out of date, and a device cannot multiply its work by viewers."""


MAY_DIFFER: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"dnt",
        b"pragma",
        b"priority",
        b"referer",
        b"save-data",
        b"sec-gpc",
        b"traceparent",
        b"tracestate",
        b"upgrade-insecure-requests",
        b"user-agent",
        b"via",
    }
)
"""Fields that cross to the device and do not choose among its pictures, unless it says so (Vary)."""

MAY_DIFFER_PREFIXES: Final = (b"sec-fetch-", b"sec-ch-")

_OF_EACH_PREFIXES = (*MAY_DIFFER_PREFIXES, b"x-forwarded-", b"x-request-id")
_OF_EACH = MAY_DIFFER - {b"accept-encoding"} | {b"*"}
"""What a device may not choose by, where its picture is shared. What is packed in no way was not chosen by how to pack."""

MAX_PARTS_PER_SECOND = 1000
"""A part that comes costs this process 30 µs, however little is in it; no camera shows a twentieth of so many."""

TOO_MANY_PARTS = RemoteProtocolError("its parts come too fast to be pictures", kind="multipart", status=502)


class Phase(Enum):
    """Where a shared camera is."""

    NEW = "nobody has asked the device yet"
    ASKING = "waiting for the head of the answer"
    LIVE = "passing frames"
    OVER = "the stream is gone, or goes on for one viewer alone"


class Verdict(Enum):
    """What a target turned out to be."""

    CAMERA = "a moving picture that can be shared"
    OTHER = "something else"
    ALONE = "a moving picture that each has to watch alone"


class SharedCamera:
    """One stream of a device, shared.

    Attributes:
        last: the newest frame; who comes late gets it at once.
        held_bytes: of it, and of what came of the next.

    Args:
        counts: of all cameras together, counted up here.
        framed: told of each frame.
        grown: told when it holds more than before.
        over: told once, when nobody can join any more; what it was, if that is known now.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        limits: Limits,
        *,
        linger_seconds: float,
        max_frame_bytes: int,
        now: Callable[[], datetime],
        counts: FrameCounts,
        framed: Callable[[Frame], None],
        grown: Callable[[], None],
        over: Callable[["SharedCamera", Verdict | None], None],
    ) -> None:
        self.sweeper = sweeper
        self.limits = limits
        self.phase = Phase.NEW
        self.last: Frame | None = None
        self._linger_seconds = linger_seconds
        self._max_frame_bytes = max_frame_bytes
        self._now = now
        self._counts = counts
        self._framed = framed
        self._grown = grown
        self._over = over
        self._views: dict[CameraView, None] = {}
        self._exchange: Exchange | None = None
        self._splitter: PartSplitter | None = None
        self._head: ResponseHead | None = None
        self._framing: Framing = NO_BODY
        self._idle_since = 0.0
        self._second_at, self._parts_before = 0.0, 0
        self.held_bytes = 0
        self._alone: CameraView | None = None

    @property
    def is_live(self) -> bool:
        """Whether frames come."""
        return self.phase is Phase.LIVE

    @property
    def viewer_count(self) -> int:
        """Who watches, or waits for the first answer."""
        return len(self._views)

    # --- viewers come and go ------------------------------------------------------------------------------------

    def join(self, view: CameraView, tunnel: Opener, request: bytes) -> None:
        """Takes a viewer in; the first one's request is what the device is asked.

        Raises:
            TunnelClosed, StreamRefused: nothing was sent.
        """
        if self.phase is Phase.NEW:
            exchange = Exchange(
                self, b"GET", NO_BODY, upgrade=False, sweeper=self.sweeper, limits=self.limits
            )
            try:
                exchange.start(tunnel, request)
            except TunnelError:
                self._end(None)
                raise
            self.phase, self._exchange = Phase.ASKING, exchange
        self._views[view] = None
        self.sweeper.forget(self)
        if self._head is not None:
            view.begin(self._head, self._framing, self.last)

    def adopt(self, view: CameraView, exchange: Exchange, head: ResponseHead, framing: Framing) -> None:
        """A request that was sent for one viewer alone is answered by this camera's picture."""
        self._views[view] = None
        self.sweeper.forget(self)
        if self.phase is Phase.NEW:
            self._exchange = exchange
            exchange.pass_to(self)
            self.answer_head(head, framing)
            return
        # Others came first: one stream is enough.
        exchange.leave()
        if self._head is not None:
            view.begin(self._head, self._framing, self.last)

    def part_with(self, view: CameraView) -> None:
        """A viewer is gone. Without any, the stream goes on for a moment: whoever reloads a page comes right back."""
        self._views.pop(view, None)
        if self._views or self.phase is Phase.OVER:
            return
        if self.phase is Phase.ASKING:
            self.close()
        else:
            self._idle_since = self.sweeper.now
            self.sweeper.watch(self)

    def check_deadlines(self, now: float) -> None:
        """See relay.deadlines.Watched; only watched while nobody watches."""
        if now - self._idle_since >= self._linger_seconds:
            self.close()

    def forget_last(self) -> None:
        """Nobody who comes late is to see it."""
        self.last = None
        self._note_held()

    def share_no_more(self, error: RemoteProtocolError) -> None:
        """Goes on for who came first alone; the others are told why."""
        if self._splitter is not None and self._exchange is not None:
            self._cannot_share(self._splitter, self._exchange, error)

    def close(self) -> None:
        """Ends the stream to the device. There must be no viewers."""
        exchange = self._exchange
        self._end(None)
        if exchange is not None:
            exchange.leave()

    # --- the exchange's client ----------------------------------------------------------------------------------

    is_full = False

    def answer_interim(self, head: ResponseHead) -> None:
        """Nobody is told."""

    def answer_head(self, head: ResponseHead, framing: Framing) -> None:
        """A moving picture is shared from here on; anything else belongs to who asked first."""
        boundary = shared_boundary(head, framing)
        if boundary is None:
            self._is_no_camera(head, framing)
            return
        self._splitter = PartSplitter(boundary, max_part_bytes=self._max_frame_bytes)
        self._head, self._framing = head, framing
        self.phase = Phase.LIVE
        for view in list(self._views):
            view.begin(head, framing, None)

    def answer_body(self, data: bytes) -> None:
        """Cuts it into frames, and gives each to everybody."""
        splitter, exchange = self._splitter, self._exchange
        if splitter is None or exchange is None:
            return
        exchange.taken(len(data))
        try:
            parts = splitter.receive(data)
        except RemoteProtocolError as error:
            self._cannot_share(splitter, exchange, error)
            return
        if self.sweeper.now - self._second_at >= 1.0:
            self._second_at, self._parts_before = self.sweeper.now, splitter.part_count
        if splitter.part_count - self._parts_before > MAX_PARTS_PER_SECOND:
            self._cannot_share(splitter, exchange, TOO_MANY_PARTS)
            return
        for part in parts[-MAX_FRAMES_AT_ONCE:]:
            frame = self.last = frame_of(part, splitter.delimiter, self._now())
            self._counts.came += 1
            self._framed(frame)
            for view in list(self._views):
                self._counts.lost += view.offer(frame, splitter.delimiter)
        if self.phase is Phase.LIVE and self._note_held() > 0:
            self._grown()

    def answer_end(self, trailers: tuple[Header, ...]) -> None:
        """The device has ended it well."""
        for view in self._end(None):
            view.answer_end(())
            view.flush()

    def answer_broken(self, error: VisionaError) -> None:
        """All viewers are told; whoever asks next is a new beginning."""
        for view in self._end(None):
            view.answer_broken(error)
            view.flush()

    def flush(self) -> None:
        """Each view has sent what it was given, but the one whose answer it has become meanwhile."""
        alone, self._alone = self._alone, None
        if alone is not None:
            alone.flush()

    def upload_room(self) -> None:
        """There is no body to send."""

    # --- inside -------------------------------------------------------------------------------------------------

    def _is_no_camera(self, head: ResponseHead, framing: Framing) -> None:
        exchange = self._exchange
        # An error says nothing about what is there when all is well.
        views = self._end(Verdict.OTHER if head.status < 300 else None)
        if exchange is None or not views:
            return
        self._alone = views[0]
        views[0].go_on_alone(exchange, b"")
        views[0].answer_head(head, framing)
        for view in views[1:]:
            view.ask_alone(self.sweeper, self.limits)

    def _cannot_share(self, splitter: PartSplitter, exchange: Exchange, error: RemoteProtocolError) -> None:
        views = self._end(Verdict.ALONE)
        if not views:
            exchange.leave()
            return
        views[0].go_on_alone(exchange, splitter.unfinished, splitter.delimiter)
        for view in views[1:]:
            view.answer_broken(DeviceBroke(f"the camera can only be watched by one: {error}"))
            view.flush()

    def _note_held(self) -> int:
        """How much it has grown by."""
        held_bytes = len(self.last.data) if self.last is not None else 0
        held_bytes += self._splitter.held_bytes if self._splitter is not None else 0
        grown_bytes, self.held_bytes = held_bytes - self.held_bytes, held_bytes
        self._counts.held_bytes += grown_bytes
        return grown_bytes

    def _end(self, verdict: Verdict | None) -> list[CameraView]:
        """Nobody can join any more; who was here."""
        views = list(self._views)
        self._views.clear()
        self.sweeper.forget(self)
        self._exchange = self._splitter = self._head = self.last = None
        self._note_held()
        if self.phase is not Phase.OVER:
            self.phase = Phase.OVER
            self._over(self, verdict)
        return views


def shared_boundary(head: ResponseHead, framing: Framing) -> bytes | None:
    """The boundary, if this is an answer that can be shared: without an end, for nobody in particular, not packed."""
    if head.status != 200 or isinstance(framing, Sized):
        return None
    if head.get(b"content-encoding") is not None or head.get(b"set-cookie") is not None:
        return None
    if any(
        _is_of_each(name.strip().lower()) for value in head.get_all(b"vary") for name in value.split(b",")
    ):
        return None
    return boundary_of(head.get(b"content-type") or b"")


def _is_of_each(name: bytes) -> bool:
    return name in _OF_EACH or name.startswith(_OF_EACH_PREFIXES)
