"""The shared cameras of this process: who asks for a moving picture that somebody watches already joins them.

Shared is what one device answers to one target. Whether a target is a camera is known once it has answered; before
that, requests whose path looks like one wait for each other's answer, so that many who come at once open one stream.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import Final, NamedTuple

from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.relay.camera_frames import Frame, FrameCounts, KeptPictures, Picture, PicturePlace
from visiona.relay.camera_settings import CameraSettings
from visiona.relay.camera_view import CameraView
from visiona.relay.client import Client
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.registry import LiveTunnel
from visiona.relay.shared_camera import SharedCamera, Verdict, shared_boundary
from visiona.services import clock
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.framing import Framing
from visiona.wire.http1.head import ResponseHead

MAX_VERDICTS = 4096
"""Targets of which is remembered what they turned out to be."""

MAX_KEPT_COUNT = 1024

MAX_SHARED_OF_DEVICE = 32
"""No unit has so many cameras."""

MAX_HELD_BYTES = 256 * 1024 * 1024
"""Of frames in memory: 1 MiB for each of 256 cameras. Ordinary ones hold a tenth of that."""

TOO_MUCH = RemoteProtocolError("all cameras together show too much at once", kind="multipart", status=502)

_CAMERA_WORD: Final = re.compile(rb"cam|stream|video|mjp|motionjp").search
"""In a target of one, in lower case. Every GET for a device is looked at so: to ignore the case in the expression costs
seven times as much, and to remember what was found saves most of the rest."""

REMEMBERED_TARGET_BYTES = 256


class CameraKey(NamedTuple):
    """What has to be the same for two viewers to share.

    Attributes:
        wants_page: the request prefers HTML: some cameras answer that with a page at the same path.
    """

    device_id: DeviceId
    target: bytes
    wants_page: bool = False


class Cameras:
    """All of them.

    Attributes:
        kept: the last good picture of each.
        counts: of their frames.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        limits: Limits | None = None,
        settings: CameraSettings | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._sweeper = sweeper
        self._limits = limits or Limits()
        self._settings = settings or CameraSettings()
        self._now = now
        self._shared: dict[CameraKey, tuple[LiveTunnel, SharedCamera]] = {}
        self._verdicts: OrderedDict[tuple[DeviceId, bytes], Verdict] = OrderedDict()
        self.counts = FrameCounts()
        self.kept = KeptPictures(max_count=MAX_KEPT_COUNT, max_bytes=self._settings.max_kept_bytes)

    def __len__(self) -> int:
        return len(self._shared)

    @property
    def max_frame_bytes(self) -> int:
        """The longest picture."""
        return self._settings.max_frame_bytes

    @property
    def viewer_count(self) -> int:
        """Of all cameras."""
        return sum(camera.viewer_count for _, camera in self._shared.values())

    def may_be_camera(self, device_id: DeviceId, target: bytes) -> bool:
        """Whether it is worth to look closer at a request for it."""
        verdict = self._verdicts.get((device_id, target))
        if verdict is None:
            return (_looked if len(target) <= REMEMBERED_TARGET_BYTES else _looks_like_a_camera)(target)
        return verdict is Verdict.CAMERA

    def picture_or_none(self, key: CameraKey, live: LiveTunnel) -> Picture | None:
        """The last good picture of a camera that is being shared now."""
        camera = self._joinable(key, live)
        if camera is None or not camera.is_live:
            return None
        return self.kept.last_or_none(_place(key, live))

    def view_or_none(self, key: CameraKey, live: LiveTunnel, client: Client) -> CameraView | None:
        """A place at the camera, to be entered and started like an exchange; None: ask without sharing."""
        if self._verdicts.get((key.device_id, key.target), Verdict.CAMERA) is not Verdict.CAMERA:
            return None
        camera = self._joinable(key, live) or self._new(key, live)
        return None if camera is None else CameraView(camera, client)

    def adopting_view_or_none(
        self, key: CameraKey, live: LiveTunnel, client: Client, head: ResponseHead, framing: Framing
    ) -> CameraView | None:
        """The same for a request that is being answered by a moving picture; to be started with `take_over`."""
        known = self._verdicts.get((key.device_id, key.target))
        if known is Verdict.ALONE or shared_boundary(head, framing) is None:
            return None
        self._note(key, Verdict.CAMERA)
        camera = self._joinable(key, live) or self._new(key, live)
        return None if camera is None else CameraView(camera, client)

    def forget(self, device_id: DeviceId, stays_in: WorkspaceId | None = None) -> None:
        """The device is gone, or is in another workspace now: nobody sees any more what it showed before.

        Called after the requests of those who lost it were cut, and maybe twice for one deed.

        Args:
            stays_in: where it is now; what it showed there stays.
        """
        for key, (_, camera) in list(self._shared.items()):
            if key.device_id != device_id:
                continue
            if camera.viewer_count:
                camera.forget_last()
            else:
                camera.close()
        self.kept.forget(device_id, stays_in)

    def _joinable(self, key: CameraKey, live: LiveTunnel) -> SharedCamera | None:
        # One of a tunnel that was replaced ends with it, and takes nobody in.
        tunnel, camera = self._shared.get(key, (None, None))
        return camera if tunnel is live else None

    def _new(self, key: CameraKey, live: LiveTunnel) -> SharedCamera | None:
        its = [camera for each, (_, camera) in self._shared.items() if each.device_id == key.device_id]
        if len(its) >= MAX_SHARED_OF_DEVICE and not _has_ended_one(its):
            return None
        everybodys = [camera for _, camera in self._shared.values()]
        if len(everybodys) >= self._settings.max_count and not _has_ended_one(everybodys):
            return None

        def framed(frame: Frame) -> None:
            if frame.is_good:
                # Where the device is at this moment: a move leaves the tunnel, and whoever may watch on, as they are.
                self.kept.keep(_place(key, live), frame)

        camera = SharedCamera(
            self._sweeper,
            self._limits,
            linger_seconds=self._settings.linger_seconds,
            max_frame_bytes=self._settings.max_frame_bytes,
            now=self._now,
            counts=self.counts,
            framed=framed,
            grown=self._need_memory,
            over=partial(self._over, key),
        )
        self._shared[key] = live, camera
        return camera

    def _need_memory(self) -> None:
        """Beyond the limit the one that holds the most is shared no more: it is whoever fills the memory."""
        if self.counts.held_bytes > MAX_HELD_BYTES:
            largest = max((camera for _, camera in self._shared.values()), key=lambda each: each.held_bytes)
            largest.share_no_more(TOO_MUCH)

    def _over(self, key: CameraKey, camera: SharedCamera, verdict: Verdict | None) -> None:
        if self._shared.get(key, (None, None))[1] is camera:
            del self._shared[key]
        if verdict is not None:
            self._note(key, verdict)

    def _note(self, key: CameraKey, verdict: Verdict) -> None:
        target = key.device_id, key.target
        self._verdicts[target] = verdict
        self._verdicts.move_to_end(target)
        if len(self._verdicts) > MAX_VERDICTS:
            self._verdicts.popitem(last=False)


def _has_ended_one(cameras: list[SharedCamera]) -> bool:
    """Ends the oldest that nobody watches any more, if there is one."""
    unwatched = next((camera for camera in cameras if camera.viewer_count == 0), None)
    if unwatched is not None:
        unwatched.close()
    return unwatched is not None


def _looks_like_a_camera(target: bytes) -> bool:
    return _CAMERA_WORD(target.lower()) is not None


_looked = lru_cache(maxsize=4096)(_looks_like_a_camera)


def _place(key: CameraKey, live: LiveTunnel) -> PicturePlace:
    return PicturePlace(live.session.workspace_id, key.device_id, key.target)
