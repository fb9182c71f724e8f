"""One viewer of a shared camera: to the viewer's layer it is what an exchange is, started and left the same way.

Frames go to a viewer one at a time: while one is being sent the newest waits, and what was waiting before it is lost.
Where there is nothing to share, the view is an exchange's client and passes everything on.
"""

from datetime import datetime
from typing import Protocol

from visiona.domain.access import CredentialId
from visiona.domain.errors import VisionaError
from visiona.domain.ids import DeviceId, UserId
from visiona.relay.calls import LiveCall, LiveCalls, cut_error
from visiona.relay.camera_frames import Frame
from visiona.relay.client import Client, Opener
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.exchange import DISCARD_BYTES, Exchange
from visiona.relay.lost_streams import not_opened
from visiona.tunnel.errors import TunnelError
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import NO_BODY, Framing
from visiona.wire.http1.head import ResponseHead


class Camera(Protocol):
    """What a view needs of its camera."""

    def join(self, view: "CameraView", tunnel: Opener, request: bytes) -> None:
        """Raises TunnelClosed or StreamRefused."""

    def adopt(self, view: "CameraView", exchange: Exchange, head: ResponseHead, framing: Framing) -> None:
        """Takes over the exchange of a viewer whose answer turns out to be this camera's."""

    def part_with(self, view: "CameraView") -> None:
        """The viewer is gone."""


