"""Many viewers and many targets: who comes and goes at random, and what one device may take of what all share."""

import random
from dataclasses import dataclass

import pytest
from visiona.domain.errors import DeviceBroke
from visiona.domain.ids import DeviceId
from visiona.relay import cameras
from visiona.relay.camera_frames import (
    MAX_KEPT_OF_DEVICE,
    SHOWN_TYPES,
    KeptPictures,
    Picture,
    is_good,
)
from visiona.relay.camera_settings import CameraSettings
from visiona.relay.camera_view import CameraView
from visiona.relay.cameras import MAX_SHARED_OF_DEVICE, CameraKey
from visiona.tunnel.errors import StreamReset, TunnelClosed

from tests.relay.test_cameras import HEAD, KEY, Hub, part, place
from tests.relay.test_exchange import FakeClient
from tests.web.device_rig import NOW

NO_CAMERA = b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Viewer:
    """One of the crowd; `taken` is how much of what it was sent it has read."""

    view: CameraView
    client: FakeClient
    taken: int = 0

    @property
    def is_over(self) -> bool:
        return self.client.error is not None or self.client.trailers is not None

    def read(self, count: int) -> None:
        count = min(count, len(self.client.body) - self.taken)
        self.taken += count
        if count and not self.is_over:
            self.view.taken(count)


