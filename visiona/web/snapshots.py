"""One picture of a camera: the newest of the stream that is being shared, else one that is fetched for this.

The kept one serves where the device shows none in time, or is away; how old it is, is said with it. An address that
answers with a single picture is a camera too.
"""

import trio

from visiona.domain.access import Actor
from visiona.domain.errors import DeviceBroke, DeviceOffline, DeviceTooSlow, NotFound, TooMany, VisionaError
from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.relay.camera_frames import SHOWN_TYPES, Picture, PicturePlace, is_good
from visiona.relay.camera_view import CameraView
from visiona.relay.cameras import CameraKey, Cameras
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.exchange import Exchange
from visiona.relay.lost_streams import not_opened
from visiona.relay.registry import LiveTunnel, Registry
from visiona.services import clock
from visiona.tunnel.errors import TunnelError
from visiona.web.proxy_answer import Inbox
from visiona.web.proxy_forward import own_question
from visiona.wire.http1.framing import NO_BODY
from visiona.wire.http1.head import ResponseHead
from visiona.wire.mixed_replace import MIXED_REPLACE

FETCH_SECONDS = 5.0
"""For a camera that nobody watches to show its first picture; some warm up for a second or two."""


class DeviceShutsOut(DeviceBroke):
    """The device asks who is looking."""


class Snapshots:
    """Takes pictures for callers whose right to the device was checked."""

    def __init__(
        self, registry: Registry, cameras: Cameras, sweeper: Sweeper, fetch_seconds: float = FETCH_SECONDS
    ) -> None:
        self._registry = registry
        self._cameras = cameras
        self._sweeper = sweeper
        self._fetch_seconds = fetch_seconds

    def kept_or_none(self, workspace_id: WorkspaceId, device_id: DeviceId, target: bytes) -> Picture | None:
        """The last good picture, if it is still here."""
        return self._cameras.kept.last_or_none(PicturePlace(workspace_id, device_id, target))

    async def take(self, actor: Actor, live: LiveTunnel, target: bytes, request_id: str) -> Picture:
        """The camera's picture now, or the last one if it shows none now.

        Raises:
            DeviceBroke, DeviceTooSlow, DeviceOffline, TooMany: it shows none, and none is kept.
            NotFound: the device says that there is no camera.
        """
        picture = self._cameras.picture_or_none(CameraKey(live.device_id, target), live)
        if picture is not None:
            return picture
        # As it is now: the device may be moved while it is asked.
        place = PicturePlace(live.session.workspace_id, live.device_id, target)
        try:
            return await self._fetch(actor, live, target, request_id)
        except DeviceShutsOut:
            # What it once showed to everybody it shows to somebody it knows only.
            self._cameras.kept.drop(place)
            raise
        except (DeviceBroke, DeviceTooSlow, DeviceOffline, TooMany):
            # Not where the caller's right to it ended meanwhile.
            if (kept := self._cameras.kept.last_or_none(place)) is None:
                raise
            return kept

    async def _fetch(self, actor: Actor, live: LiveTunnel, target: bytes, request_id: str) -> Picture:
        inbox, question = Inbox(), own_question(live, b"GET", target, request_id=request_id)
        view = self._cameras.view_or_none(CameraKey(live.device_id, target), live, inbox)
        call = view or Exchange(inbox, b"GET", NO_BODY, upgrade=False, sweeper=self._sweeper, limits=Limits())
        calls = self._registry.calls
        call.enter(calls, actor.user_id, actor.credential_id, live.device_id, actor.expires_at)
        try:
            call.start(live.tunnel, question)
            with trio.move_on_after(self._fetch_seconds):
                return await self._first(inbox, call, live, target)
            raise DeviceTooSlow(f"the camera showed no picture within {self._fetch_seconds:g} seconds")
        except TunnelError as error:
            raise not_opened(error) from error
        finally:
            call.leave()

    async def _first(
        self, inbox: Inbox, call: Exchange | CameraView, live: LiveTunnel, target: bytes
    ) -> Picture:
        head = await inbox.wait_head()
        kind = (head.get(b"content-type") or b"").partition(b";")[0].strip(b" \t").lower()
        if head.status == 200 and kind == MIXED_REPLACE:
            return await self._of_stream(inbox, call, live, target)
        if head.status == 200 and kind in SHOWN_TYPES:
            return await self._of_answer(inbox, call, live, target, kind)
        raise _no_camera(head)

    async def _of_stream(
        self, inbox: Inbox, call: Exchange | CameraView, live: LiveTunnel, target: bytes
    ) -> Picture:
        while True:
            while data := inbox.take():
                call.taken(len(data))
            picture = self._cameras.picture_or_none(CameraKey(live.device_id, target), live)
            if picture is not None:
                return picture
            if inbox.error is not None:
                raise inbox.error
            if inbox.is_whole or not isinstance(call, CameraView) or not call.is_shared:
                raise DeviceBroke("no single picture can be taken out of this camera's stream")
            await inbox.wait_something()

    async def _of_answer(
        self, inbox: Inbox, call: Exchange | CameraView, live: LiveTunnel, target: bytes, kind: bytes
    ) -> Picture:
        body = bytearray()
        while True:
            while data := inbox.take():
                body += data
                call.taken(len(data))
            if len(body) > self._cameras.max_frame_bytes:
                raise DeviceBroke("the camera's picture is too long")
            if inbox.error is not None:
                raise inbox.error
            if inbox.is_whole:
                break
            await inbox.wait_something()
        if not is_good(kind, bytes(body), 0, len(body)):
            raise DeviceBroke("the camera's picture is torn")
        picture = Picture(kind, bytes(body), clock.now())
        self._cameras.kept.keep(PicturePlace(live.session.workspace_id, live.device_id, target), picture)
        return picture


def _no_camera(head: ResponseHead) -> VisionaError:
    if head.status == 200 or head.status == 404:
        return NotFound("the device shows no camera at this path")
    kind = DeviceShutsOut if head.status in {401, 403} else DeviceBroke
    return kind(f"the device answered {head.status} where a camera was asked for")
