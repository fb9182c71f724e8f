"""What `visiona demo --check` proves: each of the sample unit's abilities, through the tunnel, as a caller sees it.

Every check is a function of the visit that returns what it saw, or raises Unexpected.
"""

import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

from visiona.cli.demo_browser import Browser
from visiona.cli.demo_client import Client, Unexpected
from visiona.cli.demo_sign_in import sign_in, sign_out, use_session

FRAMES = 12
DETECTIONS = 5
CHECK_SECONDS = 30.0
"""For one check; the longest, flashing, takes two seconds."""

ACCELERATOR = "kl520-0"


@dataclass(frozen=True, slots=True)
class Visit:
    """A caller and the device it looks at; and the link by which the caller signs in in a browser."""

    client: Client
    device_id: str
    sign_in_link: str = field(default="", repr=False)

    @property
    def proxy(self) -> str:
        """Where the unit's own paths are."""
        return f"/api/devices/{self.device_id}/proxy"

    @property
    def verbs(self) -> str:
        """Where the device's verbs are."""
        return f"/api/devices/{self.device_id}"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check went."""

    name: str
    ok: bool
    saw: str
    seconds: float


Check = Callable[[Visit], Awaitable[str]]


async def run_check(name: str, check: Check, visit: Visit) -> Finding:
    """Runs one check within its deadline; whatever goes wrong is a finding."""
    began = trio.current_time()
    try:
        with trio.fail_after(CHECK_SECONDS):
            ok, saw = True, await check(visit)
    except Unexpected as error:
        ok, saw = False, str(error)
    except trio.TooSlowError:
        ok, saw = False, f"not done within {CHECK_SECONDS:g} s"
    except (OSError, ValueError, KeyError, TypeError, ConnectionClosed, HandshakeError) as error:
        ok, saw = False, f"{type(error).__name__}: {error}"
    return Finding(name, ok, saw, trio.current_time() - began)


async def see_device(visit: Visit) -> str:
    """The device is online, and its accelerators are known."""
    while True:
        device = await visit.client.call("GET", visit.verbs)
        chips = [one["chip"] for one in device["accelerators"]]
        if device["tunnel_online"] and chips:
            return f"{device['name']}, online, {' and '.join(chips)}"
        await trio.sleep(0.1)


async def see_camera(visit: Visit) -> str:
    """The MJPEG stream: distinct pictures, one after the other."""
    frames: list[bytes] = []
    began = trio.current_time()
    async with visit.client.request("GET", f"{visit.proxy}/api/camera/stream") as answer:
        _expect(answer.status == 200, f"the camera stream answered {answer.status}")
        boundary = b"--" + answer.headers["content-type"].partition("boundary=")[2].encode()
        buffer = b""
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                buffer += piece
                *whole, buffer = buffer.split(boundary)
                frames += [part.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") for part in whole if part.strip()]
                if len(frames) >= FRAMES:
                    break
    _expect(
        all(frame.startswith(b"\xff\xd8") and frame.endswith(b"\xff\xd9") for frame in frames), "not JPEG"
    )
    distinct = len(set(frames))
    _expect(distinct == len(frames), f"only {distinct} of {len(frames)} pictures are distinct")
    rate = len(frames) / (trio.current_time() - began)
    return f"{len(frames)} pictures, all distinct, {len(frames[0]) / 1000:.1f} kB each, {rate:.1f} a second"


async def see_snapshot(visit: Visit) -> str:
    """One picture, by the front-end's own path."""
    async with visit.client.request("GET", f"/api/camera/snapshot?device_id={visit.device_id}") as answer:
        picture = await answer.body()
        _expect(answer.status == 200, f"the snapshot answered {answer.status}")
        _expect(
            picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9"), "the snapshot is not a JPEG"
        )
        return f"{answer.headers.get('content-type')}, {len(picture)} bytes"


