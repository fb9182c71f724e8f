"""The sample unit's local HTTP service, in the shape of the tool that runs on real units."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from urllib.parse import urlsplit

import trio
from quart import Response, jsonify, request, websocket
from quart_trio import QuartTrio

from visiona.agent.sample.accelerators import Accelerator, Accelerators, Refused
from visiona.agent.sample.camera import FRAMES_PER_SECOND, HEIGHT, WIDTH, detections, frame
from visiona.agent.sample.model_routes import MAX_STREAMS, add_model_routes
from visiona.agent.sample.models import Models

BOUNDARY = "frame"
HEARTBEAT_SECONDS = 1.0

PAGE = """<!doctype html><meta charset="utf-8"><title>visiona sample unit</title>
<style>body{font:16px sans-serif;margin:2rem;max-width:40rem}img{width:100%;image-rendering:pixelated}</style>
<h1>Sample edge unit</h1><p>A synthetic camera. Everything on this page came out of the unit.</p>
<img src="api/camera/stream" alt="the camera, live"><p><a href="api/devices">accelerators</a></p>
"""


def build_site() -> QuartTrio:
    """The application; its accelerators live and die with it."""
    site = QuartTrio("visiona-sample-unit")
    accelerators, models = Accelerators(), Models()
    site.before_request(_refuse_strange_origins)
    site.register_error_handler(Refused, _refusal)
    _add_camera(site)
    _add_events(site, accelerators)
    _add_devices(site, accelerators)
    _add_verbs(site, accelerators, models)
    add_model_routes(site, models)
    return site


async def _refuse_strange_origins() -> tuple[Response, int] | None:
    """The real tool answers pages of this very machine only; a relay has to take care of that."""
    origin = request.headers.get("Origin")
    if origin is None or urlsplit(origin).hostname in ("localhost", "127.0.0.1", "::1"):
        return None
    return _error("this origin may not use the local tool", 403, "FORBIDDEN")


async def _refusal(refused: Refused) -> tuple[Response, int]:
    return _error(str(refused), refused.status, refused.code)


def _error(message: str, status: int, code: str) -> tuple[Response, int]:
    return jsonify({"success": False, "error": {"code": code, "message": message}}), status


def _data(data: object) -> Response:
    return jsonify({"success": True, "data": data})


def frame_number() -> int:
    """Which frame the camera shows now."""
    return int(trio.current_time() * FRAMES_PER_SECOND)


async def _each_frame() -> AsyncIterator[int]:
    while True:
        number = frame_number()
        yield number
        await trio.sleep_until((number + 1) / FRAMES_PER_SECOND)


def _streamed(parts: AsyncIterator[bytes], content_type: str) -> Response:
    response = Response(parts, content_type=content_type, headers={"Cache-Control": "no-store"})
    # Quart ends an answer after 60 s unless it is told that this one has no end.
    response.timeout = None
    return response


def _add_camera(site: QuartTrio) -> None:
    async def mjpeg() -> AsyncIterator[bytes]:
        async for number in _each_frame():
            picture = frame(number)
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            yield head.encode() + picture + b"\r\n"

    @site.get("/")
    async def page() -> Response:
        return Response(PAGE, content_type="text/html; charset=utf-8")

    @site.get("/api/camera/stream")
    async def stream() -> Response:
        return _streamed(mjpeg(), f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    @site.get("/api/camera/snapshot")
    async def snapshot() -> Response:
        return Response(
            frame(frame_number()), content_type="image/jpeg", headers={"Cache-Control": "no-store"}
        )

    @site.websocket("/ws/detections")
    async def detect() -> None:
        async for number in _each_frame():
            await websocket.send(json.dumps(detections(number)))


def _add_events(site: QuartTrio, accelerators: Accelerators) -> None:
    async def events() -> AsyncIterator[bytes]:
        with accelerators.listen() as changes:
            yield _event("hello", {"accelerators": accelerators.shown()})
            while True:
                change: dict[str, object] | None = None
                with trio.move_on_after(HEARTBEAT_SECONDS):
                    change = await changes.receive()
                yield (
                    _event("device", change)
                    if change is not None
                    else _event("heartbeat", {"frame": frame_number()})
                )

    @site.get("/api/events")
    async def stream_events() -> Response:
        return _streamed(events(), "text/event-stream")


def _event(kind: str, data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def _add_devices(site: QuartTrio, accelerators: Accelerators) -> None:
    @site.get("/api/health")
    async def health() -> Response:
        return jsonify({"status": "ok"})

    @site.get("/api/system/info")
    async def info() -> Response:
        camera = {"width": WIDTH, "height": HEIGHT, "framesPerSecond": FRAMES_PER_SECOND}
        return _data(
            {
                "name": "visiona sample unit",
                "version": "1.0.0",
                "platform": "synthetic",
                "camera": camera,
                "modelUploads": {"maxStreams": MAX_STREAMS},
            }
        )

    @site.get("/api/devices")
    async def devices() -> Response:
        return _data(accelerators.shown())

    @site.post("/api/devices/scan")
    async def scan() -> Response:
        return _data(accelerators.shown())


def _add_verbs(site: QuartTrio, accelerators: Accelerators, models: Models) -> None:
    @site.post("/api/devices/<accelerator_id>/connect")
    async def connect(accelerator_id: str) -> Response:
        return _data((await accelerators.connect(accelerator_id)).shown())

    @site.post("/api/devices/<accelerator_id>/disconnect")
    async def disconnect(accelerator_id: str) -> Response:
        return _data(accelerators.disconnect(accelerator_id).shown())

    @site.post("/api/devices/<accelerator_id>/inference/start")
    async def start(accelerator_id: str) -> Response:
        return _data(accelerators.inference(accelerator_id, start=True).shown())

    @site.post("/api/devices/<accelerator_id>/inference/stop")
    async def stop(accelerator_id: str) -> Response:
        return _data(accelerators.inference(accelerator_id, start=False).shown())

    @site.post("/api/devices/<accelerator_id>/flash")
    async def flash(accelerator_id: str) -> Response:
        accelerators.need(accelerator_id, "connected")
        said = await request.get_json(force=True, silent=True)
        steps = accelerators.flash(accelerator_id)
        if isinstance(said, dict) and "modelId" in said:
            held = models.model(said["modelId"])
            steps = accelerators.flash(accelerator_id, held.name, str(said["modelId"]))
        return _streamed(_flash_progress(steps), "text/event-stream")


async def _flash_progress(flashing: AsyncGenerator[Accelerator, None]) -> AsyncIterator[bytes]:
    async with aclosing(flashing) as steps:
        async for step in steps:
            yield _event("progress" if step.status == "flashing" else "done", step.shown())
