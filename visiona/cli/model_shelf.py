"""Where models are, as the command line sees it: on this machine, or on a server somewhere."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import trio

from visiona.cli.output import CommandError
from visiona.cli.progress import RowProgress

READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """What a person says of a model; the file says the rest."""

    name: str
    version: str
    chips: tuple[str, ...]
    description: str | None = None
    license: str | None = None
    workspace_id: str | None = None


class Shelf(Protocol):
    """Models are shown as the API shows them."""

    async def push(self, path: Path, facts: Facts) -> Mapping[str, Any]:
        """Brings a file; the model is ready when this returns, or was before."""
        ...

    async def list(self) -> Sequence[Mapping[str, Any]]:
        """Those that can be seen from here."""
        ...

    async def remove(self, model_id: str) -> None:
        """Deletes one and its file."""
        ...


async def pieces_of(path: Path, start: int = 0) -> AsyncGenerator[bytes, None]:
    """A file from a byte on, piece by piece; close it."""
    async with await trio.open_file(path, "rb") as file:
        await file.seek(start)
        while piece := await file.read(READ_BYTES):
            yield piece


async def measured(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file, with progress; raises OSError, and CommandError for an empty one."""
    size = (await trio.Path(path).stat()).st_size
    if size == 0:
        raise CommandError(f"{path} is empty", code="VALIDATION_FAILED")
    progress, digest = RowProgress("reading", unit="bytes"), hashlib.sha256()
    progress.begin(size)
    async with aclosing(pieces_of(path)) as pieces:
        async for piece in pieces:
            digest.update(piece)
            progress.step(len(piece))
    progress.end()
    return size, digest.hexdigest()