class Crowd:
    """Viewers, a device and a clock, each moved at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.hub = Hub(CameraSettings(max_frame_bytes=2000))
        self.viewers: list[Viewer] = []
        self.begun, self.ended = set[int](), set[int]()
        self.number = self.came = 0

    @property
    def streams(self) -> list[int]:
        """Those that are open."""
        opened = enumerate(self.hub.tunnel.opened)
        return [at for at, (_, stream) in opened if not stream.was_reset and at not in self.ended]

    def step(self) -> None:
        deed = self.random.choices(
            (self.come, self.go, self.read, self.say, self.wait, self.cut, self.lose),
            (30, 20, 40, 40, 3, 3, 1),
        )[0]
        deed()
        self.viewers = [viewer for viewer in self.viewers if not viewer.is_over]

    def come(self) -> None:
        self.came += 1
        target = self.random.choice((b"/cam1", b"/cam2"))
        view, client = self.hub.view(KEY._replace(target=target))
        self.viewers.append(Viewer(view, client))

    def go(self) -> None:
        if self.viewers:
            self.viewers.pop(self.random.randrange(len(self.viewers))).view.leave()

    def read(self) -> None:
        for viewer in self.random.sample(self.viewers, min(5, len(self.viewers))):
            viewer.read(self.random.choice((1, 50, 10_000)))

    def say(self) -> None:
        if not self.streams:
            return
        at = self.random.choice(self.streams)
        if at not in self.begun:
            self.begun.add(at)
            if self.random.random() < 0.05:
                self.ended.add(at)
                self.hub.say(NO_CAMERA, at)
                return
            self.hub.say(HEAD, at)
        self.number += 1
        self.hub.say(part(self.number) * self.random.choice((1, 1, 3)), at)

    def wait(self) -> None:
        self.hub.pass_seconds(self.random.choice((1, 6)))

    def cut(self) -> None:
        if self.viewers:
            self.viewers.pop(self.random.randrange(len(self.viewers))).view.cut("revoked")

    def lose(self) -> None:
        if self.streams:
            at = self.random.choice(self.streams)
            self.ended.add(at)
            self.hub.tunnel.opened[at][0].stream_lost(
                self.random.choice((StreamReset("gone"), TunnelClosed("tcp_reset")))
            )


@pytest.mark.parametrize("seed", range(5))
def test_h15_a_thousand_viewers_come_and_go_at_random_and_nothing_is_left(seed: int) -> None:
    crowd = Crowd(seed)
    hub = crowd.hub
    while crowd.came < 1000:
        crowd.step()
        # One stream for each of the two, and one for each viewer whose answer was no camera.
        assert len(hub.cameras) <= 2
        assert hub.cameras.viewer_count <= len(crowd.viewers)
        assert len(hub.calls) == len(crowd.viewers)
    for viewer in crowd.viewers:
        # Nobody gets pieces of two pictures: each that began is followed by its own end.
        pictures = viewer.client.body.split(b"\xff\xd8")[1:]
        assert all(piece.partition(b"\xff\xd9")[0].isdigit() for piece in pictures)
        viewer.view.leave()
    hub.pass_seconds(10)
    assert len(hub.cameras) == hub.cameras.viewer_count == len(hub.calls) == hub.sweeper.watched_count == 0
    assert crowd.streams == []
    assert hub.cameras.counts.held_bytes == 0


def test_s05_the_frames_of_all_cameras_have_a_bound_and_the_largest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cameras, "MAX_HELD_BYTES", 5000)
    hub = Hub()
    small = [hub.view(KEY._replace(target=b"/cam%d" % number)) for number in range(3)]
    for number in range(3):
        hub.say(HEAD + part(number), number)
    views = [hub.view(KEY._replace(target=b"/large")) for _ in range(2)]
    hub.say(HEAD + b"--f\r\n\r\n")
    for _ in range(60):
        hub.say(b"x" * 100)
    # It goes on for who came first, as it comes, and the others are told.
    assert views[0][1].body.endswith(b"x" * 100)
    assert isinstance(views[1][1].error, DeviceBroke)
    assert len(hub.cameras) == 3
    assert 0 < hub.cameras.counts.held_bytes < 1000
    for number, (view, client) in enumerate(small):
        view.taken(len(client.body))
        hub.say(part(7), number)
        assert client.body.count(b"\xff\xd8") == 2
        view.leave()
    hub.pass_seconds(10)
    assert hub.cameras.counts.held_bytes == 0


def test_one_device_does_not_take_the_sharing_from_all_others() -> None:
    hub = Hub()
    for number in range(MAX_SHARED_OF_DEVICE):
        hub.view(KEY._replace(target=b"/cam%d" % number))
        hub.say(HEAD)
    assert hub.cameras.view_or_none(KEY, hub.live, FakeClient()) is None
    other = CameraKey(DeviceId("0190d9a0-0000-7000-8000-00000000000b"), b"/cam")
    assert hub.cameras.view_or_none(other, hub.live, FakeClient()) is not None


def test_one_device_does_not_take_the_pictures_of_all_others() -> None:
    kept = KeptPictures(max_count=100, max_bytes=1_000_000)
    kept.keep(place(2), Picture(b"image/jpeg", b"x", NOW))
    one = place(1)
    for number in range(500):
        kept.keep(one._replace(target=b"/%d" % number), Picture(b"image/jpeg", b"x", NOW))
    assert (len(kept), kept.size_bytes) == (MAX_KEPT_OF_DEVICE + 1, MAX_KEPT_OF_DEVICE + 1)
    assert kept.last_or_none(place(2)) is not None
    assert kept.last_or_none(one._replace(target=b"/499")) is not None
    # One that is there already takes no other's place.
    kept.keep(one._replace(target=b"/499"), Picture(b"image/jpeg", b"y", NOW))
    assert kept.last_or_none(one._replace(target=b"/498")) is not None


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        (b"image/jpeg", b"\xff\xd8\xff\xd9"),
        (b"image/png", b"\x89PNG\r\n\x1a\n"),
        (b"image/gif", b"GIF89a"),
        (b"image/bmp", b"BM"),
        (b"image/webp", b"RIFF\n\0\0\0WEBP"),
        (b"image/avif", b"\0\0\n\x1cftypavif"),
    ],
)
def test_h10_what_is_called_a_picture_begins_as_one(kind: bytes, begins: bytes) -> None:
    assert kind in SHOWN_TYPES
    data = b"head" + begins + b"tail"
    assert is_good(kind, data, 4, 4 + len(begins))
    for page in (b"<html><script>", b"<svg onload=x>", b"", begins[:1], b"x" + begins):
        assert not is_good(kind, page, 0, len(page)), page


def test_h10_only_what_is_a_picture_and_nothing_else_is_shown() -> None:
    for kind in (b"image/svg+xml", b"text/html", b"", b"application/octet-stream", b"image/x"):
        assert not is_good(kind, b"\x89PNG\r\n\x1a\n", 0, 8)
