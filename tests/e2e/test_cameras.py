"""The sample unit's camera through the reference agent: fifty viewers, one stream; and one picture of it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from visiona.agent.sample.serve import serve_sample

from tests.e2e.agents import Unit, reference_agent
from tests.e2e.client import Caller, until
from tests.e2e.server import Server

VIEWERS = 50
CAMERA = "/api/camera/stream"


@pytest.fixture(scope="module")
def sample() -> Iterator[str]:
    """The sample unit's own address."""
    started, stop = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            addresses.append(await nursery.start(serve_sample))
            started.set()
            await trio.to_thread.run_sync(stop.wait)
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    assert started.wait(10)
    yield addresses[0]
    stop.set()
    thread.join(10)


@pytest.fixture(scope="module")
def unit(
    server: Server, ada: Caller, sample: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Unit]:
    with reference_agent(server, ada, tmp_path_factory.mktemp("agent"), sample) as (unit, _):
        yield unit


def streams(server: Server) -> int:
    """Open to all devices, as the server counts them."""
    return figure(server, "visiona_tunnel_streams{")


def figure(server: Server, name: str) -> int:
    """Of the metrics page; the sum where it has labels."""
    page = Caller(server.internal, None).ask("GET", "/metrics").body.decode()
    lines = [line for line in page.splitlines() if line.startswith(name)]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


class Viewer(threading.Thread):
    """Looks at the camera until told; `pictures` is how many it saw whole."""

    def __init__(self, unit: Unit) -> None:
        super().__init__(daemon=True)
        self._unit = unit
        self._done = threading.Event()
        self.pictures = 0
        self.start()

    def run(self) -> None:
        with self._unit.owner.stream("GET", self._unit.path(CAMERA)) as response:
            length = 0
            while not self._done.is_set():
                line = response.readline()
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
                elif line == b"\r\n" and length:
                    body = response.read(length)
                    assert body.startswith(b"\xff\xd8")
                    assert body.endswith(b"\xff\xd9")
                    self.pictures, length = self.pictures + 1, 0

    def stop(self) -> None:
        self._done.set()
        self.join(10)


def test_fifty_viewers_of_the_camera_are_one_stream_through_the_tunnel(unit: Unit, server: Server) -> None:
    viewers = [Viewer(unit) for _ in range(VIEWERS)]
    try:
        until(lambda: all(viewer.pictures >= 5 for viewer in viewers), "everybody sees pictures", 30)
        until(lambda: streams(server) == 1, "there is one stream", 5)
        assert figure(server, "visiona_camera_viewers ") == VIEWERS
        assert figure(server, "visiona_cameras_shared ") == 1
        assert figure(server, "visiona_camera_frames_total ") >= 5
        assert figure(server, "visiona_camera_kept_bytes ") > 1000
    finally:
        for viewer in viewers:
            viewer.stop()
    until(lambda: streams(server) == 0, "the stream has ended", 15)


def test_a_snapshot_is_a_picture_of_now_and_is_kept_for_when_the_unit_is_away(
    ada: Caller, server: Server, sample: str, tmp_path: Path
) -> None:
    with reference_agent(server, ada, tmp_path, sample) as (unit, agent):
        path = f"/api/devices/{unit.device_id}/cameras{CAMERA}/snapshot"
        fresh = ada.ask("GET", path)
        assert (fresh.status, fresh.headers["Content-Type"]) == (200, "image/jpeg")
        assert fresh.body.startswith(b"\xff\xd8")
        assert float(fresh.headers["X-Visiona-Frame-Age"]) < 5
        agent.stop()
        unit.wait_offline()
        kept = ada.ask("GET", path)
        assert (kept.status, kept.body[:2]) == (200, b"\xff\xd8")
        other = ada.ask("GET", f"/api/devices/{unit.device_id}/cameras/other/snapshot")
        assert (other.status, other.json["error"]["code"]) == (503, "DEVICE_OFFLINE")
