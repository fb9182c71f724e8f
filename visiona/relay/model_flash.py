"""Has a device write a model that it holds onto one of its accelerators, and sees what came of it.

Agents answer `POST /api/devices/{id}/flash` in two manners: with its progress as server-sent events, or at once; then
the accelerator is asked after until it is done.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from urllib.parse import quote

import trio

from visiona.domain.devices import Accelerator, AcceleratorStatus
from visiona.domain.errors import DeviceBroke, DeviceTooSlow
from visiona.relay.agent_request import AgentAnswer, Request, answer_of, asked
from visiona.relay.agent_words import accelerators
from visiona.relay.model_push import WrongDigest, json_request, payload, refused
from visiona.relay.registry import LiveTunnel

FLASH_SECONDS = 300.0
"""For all of it. Connecting a KL520 alone takes up to 106 s on some hosts."""

ASK_AGAIN_SECONDS = 1.0
MAX_LINE_BYTES = 16 * 1024
EVENT_IDLE_SECONDS = 120.0

Progress = Callable[[int], None]
"""Told the percentage."""


class Busy(Exception):
    """The accelerator does something else now."""


async def look(live: LiveTunnel, local_id: str) -> tuple[Accelerator | None, str | None]:
    """The accelerator as the device tells of it now, and the digest of the model on it, from a device that says."""
    status, said = await answer_of(live, Request("GET", "/api/devices"))
    found = accelerators(said) if status == 200 else None
    if found is None:
        raise DeviceBroke(f"the device does not say what accelerators it has (status {status})")
    return next((one for one in found if one.local_id == local_id), None), _digest_of(said, local_id)


async def flash(live: LiveTunnel, local_id: str, model_id: str, sha256: str, progress: Progress) -> None:
    """Returns when the model is on the accelerator.

    Raises:
        TunnelLost: it may have been written or not; look, when the device is back.
        Busy: the accelerator does something else.
        DeviceBroke, DeviceTooSlow: the device refuses, fails, or is not done in time.
        WrongDigest: the device says that another model is on it (M-10).
    """
    with trio.move_on_after(FLASH_SECONDS):
        await _connected(live, local_id)
        path = f"/api/devices/{quote(local_id, safe='')}/flash"
        request = json_request(
            "POST", path, {"modelId": model_id, "sha256": sha256}, answer_seconds=FLASH_SECONDS
        )
        async with asked(live, request, idle_seconds=EVENT_IDLE_SECONDS) as answer:
            if answer.status == 409:
                raise Busy("the accelerator does something else now; try again when that has ended")
            if answer.status // 100 != 2:
                raise refused(answer.status, await answer.json(), "does not write the model")
            if answer.content_type == "text/event-stream":
                await _follow(answer, progress)
        await _done(live, local_id, sha256)
        return
    raise DeviceTooSlow(f"the accelerator was not done within {FLASH_SECONDS:.0f} seconds")


async def settled(live: LiveTunnel, local_id: str) -> str | None:
    """Waits until the accelerator is not written to any more; the digest of what is on it, from a device that says.

    Raises:
        DeviceTooSlow: that takes too long.
    """
    with trio.move_on_after(FLASH_SECONDS):
        while True:
            one, digest = await look(live, local_id)
            if one is None or one.status is not AcceleratorStatus.FLASHING:
                return digest
            await trio.sleep(ASK_AGAIN_SECONDS)
    raise DeviceTooSlow(f"the accelerator was not done within {FLASH_SECONDS:.0f} seconds")


async def _connected(live: LiveTunnel, local_id: str) -> None:
    one, _ = await look(live, local_id)
    if one is None:
        raise DeviceBroke(f"the accelerator {local_id} is not there any more")
    if one.status in {AcceleratorStatus.INFERENCING, AcceleratorStatus.FLASHING}:
        raise Busy(f"the accelerator {local_id} is {one.status.value}; stop that first")
    if one.status is AcceleratorStatus.DETECTED:
        path = f"/api/devices/{quote(local_id, safe='')}/connect"
        status, said = await answer_of(live, json_request("POST", path, {}, answer_seconds=FLASH_SECONDS))
        if status // 100 != 2:
            raise refused(status, said, f"cannot connect {local_id}")


async def _follow(answer: AgentAnswer, progress: Progress) -> None:
    """Reads the events to their end; one that says error is one."""
    kind, line = "", b""
    async with aclosing(answer.pieces()) as pieces:
        async for piece in pieces:
            *lines, line = (line + piece).split(b"\n")
            if len(line) > MAX_LINE_BYTES:
                raise DeviceBroke("the device's events have no end")
            for one in lines:
                name, _, value = one.decode("utf-8", "replace").rstrip("\r").partition(":")
                if name == "event":
                    kind = value.strip()
                elif name == "data":
                    _event(kind, _parsed(value), progress)


def _event(kind: str, said: Mapping[str, object], progress: Progress) -> None:
    if kind == "error" or said.get("status") == "error":
        raise refused(200, {"error": said}, "could not write the model")
    percent = said.get("progress", said.get("percent"))
    if isinstance(percent, (int, float)) and not isinstance(percent, bool) and 0 <= percent <= 100:
        progress(int(percent))


async def _done(live: LiveTunnel, local_id: str, sha256: str) -> None:
    """Waits until the accelerator is done, and checks what is on it, where the device tells."""
    while True:
        one, digest = await look(live, local_id)
        if one is None:
            raise DeviceBroke(f"the accelerator {local_id} went away while it was written")
        if one.status is AcceleratorStatus.ERROR:
            raise DeviceBroke(f"the accelerator {local_id} says that writing failed")
        if one.status is not AcceleratorStatus.FLASHING:
            break
        await trio.sleep(ASK_AGAIN_SECONDS)
    if digest is not None and digest != sha256:
        raise WrongDigest(
            "the device says that another model is on the accelerator than the one that was sent"
        )


def _digest_of(said: object, local_id: str) -> str | None:
    items = said.get("data", said) if isinstance(said, Mapping) else said
    if isinstance(items, Mapping):
        items = items.get("devices")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, Mapping) and str(item.get("id")) == local_id:
            digest = item.get("modelSha256")
            return digest.lower() if isinstance(digest, str) else None
    return None


def _parsed(text: str) -> Mapping[str, object]:
    try:
        return payload(json.loads(text))
    except (ValueError, RecursionError):
        return {}
