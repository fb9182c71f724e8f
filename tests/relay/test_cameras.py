"""The hub of shared cameras, driven by hand: what is remembered, what is bounded, and what a slow viewer loses."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from visiona.domain.errors import DeviceBroke, DeviceOffline, NotSignedIn, TooMany
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.relay.calls import LiveCalls
from visiona.relay.camera_frames import Picture, PicturePlace
from visiona.relay.camera_settings import CameraSettings
from visiona.relay.camera_view import CameraView
from visiona.relay.cameras import MAX_VERDICTS, CameraKey, Cameras
from visiona.relay.deadlines import TICK_SECONDS, Sweeper
from visiona.relay.lost_streams import lost, not_opened
from visiona.relay.registry import LiveTunnel
from visiona.relay.settings import RelaySettings
from visiona.relay.shared_camera import MAX_FRAMES_AT_ONCE, MAX_PARTS_PER_SECOND
from visiona.tunnel.errors import StreamRefused, StreamReset, TunnelClosed
from visiona.tunnel.stream import StreamHandler

from tests.relay.test_exchange import FakeClient, FakeStream
from tests.web.device_rig import NOW, session_of

DEVICE = DeviceId("0190d9a0-0000-7000-8000-00000000000a")
KEY = CameraKey(DEVICE, b"/cam")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n"


def part(number: int, kind: bytes = b"image/jpeg") -> bytes:
    body = b"\xff\xd8%d\xff\xd9" % number
    return b"--f\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b\r\n" % (kind, len(body), body)


class Tunnel:
    """Opens streams and keeps both ends of them."""

    is_open = True
    closed = None

    def __init__(self) -> None:
        self.opened: list[tuple[StreamHandler, FakeStream]] = []
        self.error: Exception | None = None

    def open_stream_nowait(self, handler: StreamHandler) -> Any:
        if self.error is not None:
            raise self.error
        self.opened.append((handler, FakeStream()))
        return self.opened[-1][1]


def live_of(tunnel: Tunnel) -> LiveTunnel:
    return LiveTunnel(tunnel, session_of(DEVICE), 1, NOW, "", None, None)


@dataclass
class Hub:
    """The cameras before one device."""

    settings: CameraSettings = field(default_factory=CameraSettings)

    def __post_init__(self) -> None:
        self.sweeper = Sweeper()
        self.cameras = Cameras(self.sweeper, settings=self.settings, now=lambda: NOW)
        self.tunnel = Tunnel()
        self.live = live_of(self.tunnel)
        self.calls = LiveCalls()

    def view(self, key: CameraKey = KEY) -> tuple[CameraView, FakeClient]:
        client = FakeClient()
        view = self.cameras.view_or_none(key, self.live, client)
        assert view is not None
        view.enter(self.calls, UserId("u"), TokenId("t"), DEVICE)
        view.start(self.tunnel, b"GET")
        return view, client

    def say(self, data: bytes, stream: int = -1) -> None:
        self.tunnel.opened[stream][0].stream_data(data)

    def pass_seconds(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK_SECONDS)):
            self.sweeper.tick(TICK_SECONDS)


def test_the_device_gets_credit_at_once_and_never_waits_for_a_viewer() -> None:
    hub = Hub()
    hub.view()
    hub.say(HEAD + part(1) + part(2))
    assert hub.tunnel.opened[0][1].credit == len(HEAD + part(1) + part(2))


def test_a_viewer_has_one_frame_on_its_way_and_one_that_waits() -> None:
    hub = Hub()
    view, client = hub.view()
    hub.say(HEAD)
    for number in range(1, 6):
        hub.say(part(number))
    first = client.body
    assert b"\xff\xd81\xff\xd9" in first
    assert b"\xff\xd82\xff\xd9" not in first
    view.taken(len(first) - 1)
    assert client.body == first
    view.taken(1)
    # Whoever was too slow sees the newest next.
    assert b"\xff\xd85\xff\xd9" in client.body[len(first) :]
    assert client.body.count(b"\xff\xd8") == 2
    view.taken(1000)
    hub.say(part(6))
    assert b"\xff\xd86\xff\xd9" in client.body


def test_frames_that_come_in_one_piece_are_not_multiplied_without_end() -> None:
    hub = Hub()
    view, client = hub.view()
    hub.say(HEAD)
    watcher = client.answer_body

    def swift(data: bytes) -> None:
        watcher(data)
        view.taken(len(data))

    client.answer_body = swift
    hub.say(b"".join(part(number) for number in range(100, 200)))
    assert client.body.count(b"\xff\xd8") <= MAX_FRAMES_AT_ONCE
    assert b"\xff\xd8199\xff\xd9" in client.body


def test_h15_parts_without_end_cost_no_more_than_passing_them_on() -> None:
    hub = Hub()
    view, client = hub.view()
    hub.say(HEAD)
    for number in range(4):
        hub.say(part(1) * (MAX_PARTS_PER_SECOND // 5))
        assert hub.cameras.viewer_count == 1, number
    hub.pass_seconds(2)
    for number in range(6):
        assert hub.cameras.viewer_count == 1, number
        hub.say(part(2) * (MAX_PARTS_PER_SECOND // 5))
    hub.say(part(3) * 2)
    assert hub.cameras.viewer_count == len(hub.cameras) == 0
    # It goes on as it is to who came first, and nobody shares it again.
    view.taken(len(client.body))
    hub.say(b"--f and what not")
    assert client.body.endswith(b"--f and what not")
    assert hub.cameras.view_or_none(KEY, hub.live, FakeClient()) is None


def test_a_camera_of_a_tunnel_that_was_replaced_takes_nobody_in() -> None:
    hub = Hub()
    _, old = hub.view()
    hub.say(HEAD + part(1))
    first, hub.tunnel = hub.tunnel, Tunnel()
    hub.live = live_of(hub.tunnel)
    _, new = hub.view()
    assert len(hub.tunnel.opened) == 1
    hub.say(HEAD + part(2))
    first.opened[0][0].stream_lost(TunnelClosed("replaced"))
    assert isinstance(old.error, DeviceBroke)
    assert new.error is None
    # The end of the old one takes nothing from the new.
    assert len(hub.cameras) == hub.cameras.viewer_count == 1


def test_beyond_the_limit_who_lingers_goes_first_and_then_nobody_shares() -> None:
    hub = Hub(CameraSettings(max_count=2))
    first, _ = hub.view(replace_target(b"/cam1"))
    hub.say(HEAD)
    hub.view(replace_target(b"/cam2"))
    hub.say(HEAD)
    assert hub.cameras.view_or_none(replace_target(b"/cam3"), hub.live, FakeClient()) is None
    first.leave()
    hub.view(replace_target(b"/cam3"))
    assert hub.tunnel.opened[0][1].was_reset
    assert len(hub.cameras) == 2


def replace_target(target: bytes) -> CameraKey:
    return KEY._replace(target=target)


def test_a_stream_that_cannot_be_opened_is_told_and_leaves_nothing() -> None:
    hub = Hub()
    hub.tunnel.error = StreamRefused("full")
    view = hub.cameras.view_or_none(KEY, hub.live, FakeClient())
    assert view is not None
    with pytest.raises(StreamRefused):
        view.start(hub.tunnel, b"GET")
    assert len(hub.cameras) == 0


def test_the_last_who_leaves_before_the_answer_ends_the_question() -> None:
    hub = Hub()
    one, two = hub.view()[0], hub.view()[0]
    ended = []
    for view in (one, two):
        view.leave()
        ended.append(hub.tunnel.opened[0][1].was_reset)
    assert ended == [False, True]
    assert len(hub.cameras) == len(hub.calls) == 0


def test_what_is_no_camera_is_remembered_and_an_error_is_not() -> None:
    hub = Hub()
    hub.view()
    hub.say(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    assert hub.cameras.may_be_camera(DEVICE, KEY.target)
    _, client = hub.view()
    hub.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (client.heads, client.body) == ([200], b"ok")
    assert not hub.cameras.may_be_camera(DEVICE, KEY.target)
    assert hub.cameras.view_or_none(KEY, hub.live, FakeClient()) is None


def test_those_who_waited_for_what_is_no_camera_ask_themselves() -> None:
    hub = Hub()
    clients = [hub.view()[1] for _ in range(3)]
    hub.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 0)
    assert len(hub.tunnel.opened) == 3
    for stream, body in ((1, b"b"), (2, b"c")):
        hub.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + body, stream)
    assert [client.body for client in clients] == [b"a", b"b", b"c"]
    assert len(hub.calls) == 0


def test_those_who_waited_are_told_where_their_own_stream_cannot_be_opened() -> None:
    hub = Hub()
    clients = [hub.view()[1] for _ in range(2)]
    hub.tunnel.error = StreamRefused("full")
    hub.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 0)
    assert isinstance(clients[1].error, TooMany)
    assert len(hub.calls) == 0


def test_a_stream_that_can_only_be_watched_alone_stays_with_who_came_first() -> None:
    hub = Hub(CameraSettings(max_frame_bytes=100))
    view, first = hub.view()
    _, second = hub.view()
    hub.say(HEAD + part(1))
    view.taken(len(first.body))
    seen, credit = len(first.body), hub.tunnel.opened[0][1].credit
    huge = b"--f\r\n\r\n" + b"x" * 400
    hub.say(huge)
    assert first.body[seen:] == huge.removeprefix(b"--f\r\n")
    assert isinstance(second.error, DeviceBroke)
    # What was given credit for already is not paid twice, what follows is.
    credit = hub.tunnel.opened[0][1].credit
    view.taken(len(huge) - 5)
    assert hub.tunnel.opened[0][1].credit == credit
    hub.say(b"y" * 10)
    assert first.body.endswith(b"y" * 10)
    view.taken(10)
    assert hub.tunnel.opened[0][1].credit == credit + 10
    view.cut("revoked")
    assert isinstance(first.error, NotSignedIn)
    assert hub.tunnel.opened[0][1].was_reset
    assert len(hub.calls) == len(hub.cameras) == 0


def test_an_end_of_the_picture_is_an_end_for_all() -> None:
    hub = Hub()
    clients = [hub.view()[1] for _ in range(3)]
    hub.say(HEAD + part(1))
    hub.tunnel.opened[0][0].stream_ended()
    assert all(client.trailers == () for client in clients)
    assert len(hub.cameras) == len(hub.calls) == hub.sweeper.watched_count == 0


def test_a_silent_camera_is_given_up_for_all_its_viewers() -> None:
    hub = Hub()
    clients = [hub.view()[1] for _ in range(2)]
    hub.say(HEAD + part(1))
    hub.pass_seconds(130)
    assert all(client.error is not None and client.error.code == "DEVICE_TIMEOUT" for client in clients)
    assert len(hub.cameras) == len(hub.calls) == 0


def test_what_was_found_out_is_not_remembered_without_end() -> None:
    hub = Hub()
    for number in range(MAX_VERDICTS + 10):
        hub.view(replace_target(b"/cam%d" % number))
        hub.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert hub.cameras.may_be_camera(DEVICE, b"/cam0")
    assert not hub.cameras.may_be_camera(DEVICE, b"/cam%d" % (MAX_VERDICTS + 9))


def test_who_wants_a_page_does_not_share_with_who_wants_a_picture() -> None:
    hub = Hub()
    hub.view()
    hub.view(KEY._replace(wants_page=True))
    assert len(hub.tunnel.opened) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n",
        HEAD.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=1\r\n\r\n"),
        HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"),
        *(
            HEAD.replace(b"\r\n\r\n", b"\r\nVary: Origin, %b\r\n\r\n" % field)
            for field in (b"*", b"User-Agent", b"accept", b"Sec-Fetch-Site", b"X-Forwarded-For")
        ),
        HEAD.replace(b"200 OK", b"206 Part"),
        HEAD.replace(b"; boundary=f", b""),
    ],
)
def test_an_answer_that_is_for_one_alone_is_not_shared(answer: bytes) -> None:
    hub = Hub()
    _, client = hub.view()
    hub.say(answer + b"--f\r\n")
    assert client.body == b"--f\r\n"
    assert len(hub.cameras) == 0


def test_an_answer_that_varies_by_what_sharers_have_in_common_is_shared() -> None:
    hub = Hub()
    for _ in range(2):
        hub.view()
    hub.say(HEAD.replace(b"\r\n\r\n", b"\r\nVary: Origin\r\nVary: Accept-Encoding, Cookie\r\n\r\n"))
    assert (len(hub.tunnel.opened), hub.cameras.viewer_count) == (1, 2)


def place(number: int, workspace: str = "w") -> PicturePlace:
    return PicturePlace(WorkspaceId(workspace), DeviceId(f"d{number}"), b"/cam")


def test_kept_pictures_are_few_and_small_enough_in_all() -> None:
    kept = Cameras(Sweeper(), settings=CameraSettings(max_kept_bytes=1000)).kept
    for number in range(20):
        kept.keep(place(number), Picture(b"image/jpeg", b"x" * 100, NOW))
        kept.keep(place(0), Picture(b"image/jpeg", b"y" * 100, NOW))
    assert (len(kept), kept.size_bytes) == (10, 1000)
    # The longest untouched went.
    assert kept.last_or_none(place(0)) is not None
    assert kept.last_or_none(place(1)) is None
    kept.keep(place(0), Picture(b"image/jpeg", b"z" * 2000, NOW))
    assert (len(kept), kept.size_bytes) == (0, 0)
    kept.keep(place(1), Picture(b"image/jpeg", b"x", NOW))
    kept.forget(DeviceId("d1"))
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_a_torn_or_strange_picture_does_not_take_the_place_of_a_good_one() -> None:
    hub = Hub()
    hub.view()
    hub.say(HEAD + part(1))
    hub.say(part(2).replace(b"\xff\xd9", b".."))
    hub.say(part(3, b"image/svg+xml"))
    picture = hub.cameras.picture_or_none(KEY, hub.live)
    assert picture is not None
    assert picture.body == b"\xff\xd81\xff\xd9"


@pytest.mark.parametrize("filler", ["", "x" * 300])
def test_what_looks_like_a_camera_is_known_by_a_word_in_any_case(filler: str) -> None:
    cameras = Hub().cameras
    for target in ("/Camera/1", "/mjpg", "/live.MJPEG", "/axis/motionJPEG", "/Video", "/h264?stream=1"):
        assert cameras.may_be_camera(DEVICE, f"{target}&{filler}".encode()), target
    for target in ("/", "/api/devices", "/ws", "/favicon.ico", "/jpeg"):
        assert not cameras.may_be_camera(DEVICE, f"{target}?{filler}".encode()), target


def test_the_settings_of_the_relay_are_those_of_the_cameras() -> None:
    assert RelaySettings().cameras() == CameraSettings()
    chosen = RelaySettings(
        camera_linger_seconds=1, cameras_shared=2, camera_frame_bytes=3, camera_kept_bytes=4
    )
    assert chosen.cameras() == CameraSettings(1, 2, 3, 4)
    assert RelaySettings(cameras_shared=0).check() == ["cameras_shared must be more than 0"]


def test_what_is_told_of_a_stream_says_which_of_the_two_it_was() -> None:
    assert isinstance(not_opened(StreamRefused("full")), TooMany)
    assert isinstance(not_opened(TunnelClosed("replaced")), DeviceOffline)
    assert lost(TunnelClosed("replaced")).details == {"cause": "replaced"}
    assert lost(StreamReset("write_timeout")).code == "DEVICE_TIMEOUT"
    assert lost(StreamReset("x")).code == "DEVICE_ERROR"
