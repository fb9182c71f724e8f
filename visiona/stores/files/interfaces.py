"""What every file store promises; tests/stores/files holds them to it.

A file is named by its key, which the server makes up, and never changes: another content has another key. It is there
whole or not at all. Nothing here knows whose it is or looks at what is in it.

Every call may raise StoreUnavailable. All of it may be cancelled at any moment: what had come of an upload stays and
can be continued.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

PIECE_BYTES = 64 * 1024
"""No piece that is read is longer: it is what one reader holds in memory."""

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{7,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Known = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Which of these keys somebody still refers to."""


@dataclass(frozen=True, slots=True)
class FileRef:
    """One file, as whoever refers to it has it on record.

    Attributes:
        sha256: in hex.
    """

    key: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        """A key from outside must not come so far: it is part of a path."""
        if not (_KEY.fullmatch(self.key) and _SHA256.fullmatch(self.sha256) and self.size >= 0):
            raise ValueError("no file is called like this")

    @property
    def etag(self) -> str:
        """As HTTP spells it: strong, for it is the content's digest."""
        return f'"{self.sha256}"'


class Upload(Protocol):
    """A file on its way in, written by whoever opened it and nobody else."""

    @property
    def offset(self) -> int:
        """How many bytes are here; the next one written comes after them."""
        ...

    async def write(self, data: bytes) -> None:
        """Raises NoRoom, WrongContent where more comes than was announced, and Withdrawn where it was deleted."""
        ...

    async def commit(self) -> None:
        """The file is there from now on, also after a power cut.

        Raises:
            WrongContent: it is shorter than announced, or its digest is another one.
            NoRoom: the disk is full.
            Withdrawn: it was deleted meanwhile.
        """
        ...

    async def abort(self) -> None:
        """Forgets what has come."""
        ...


class File(Protocol):
    """A file that is open for reading: it can be read to its end even if it is deleted meanwhile."""

    @property
    def ref(self) -> FileRef: ...

    def read(self, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Pieces of at most PIECE_BYTES, to the end or as many bytes as asked for; several may read at once.

        Who may stop before the end closes it: `async with aclosing(file.read()) as pieces`.
        """
        ...


class FileStore(Protocol):
    """Keeps files."""

    async def upload_url(self, ref: FileRef, expires: timedelta) -> str | None:
        """A URL by which a client brings the file without us; None where it has to come through us.

        What came that way is judged by `settle`.
        """
        ...

    async def settle(self, ref: FileRef) -> bool:
        """Puts a file that came by such a URL into its place, and says whether the file is there.

        Raises:
            WrongContent: what came has another size or digest; it is gone.
        """
        ...

    def open_upload(self, ref: FileRef, *, afresh: bool = False) -> AbstractAsyncContextManager[Upload]:
        """Begins or continues to bring a file.

        What has come by the time of leaving stays for the next one who opens it, unless it was committed or aborted.

        Args:
            ref: what is announced.
            afresh: forgets what came before.

        Raises:
            UploadBusy: it is open already, here or in another process.
            NoRoom: it would not fit.
        """
        ...

    def open_file_or_none(self, ref: FileRef) -> AbstractAsyncContextManager[File | None]:
        """Opens a file that is there."""
        ...

    async def received(self, ref: FileRef) -> int:
        """How much of an upload is here: all of it where the file is there."""
        ...

    async def has(self, ref: FileRef) -> bool:
        """Whether the file is there."""
        ...

    async def delete(self, ref: FileRef) -> bool:
        """Removes the file and what had come of it; False if there was neither."""
        ...

    async def sweep(self, known: Known, older_than: datetime) -> int:
        """Removes what nobody refers to, and uploads that nobody continued, both untouched since; says how many."""
        ...
