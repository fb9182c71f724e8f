"""Brings a model's file to a device, by what the device understands.

The way that every agent knows: one `POST /api/models/upload` with the file as a form's field `file`. A device whose
`GET /api/system/info` says `modelUploads` takes ranges: several streams at a time, because an agent's receive window
of 256 KiB is all that one may carry in a round trip, and what has come stays there when the tunnel is lost.
"""

import json
import math
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

import trio

from visiona.domain.errors import DeviceBroke, VisionaError
from visiona.domain.models import Model
from visiona.relay.agent_request import ANSWER_SECONDS, Request, TunnelLost, answer_of
from visiona.relay.registry import LiveTunnel
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.interfaces import File

MAX_STREAMS = 4
"""At 100 ms four carry 10 MB/s; more would take the room of people's requests."""

MIN_PART_BYTES = 256 * 1024
MAX_PART_BYTES = 4 * 1024 * 1024
"""Of one request: at each one's end a round trip is spent on its answer."""

MAX_RANGES = 4096
NO_ROOM = 507
NOT_THAT_FILE = 422
INFO_PATH = "/api/system/info"
UPLOAD_PATH = "/api/models/upload"

Told = Callable[[int], None]
"""Told how much of the file is on its way or there."""


class WrongDigest(Exception):
    """The device says that it has another file than the one that was sent (M-10)."""


class DeviceFull(DeviceBroke):
    """The device has no room for the model."""


class Span(NamedTuple):
    """Bytes of a file; the end is not within."""

    start: int
    end: int


async def stream_count(live: LiveTunnel) -> int:
    """How many ranges the device takes at a time; 0 for one that knows whole uploads only."""
    status, info = await answer_of(live, Request("GET", INFO_PATH))
    said = payload(info).get("modelUploads") if status == 200 else None
    count = said.get("maxStreams") if isinstance(said, Mapping) else None
    if isinstance(count, int) and not isinstance(count, bool) and count > 0:
        return min(count, MAX_STREAMS)
    return 0


async def push(live: LiveTunnel, model: Model, file: File, streams: int, told: Told) -> str:
    """Brings the file, or what is missing of it; gives the device's own id for the model.

    Args:
        streams: see `stream_count`.

    Raises:
        TunnelLost: the rest can be brought when the device is back.
        DeviceBroke, DeviceTooSlow: the device refuses it, or does not answer as it should.
        WrongDigest: it came there as something else.
        StoreUnavailable: the file cannot be read here.
    """
    if streams:
        return await _push_ranges(live, model, file, streams, told)
    return await _push_whole(live, model, file, told)


# --- as a form, for every agent ---------------------------------------------------------------------------------


async def _push_whole(live: LiveTunnel, model: Model, file: File, told: Told) -> str:
    boundary = f"visiona-{secrets.token_hex(16)}"
    before, after = _form(model, boundary)

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield before
        sent = 0
        async with aclosing(file.read()) as read:
            async for piece in read:
                yield piece
                sent += len(piece)
                told(sent)
        yield after

    told(0)
    length = len(before) + file.ref.size + len(after)
    fields = [("Content-Type", f"multipart/form-data; boundary={boundary}")]
    status, said = await answer_of(live, Request("POST", UPLOAD_PATH, fields, length, pieces()))
    return _id_of(status, said, file)


def _form(model: Model, boundary: str) -> tuple[bytes, bytes]:
    texts = {
        "name": model.name,
        "version": model.version,
        "targetChips": ",".join(model.target_chips),
        "sha256": model.sha256,
    }
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{_one_line(text)}\r\n'
        for name, text in texts.items()
    ]
    # A name of ours: what somebody called the model is no part of a path anywhere (M-01).
    head = f'Content-Disposition: form-data; name="file"; filename="{model.sha256[:16]}.nef"'
    parts.append(f"--{boundary}\r\n{head}\r\nContent-Type: application/octet-stream\r\n\r\n")
    return "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --- in ranges --------------------------------------------------------------------------------------------------


class _Ranges:
    """The parts that are still missing, taken by several senders."""

    def __init__(self, file: File, missing: list[Span], streams: int, told: Told) -> None:
        self._left = _parts(missing, streams)
        self._sent = file.ref.size - sum(span.end - span.start for span in missing)
        self._file = file
        self._told = told
        self.failures: list[Exception] = []
        self.size = file.ref.size
        told(self._sent)

    async def send(self, live: LiveTunnel, path: str, scope: trio.CancelScope) -> None:
        """Sends part after part, until there is none or somebody failed."""
        while self._left:
            span = self._left.pop(0)
            try:
                await self._send_one(live, path, span)
            except (TunnelLost, VisionaError, StoreUnavailable) as error:
                self.failures.append(error)
                scope.cancel()
                return

    async def _send_one(self, live: LiveTunnel, path: str, span: Span) -> None:
        length = span.end - span.start
        said = f"bytes {span.start}-{span.end - 1}/{self._file.ref.size}"
        fields = [("Content-Range", said), ("Content-Type", "application/octet-stream")]
        request = Request("PUT", path, fields, length, self._pieces(span.start, length))
        status, answer = await answer_of(live, request)
        if status // 100 != 2:
            raise refused(status, answer, "takes no more of the model")

    async def _pieces(self, start: int, length: int) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._file.read(start, length)) as read:
            async for piece in read:
                yield piece
                self._sent += len(piece)
                self._told(self._sent)


