"""What the metrics page says of cameras."""

from visiona.domain.ids import DeviceId
from visiona.ops.figures import camera_figures
from visiona.ops.metrics import Metrics, Sources

from tests.relay.test_cameras import DEVICE, HEAD, KEY, Hub, part


def page_of(hub: Hub) -> dict[str, float]:
    page = Metrics(Sources(figures=camera_figures(hub.cameras))).page().decode()
    lines = [line.rpartition(" ") for line in page.splitlines() if line.startswith("visiona_camera")]
    return {name: float(value) for name, _, value in lines}


def test_cameras_are_counted_and_what_slow_viewers_lose() -> None:
    hub = Hub()
    (_, one), (quick, _) = hub.view(), hub.view()
    hub.say(HEAD)
    for number in range(5):
        hub.say(part(number))
        quick.taken(1_000_000)
    picture = hub.cameras.picture_or_none(KEY, hub.live)
    assert picture is not None
    assert one.body.count(b"\xff\xd8") == 1
    assert page_of(hub) == {
        "visiona_cameras_shared": 1,
        "visiona_camera_viewers": 2,
        "visiona_camera_frames_total": 5,
        # The first is on its way to the slow one, the last waits.
        "visiona_camera_frames_lost_total": 3,
        "visiona_camera_held_bytes": len(part(4)) + len(b"\r\n"),
        "visiona_camera_pictures_kept": 1,
        "visiona_camera_kept_bytes": hub.cameras.kept.size_bytes,
    }


def test_counts_do_not_fall_when_a_camera_ends() -> None:
    hub = Hub()
    view, _ = hub.view()
    hub.say(HEAD + part(1) + part(2))
    view.leave()
    hub.pass_seconds(6)
    hub.cameras.forget(DeviceId(DEVICE))
    found = page_of(hub)
    assert found["visiona_camera_frames_total"] == 2
    assert found["visiona_cameras_shared"] == found["visiona_camera_kept_bytes"] == 0
    assert found["visiona_camera_held_bytes"] == 0


def test_s09_no_camera_has_a_label_of_its_own() -> None:
    hub = Hub()
    for number in range(30):
        hub.view(KEY._replace(target=b"/cam%d" % number))
        hub.say(HEAD + part(number))
    assert len(page_of(hub)) == 7
