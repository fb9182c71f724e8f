"""The sample unit's models: files that were brought to it, whole or in ranges, and checked before they count.

Ranges may come in any order, several at a time, and again; what has come stays until the unit ends. A file is a model
once its digest is what its sender said. They lie in a folder that goes with the unit.
"""

import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import trio

from visiona.agent.sample.accelerators import Refused

MAX_MODEL_BYTES = 256 * 1024 * 1024
MAX_FILES = 8
"""Those that have come and those on their way; the oldest makes room."""

READ_BYTES = 256 * 1024

_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file; the end is not within."""

    start: int
    end: int


def span_of(content_range: str | None) -> tuple[Span, int]:
    """What of a file comes, and how long all of it is; raises Refused."""
    found = _RANGE.fullmatch(content_range or "")
    first, last, size = map(int, found.groups()) if found else (0, 0, 0)
    if not found or not first <= last < size <= MAX_MODEL_BYTES:
        raise Refused("say which bytes of which size in Content-Range", status=400, code="VALIDATION_FAILED")
    return Span(first, last + 1), size


def joined(spans: list[Span]) -> list[Span]:
    """The same bytes in as few spans as there can be, in order."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if out and span.start <= out[-1].end:
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out


class Held:
    """One file, on its way or there."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.spans: list[Span] = []
        self.is_checked = False
        self.name = ""

    @property
    def is_whole(self) -> bool:
        """Whether every byte has come."""
        return self.spans == [Span(0, self.size)]


class Models:
    """All of them, by their digests."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._held: dict[str, Held] = {}

    def received(self, sha256: str) -> Held:
        """What has come of a file; raises Refused where nothing has."""
        held = self._held.get(sha256)
        if held is None:
            raise Refused("nothing of this file is here", status=404, code="NOT_FOUND")
        return held

    def model(self, model_id: object) -> Held:
        """One that is there and was checked."""
        held = self._held.get(str(model_id))
        if held is None or not held.is_checked:
            raise Refused(f"no model {str(model_id)[:80]!r} here", status=404, code="NOT_FOUND")
        return held

    async def write(self, sha256: str, span: Span, size: int, pieces: AsyncIterator[bytes]) -> Held:
        """Takes some bytes of a file; what comes before the sender is lost stays."""
        held = self._begun(sha256, size)
        at = span.start
        if held.is_checked:
            async for _ in pieces:
                pass
            return held
        async with await trio.open_file(held.path, "r+b") as file:
            await file.seek(at)
            async for piece in pieces:
                if at + len(piece) > span.end:
                    raise Refused("more came than was said", status=400, code="VALIDATION_FAILED")
                await file.write(piece)
                await file.flush()
                held.spans = joined([*held.spans, Span(at, at + len(piece))])
                at += len(piece)
        if at < span.end:
            raise Refused("less came than was said", status=400, code="VALIDATION_FAILED")
        return held

    async def finish(self, sha256: str, name: str) -> Held:
        """Makes a model of a file that has come; raises Refused, and forgets it, where it is another one."""
        held = self.received(sha256)
        if not held.is_whole:
            raise Refused("not all of it has come", status=409, code="CONFLICT")
        if not held.is_checked:
            digest = await trio.to_thread.run_sync(_digest, held.path)
            if digest != sha256:
                self._forget(sha256)
                raise Refused(f"its digest is {digest}", status=422, code="DIGEST_MISMATCH")
            held.is_checked = True
        held.name = name[:128]
        return held

    def _begun(self, sha256: str, size: int) -> Held:
        if not _SHA256.fullmatch(sha256):
            raise Refused("a file is named by its SHA-256", status=400, code="VALIDATION_FAILED")
        held = self._held.get(sha256)
        if held is not None and held.size != size:
            raise Refused(f"the file of this digest has {held.size} bytes", status=409, code="CONFLICT")
        if held is None:
            while len(self._held) >= MAX_FILES:
                self._forget(next(iter(self._held)))
            held = self._held[sha256] = Held(self._made_folder() / sha256, size)
            held.path.touch()
        return held

    def _made_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="visiona-sample-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def _forget(self, sha256: str) -> None:
        os.unlink(self._held.pop(sha256).path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