async def _push_ranges(live: LiveTunnel, model: Model, file: File, streams: int, told: Told) -> str:
    path = f"/api/models/uploads/{file.ref.sha256}"
    gaps = missing(await _received(live, path), file.ref.size)
    status, said = await _bring(live, path, model, _Ranges(file, gaps, streams, told), streams)
    whole = [Span(0, file.ref.size)]
    if status == NOT_THAT_FILE and gaps != whole:
        # What was there before was damaged, or never was: without this it would stand in the way for ever.
        status, said = await _bring(live, path, model, _Ranges(file, whole, streams, told), streams)
    if status == NOT_THAT_FILE:
        raise WrongDigest(f"the device says of what it received: {_words(said)}")
    return _id_of(status, said, file)


async def _bring(
    live: LiveTunnel, path: str, model: Model, ranges: _Ranges, streams: int
) -> tuple[int, object]:
    """Sends the ranges, and has the device look at what has become of them."""
    async with trio.open_nursery() as nursery:
        for _ in range(streams):
            nursery.start_soon(ranges.send, live, path, nursery.cancel_scope)
    if ranges.failures:
        raise ranges.failures[0]
    words = {
        "name": model.name,
        "version": model.version,
        "targetChips": list(model.target_chips),
        "size": ranges.size,
    }
    return await answer_of(live, json_request("POST", f"{path}/finish", words))


async def _received(live: LiveTunnel, path: str) -> list[Span]:
    status, said = await answer_of(live, Request("GET", path))
    found = payload(said).get("received") if status == 200 else None
    spans = found[:MAX_RANGES] if isinstance(found, list) else []
    return [
        Span(one[0], one[1])
        for one in spans
        if isinstance(one, list) and len(one) == 2 and all(type(edge) is int for edge in one)
    ]


def missing(received: list[Span], size: int) -> list[Span]:
    """What of the file is not there; whatever a device says, it lies within the file."""
    gaps, at = [], 0
    for span in sorted(received):
        start, end = max(0, span.start), min(size, span.end)
        if start > at and end > start:
            gaps.append(Span(at, start))
        at = max(at, end) if end > start else at
    return [*gaps, Span(at, size)] if at < size else gaps


def _parts(spans: list[Span], streams: int) -> list[Span]:
    total = sum(span.end - span.start for span in spans)
    step = min(MAX_PART_BYTES, max(MIN_PART_BYTES, math.ceil(total / streams)))
    return [Span(at, min(at + step, span.end)) for span in spans for at in range(span.start, span.end, step)]


# --- what a device says -----------------------------------------------------------------------------------------


def json_request(method: str, path: str, words: object, *, answer_seconds: float = ANSWER_SECONDS) -> Request:
    """A request with a short body."""
    body = json.dumps(words).encode()

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield body

    fields = [("Content-Type", "application/json")]
    return Request(method, path, fields, len(body), pieces(), answer_seconds)


def payload(said: object) -> Mapping[str, object]:
    """What the envelope holds, or the answer itself; nothing for what is no object."""
    inner = said.get("data", said) if isinstance(said, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _id_of(status: int, said: object, file: File) -> str:
    if status // 100 != 2:
        raise refused(status, said, "refuses the model")
    fields = payload(said)
    digest = next((fields[name] for name in ("sha256", "checksum", "hash") if name in fields), None)
    if isinstance(digest, str) and digest.lower() != file.ref.sha256:
        raise WrongDigest("the device says that it has another file than the one that was sent")
    found = next(
        (fields[name] for name in ("id", "modelId", "model_id") if fields.get(name)), file.ref.sha256
    )
    return str(found)[:256]


def refused(status: int, said: object, what: str) -> DeviceBroke:
    """What becomes of an answer that is a refusal."""
    if status == NO_ROOM:
        return DeviceFull(f"the device has no room for the model: {_words(said)}", details={"status": status})
    return DeviceBroke(f"the device {what}: it answered {status}, {_words(said)}", details={"status": status})


def _words(said: object) -> str:
    """An agent's own sentence, for a person to read; nobody relies on it."""
    error = said.get("error") if isinstance(said, Mapping) else None
    text = error.get("message") if isinstance(error, Mapping) else error
    shown = "".join(c if c.isprintable() else " " for c in text[:200]) if isinstance(text, str) else ""
    return repr(shown) if shown else "without a reason"
