"""Viewers of one camera: what the server's CPU and the device's uplink pay for 1 and for many, shared and each alone.

The camera is a bare one: pictures of one size at a steady rate, over the reference agent. It counts its streams and what
it sends. Viewers who are alone ask for targets that differ, which is what the server did for everybody before.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio
from processes import (
    Bound,
    ask,
    cpu_seconds,
    machine,
    new_caller,
    pause,
    process,
    rss_bytes,
    serving,
    visiona,
)

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n--f\r\n"
WARM_UP_SECONDS = 2.0


class Camera:
    """A camera on a port of its own.

    Attributes:
        open_count, sent_bytes: streams that are open now; bytes of all.
        idle: no stream is open.
    """

    def __init__(self, picture_bytes: int, rate: float) -> None:
        picture = b"\xff\xd8" + b"\x55" * (picture_bytes - 4) + b"\xff\xd9"
        self._part = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n--f\r\n" % (
            len(picture),
            picture,
        )
        self._pause_seconds = 1 / rate
        self.open_count = self.sent_bytes = 0
        self.idle = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One viewer of the camera itself."""
        self.open_count += 1
        if self.idle.is_set():
            self.idle = trio.Event()
        try:
            while b"\r\n\r\n" not in await stream.receive_some(65536):
                pass
            await stream.send_all(HEAD)
            due = trio.current_time()
            while True:
                await stream.send_all(self._part)
                self.sent_bytes += len(self._part)
                due = max(due + self._pause_seconds, trio.current_time())
                await trio.sleep_until(due)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.open_count -= 1
            if not self.open_count:
                self.idle.set()
            await trio.aclose_forcefully(stream)


class Viewers:
    """Who watches through the server; `taken_bytes` is what all of them got."""

    def __init__(self, bound: Bound, token: str, path: str) -> None:
        address = urlsplit(bound.web)
        self._host, self._port = address.hostname or "", address.port or 0
        self._request = f"GET {path}%s HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.taken_bytes = 0

    async def watch(self, query: str) -> None:
        """One viewer, until cancelled."""
        stream = await trio.open_tcp_stream(self._host, self._port)
        await stream.send_all((self._request % query).encode())
        while data := await stream.receive_some(1 << 18):
            self.taken_bytes += len(data)
        sys.exit("the server ended a viewer's picture")


@contextmanager
def unit(place: Path, bound: Bound, token: str, port: int) -> Iterator[str]:
    """The reference agent in front of the camera; its device's id."""
    pairing = ask(bound.web, "/api/pairing/token", token, {"name": "camera"})["data"]["token"]
    folder = str(place / "agent")
    pair = ("agent", "pair", "-", "--relay", bound.web, "--target", f"http://127.0.0.1:{port}", "--json")
    device = json.loads(visiona(place, *pair, "--state-dir", folder, stdin=pairing + "\n"))["device_id"]
    order = [sys.executable, "-m", "visiona", "agent", "run", "--state-dir", folder]
    with process(order, place / "agent.log", stdout=subprocess.DEVNULL):
        while not ask(bound.web, f"/api/devices/{device}", token)["data"]["tunnel_online"]:
            pause(0.1)
        yield device


async def round_of(
    bound: Bound, camera: Camera, viewers: Viewers, count: int, seconds: float, *, alone: bool
) -> dict[str, Any]:
    """So many viewers for so long."""
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(viewers.watch, f"?viewer={number}" if alone else "")
        await trio.sleep(WARM_UP_SECONDS)
        before = (cpu_seconds(bound.pid), camera.sent_bytes, viewers.taken_bytes, trio.current_time())
        await trio.sleep(seconds)
        after = (cpu_seconds(bound.pid), camera.sent_bytes, viewers.taken_bytes, trio.current_time())
        streams = camera.open_count
        nursery.cancel_scope.cancel()
    cpu, sent, taken, passed = (now - then for now, then in zip(after, before, strict=True))
    with trio.move_on_after(20):
        await camera.idle.wait()
    return {
        "viewers": count,
        "shared": not alone,
        "streams to the device": streams,
        "from the device (MB/s)": round(sent / passed / 1e6, 2),
        "to the viewers (MB/s)": round(taken / passed / 1e6, 2),
        "server CPU (share of a core)": round(cpu / passed, 3),
        "server memory (MB)": round(rss_bytes(bound.pid) / 1e6),
    }


async def measure(options: argparse.Namespace, place: Path, bound: Bound, token: str) -> None:
    """All rounds over one camera."""
    camera = Camera(options.bytes, options.rate)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, camera.serve, 0)
        port = listeners[0].socket.getsockname()[1]
        entered = unit(place, bound, token, port)
        device = await trio.to_thread.run_sync(entered.__enter__)
        try:
            viewers = Viewers(bound, token, f"/api/devices/{device}/proxy/stream")
            for count, alone in ((1, False), (options.viewers, False), (options.viewers, True)):
                said = await round_of(bound, camera, viewers, count, options.seconds, alone=alone)
                print(json.dumps(said))
        finally:
            await trio.to_thread.run_sync(entered.__exit__, None, None, None)
        nursery.cancel_scope.cancel()


def main() -> None:
    """One line of JSON a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--bytes", type=int, default=50_000, help="of one picture")
    parser.add_argument("--rate", type=float, default=10.0, help="pictures a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(json.dumps(machine()))
    with tempfile.TemporaryDirectory(prefix="visiona-bench-") as name, serving(Path(name)) as bound:
        trio.run(measure, options, Path(name), bound, new_caller(Path(name)))


if __name__ == "__main__":
    main()
