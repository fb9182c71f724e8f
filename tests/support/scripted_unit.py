"""A unit at the far end of a tunnel that speaks as local tools do, and as the test wants it to."""

import json
from dataclasses import dataclass, field
from typing import Any

import h11
import trio
from visiona.tunnel.byte_stream import TunnelStream
from visiona.tunnel.errors import TunnelClosed
from visiona.tunnel.session import Tunnel

from tests.web.device_rig import Request, finish

KL720 = {"id": "kl720-0", "type": "KL720", "status": "connected"}


@dataclass
class ScriptedUnit:
    """What it is, and what it was asked.

    Attributes:
        uploads: what `GET /api/system/info` says of it; None for a unit that does not know of any such thing.
        answers: (method, path) → status and JSON, in place of its own.
        hold: method and path that get no answer until it is set.
    """

    accelerators: list[dict[str, Any]] = field(default_factory=lambda: [dict(KL720)])
    uploads: dict[str, Any] | None = None
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    hold: dict[tuple[str, str], trio.Event] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    async def serve(self, agent: Tunnel) -> None:
        """Answers until the tunnel ends."""
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    nursery.start_soon(self._one, await agent.accept())
                except TunnelClosed:
                    return

    async def _one(self, stream: TunnelStream) -> None:
        try:
            request = await Request(stream).read_head()
            key = (request.head.method.decode(), request.head.target.decode())
            self.asked.append(key)
            if key in self.answers and self.answers[key][0] == 413:
                # It does not wait for what it does not want.
                await self._say(stream, *self.answers[key])
                return
            await _rest(request)
            self.bodies[key[1]] = request.body
            self.said = request.headers
            if key in self.hold:
                await self.hold[key].wait()
            await self._say(stream, *self.answers.get(key, self._own(*key)))
        except trio.BrokenResourceError:
            return

    def _own(self, method: str, path: str) -> tuple[int, Any]:
        if path == "/api/system/info":
            return 200, {"data": {"version": "1"} | ({"modelUploads": self.uploads} if self.uploads else {})}
        if path == "/api/devices":
            return 200, {"data": self.accelerators}
        if path == "/api/models/upload":
            return 200, {"data": {"id": "model-7"}}
        if path.endswith(("/flash", "/connect")):
            return 200, {"success": True}
        if path.endswith("/finish"):
            return 200, {"data": {"id": path.split("/")[-2], "sha256": path.split("/")[-2]}}
        return (200, {}) if method == "PUT" else (404, {"error": {"message": "not here"}})

    async def _say(self, stream: TunnelStream, status: int, said: Any) -> None:
        body = json.dumps(said).encode()
        await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        await finish(stream)


async def _rest(request: Request) -> None:
    while piece := await _piece_or_none(request):
        request.body += piece


async def _piece_or_none(request: Request) -> bytes | None:
    event = await request._next()
    return bytes(event.data) if isinstance(event, h11.Data) else None