class CameraView:
    """One viewer's place. Every method may be called when the view is over, and does nothing then."""

    __slots__ = (
        "_call",
        "_camera",
        "_client",
        "_exchange",
        "_has_begun_parts",
        "_owed_bytes",
        "_request",
        "_tunnel",
        "_uncredited_bytes",
        "_waiting",
    )

    def __init__(self, camera: Camera, client: Client) -> None:
        self._camera: Camera | None = camera
        self._client: Client | None = client
        self._exchange: Exchange | None = None
        self._call: LiveCall | None = None
        self._tunnel: Opener | None = None
        self._request = b""
        self._waiting: Frame | None = None
        self._has_begun_parts = False
        self._owed_bytes = self._uncredited_bytes = 0

    # --- the viewer's half, as of an exchange -------------------------------------------------------------------

    upload_space_bytes = DISCARD_BYTES

    @property
    def is_shared(self) -> bool:
        """Whether frames come from the camera; not, once the answer is passed as it comes, or the view is over."""
        return self._camera is not None

    def enter(
        self,
        calls: LiveCalls,
        user_id: UserId,
        credential_id: CredentialId,
        device_id: DeviceId,
        ends_at: datetime | None = None,
    ) -> None:
        """See Exchange.enter: what is taken away from one viewer ends this view and no other."""
        self._call = calls.add(user_id, credential_id, device_id, self.cut, ends_at)

    def start(self, tunnel: Opener, head: bytes) -> None:
        """Joins the camera; the request's head is kept for the case that it turns out to be none."""
        self._tunnel, self._request = tunnel, head
        if self._camera is not None:
            self._camera.join(self, tunnel, head)

    def take_over(self, exchange: Exchange, head: ResponseHead, framing: Framing) -> None:
        """Joins in another way: this viewer's own exchange, answered so, becomes the camera's, or is not needed."""
        if self._camera is not None:
            self._camera.adopt(self, exchange, head, framing)

    def send_body(self, data: bytes) -> None:
        """A viewer's request has no body."""

    def end_body(self, trailers: tuple[Header, ...] = ()) -> None:
        """A viewer's request has no body."""

    def taken(self, count: int) -> None:
        """The viewer has passed on `count` bytes: once the frame is out, the newest one follows."""
        if self._exchange is not None:
            skipped = min(count, self._uncredited_bytes)
            self._uncredited_bytes -= skipped
            self._exchange.taken(count - skipped)
            return
        self._owed_bytes -= count
        if self._owed_bytes <= 0 and self._waiting is not None:
            frame, self._waiting = self._waiting, None
            self._send(frame.data)

    def leave(self) -> None:
        """The viewer is gone."""
        camera, exchange = self._camera, self._exchange
        self._let_go()
        if camera is not None:
            camera.part_with(self)
        if exchange is not None:
            exchange.leave()

    def hang_up(self) -> None:
        """There are no last words: a view is no pipe."""
        self.leave()

    def cut(self, cause: str) -> None:
        """The credential or the device behind this view was taken away."""
        self.give_up(cut_error(cause))

    def give_up(self, error: VisionaError) -> None:
        """Ends this view from outside; the viewer is told if it still can be."""
        client = self._client
        self.leave()
        if client is not None:
            client.answer_broken(error)
            client.flush()

    # --- the camera's half --------------------------------------------------------------------------------------

    def begin(self, head: ResponseHead, framing: Framing, last: Frame | None) -> None:
        """The camera is live: its answer's head, and at once the last frame if there is one."""
        self._tunnel, self._request = None, b""
        self.answer_head(head, framing)
        self.flush()
        if last is not None:
            # Its data ends with the delimiter's line.
            line = last.data[last.body_at + last.body_bytes + 2 :]
            self.offer(last, line[:-2])

    def offer(self, frame: Frame, delimiter: bytes) -> bool:
        """Sends the frame, or lets it wait while another is being sent; whether one was lost for it."""
        if self._owed_bytes > 0:
            was_waiting = self._waiting is not None
            self._waiting = frame
            return was_waiting
        if self._has_begun_parts:
            self._send(frame.data)
        else:
            self._has_begun_parts = True
            self._send(b"%b\r\n%b" % (delimiter, frame.data))
        return False

    def go_on_alone(self, exchange: Exchange, unfinished: bytes, delimiter: bytes = b"") -> None:
        """From here on the answer is passed as it comes, beginning with what was not handed on as a frame."""
        self._camera = self._waiting = None
        self._exchange = exchange
        exchange.pass_to(self)
        if delimiter and not self._has_begun_parts:
            unfinished = b"%b\r\n%b" % (delimiter, unfinished)
        if unfinished:
            # The device was given credit for these already.
            self._uncredited_bytes = max(self._owed_bytes, 0) + len(unfinished)
            self.answer_body(unfinished)
            self.flush()

    def ask_alone(self, sweeper: Sweeper, limits: Limits) -> None:
        """It was no camera: this viewer's own request is sent."""
        self._camera = None
        if self._tunnel is None:
            return
        exchange = Exchange(self, b"GET", NO_BODY, upgrade=False, sweeper=sweeper, limits=limits)
        self._exchange = exchange
        try:
            exchange.start(self._tunnel, self._request)
        except TunnelError as error:
            self.give_up(not_opened(error))

    # --- a client that passes on --------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """See relay.client.Client."""
        return self._client is not None and self._client.is_full

    def answer_interim(self, head: ResponseHead) -> None:
        """See relay.client.Client."""
        if self._client is not None:
            self._client.answer_interim(head)

    def answer_head(self, head: ResponseHead, framing: Framing) -> None:
        """See relay.client.Client."""
        if self._client is not None:
            self._client.answer_head(head, framing)

    def answer_body(self, data: bytes) -> None:
        """See relay.client.Client."""
        if self._client is not None:
            self._client.answer_body(data)

    def answer_end(self, trailers: tuple[Header, ...]) -> None:
        """See relay.client.Client."""
        client = self._client
        self._let_go()
        if client is not None:
            client.answer_end(trailers)
            client.flush()

    def answer_broken(self, error: VisionaError) -> None:
        """See relay.client.Client."""
        client = self._client
        self._let_go()
        if client is not None:
            client.answer_broken(error)
            client.flush()

    def flush(self) -> None:
        """See relay.client.Client."""
        if self._client is not None:
            self._client.flush()

    def upload_room(self) -> None:
        """There is no body to send."""

    # --- inside -------------------------------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        self._owed_bytes = len(data)
        self.answer_body(data)
        self.flush()

    def _let_go(self) -> None:
        self._camera = self._client = self._exchange = self._waiting = self._tunnel = None
        if self._call is not None:
            self._call.remove()
            self._call = None