async def see_events(visit: Visit) -> str:
    """Server-sent events, each as it happens."""
    kinds: list[str] = []
    arrived: list[float] = []
    async with visit.client.request("GET", f"{visit.proxy}/api/events") as answer:
        _expect(answer.status == 200, f"the events answered {answer.status}")
        async with aclosing(answer.events()) as events:
            async for kind, _ in events:
                kinds.append(kind)
                arrived.append(trio.current_time())
                if len(kinds) == 3:
                    break
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrived)]
    _expect(min(gaps) > 0.1, "the events came all at once: somebody buffers them")
    return f"{', '.join(kinds)}; {' and '.join(f'{gap:.1f} s' for gap in gaps)} apart"


async def see_detections(visit: Visit) -> str:
    """The WebSocket of detections, by the front-end's own path."""
    site = visit.client.site
    url = f"ws://{site.authority}/ws/detections?device_id={visit.device_id}"
    headers = [(b"Authorization", f"Bearer {visit.client.token}".encode())]
    async with open_websocket_url(url, extra_headers=headers) as websocket:
        seen = [json.loads(await websocket.get_message()) for _ in range(DETECTIONS)]
    numbers = [each["frame"] for each in seen]
    _expect(numbers == sorted(set(numbers)), f"frames out of order: {numbers}")
    places = [
        (each["objects"][0]["boundingBox"]["x"], each["objects"][0]["boundingBox"]["y"]) for each in seen
    ]
    _expect(len(set(places)) > 1, "the box does not move")
    return f"{len(seen)} messages, a box from {places[0]} to {places[-1]}"


async def scan(visit: Visit) -> str:
    """The scan is forwarded."""
    found = await visit.client.call("POST", f"{visit.verbs}/scan")
    return f"found {', '.join(one['id'] for one in found)}"


async def connect(visit: Visit) -> str:
    """An accelerator is connected."""
    return await _verb(visit, "connect", "connected")


async def flash(visit: Visit) -> str:
    """Flashing reports its progress while it goes on."""
    progress: list[int] = []
    arrived: list[float] = []
    last: Any = None
    async with visit.client.request("POST", f"{visit.verbs}/flash?accelerator={ACCELERATOR}") as answer:
        _expect(answer.status == 200, f"flash answered {answer.status}")
        async with aclosing(answer.events()) as events:
            async for kind, last in events:
                if kind == "progress":
                    progress.append(last["progress"])
                    arrived.append(trio.current_time())
    _expect(progress == sorted(progress) and progress[-1:] == [100], f"odd progress: {progress}")
    _expect(arrived[-1] - arrived[0] > 0.5, "the progress came all at once: somebody buffers it")
    return f"{progress[0]} % to {progress[-1]} % in {len(progress)} steps, then {last['status']} with {last['model']}"


async def infer(visit: Visit) -> str:
    """Inference starts and stops, and the accelerator is let go."""
    started = await _verb(visit, "inference/start", "inferencing")
    stopped = await _verb(visit, "inference/stop", "connected")
    return f"{started}, then {stopped}, then {await _verb(visit, 'disconnect', 'detected')}"


async def refuse_strangers(visit: Visit) -> str:
    """Without a good token there is nothing to see."""
    await Client(visit.client.site, "vAp_" + "0" * 64).call("GET", f"{visit.proxy}/", expect=401)
    return "401 for a token that nobody made"


async def see_sign_in(visit: Visit) -> str:
    """A person signs in by the one-use link, in a browser, and out again."""
    browser = Browser(visit.client.site)
    seen = (
        await sign_in(browser, visit.sign_in_link),
        await use_session(browser, visit.verbs),
        await sign_out(browser),
    )
    return "; ".join(seen)


CHECKS: tuple[tuple[str, Check], ...] = (
    ("device", see_device),
    ("camera stream", see_camera),
    ("snapshot", see_snapshot),
    ("events", see_events),
    ("detections", see_detections),
    ("scan", scan),
    ("connect", connect),
    ("flash", flash),
    ("inference", infer),
    ("sign-in", see_sign_in),
    ("strangers", refuse_strangers),
)


async def _verb(visit: Visit, verb: str, status: str) -> str:
    answer = await visit.client.call("POST", f"{visit.verbs}/{verb}?accelerator={ACCELERATOR}")
    _expect(answer["status"] == status, f"{verb} left it {answer['status']}, not {status}")
    return f"{answer['id']} {answer['status']}"


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Unexpected(otherwise)
