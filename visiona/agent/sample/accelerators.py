"""The synthetic accelerators: what the local tool would know of Kneron dongles, and what it lets one do with them.

Answers have the shape of the local tool: camelCase, and errors with a code. Progress and changes are told to
whoever listens; nobody listening costs nothing.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import trio

CONNECT_SECONDS = 0.2
FLASH_SECONDS = 1.5
FLASH_STEPS = 10

LISTENER_EVENTS = 64
"""A listener that does not read loses events, not the accelerators their time."""


class Refused(Exception):
    """The accelerator is unknown, or cannot do this now.

    Attributes:
        status: the HTTP status that says so.
        code: the word for programs.
    """

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One dongle as the local tool shows it."""

    id: str
    type: str
    port: str
    status: str = "detected"
    firmware_version: str = "2.2.0"
    model: str | None = None
    progress: int | None = None
    model_sha256: str | None = None

    def shown(self) -> dict[str, object]:
        """Its JSON."""
        return {
            "id": self.id,
            "name": f"Kneron {self.type} (synthetic)",
            "type": self.type,
            "port": self.port,
            "status": self.status,
            "firmwareVersion": self.firmware_version,
            "model": self.model,
            "progress": self.progress,
            "modelSha256": self.model_sha256,
        }


class Accelerators:
    """All of them. One owner: the routes call, nobody else writes."""

    def __init__(self) -> None:
        self._all = {
            one.id: one
            for one in (
                Accelerator("kl520-0", "KL520", "usb-1-1"),
                Accelerator("kl720-0", "KL720", "usb-1-2"),
            )
        }
        self._listeners: list[trio.MemorySendChannel[dict[str, object]]] = []

    def shown(self) -> list[dict[str, object]]:
        """All of them as JSON."""
        return [one.shown() for one in self._all.values()]

    def get(self, accelerator_id: str) -> Accelerator:
        """Raises Refused for an unknown id."""
        one = self._all.get(accelerator_id)
        if one is None:
            raise Refused(f"no accelerator {accelerator_id!r} here", status=404, code="NOT_FOUND")
        return one

    async def connect(self, accelerator_id: str) -> Accelerator:
        """Connecting loads the firmware, which takes its time."""
        self.need(accelerator_id, "detected", "connected")
        await trio.sleep(CONNECT_SECONDS)
        return self._put(replace(self.get(accelerator_id), status="connected"))

    def disconnect(self, accelerator_id: str) -> Accelerator:
        """Whatever it was doing ends."""
        self.get(accelerator_id)
        return self._put(
            replace(self.get(accelerator_id), status="detected", model=None, model_sha256=None, progress=None)
        )

    async def flash(
        self, accelerator_id: str, model: str = "sample-detector", sha256: str | None = None
    ) -> AsyncGenerator[Accelerator, None]:
        """Writes a model, and yields at each step. Left early, the dongle is as it was."""
        before = self.need(accelerator_id, "connected")
        done = False
        try:
            for step in range(FLASH_STEPS + 1):
                yield self._put(
                    replace(self.get(accelerator_id), status="flashing", progress=100 * step // FLASH_STEPS)
                )
                await trio.sleep(FLASH_SECONDS / FLASH_STEPS)
            done = True
        finally:
            there = (model, sha256) if done else (before.model, before.model_sha256)
            self._put(
                replace(
                    self.get(accelerator_id),
                    status="connected",
                    progress=None,
                    model=there[0],
                    model_sha256=there[1],
                )
            )
        yield self.get(accelerator_id)

    def inference(self, accelerator_id: str, *, start: bool) -> Accelerator:
        """Starts or stops it; the accelerator has to be connected."""
        self.need(accelerator_id, "connected", "inferencing")
        return self._put(replace(self.get(accelerator_id), status="inferencing" if start else "connected"))

    @contextmanager
    def listen(self) -> Iterator[trio.MemoryReceiveChannel[dict[str, object]]]:
        """The changes from now on, until the block is left."""
        send, receive = trio.open_memory_channel[dict[str, object]](LISTENER_EVENTS)
        self._listeners.append(send)
        try:
            yield receive
        finally:
            self._listeners.remove(send)
            receive.close()

    def need(self, accelerator_id: str, *statuses: str) -> Accelerator:
        """The accelerator, if it is in one of these states; raises Refused."""
        one = self.get(accelerator_id)
        if one.status not in statuses:
            raise Refused(
                f"{one.id} is {one.status}, not {' or '.join(statuses)}", status=409, code="CONFLICT"
            )
        return one

    def _put(self, one: Accelerator) -> Accelerator:
        self._all[one.id] = one
        for listener in self._listeners:
            try:
                listener.send_nowait(one.shown())
            except trio.WouldBlock:
                continue  # the bound of LISTENER_EVENTS
        return one
