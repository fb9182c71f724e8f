"""The ready file: where a server that took any free port tells scripts what was bound.

It exists exactly while the server accepts, and is never seen half-written.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


class ReadyFile:
    """One ready file.

    Args:
        path: where; None for nowhere.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._is_written = False

    def write(self, web: str, relay: str, internal: str) -> None:
        """Says what was bound, as URLs, and which process did it."""
        if self._path is None:
            return
        body = {"web": web, "relay": relay, "internal": internal, "pid": os.getpid()}
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps(body) + "\n", encoding="utf-8")
        draft.replace(self._path)
        self._is_written = True

    def remove(self) -> None:
        """Takes it away, unless another server wrote its own there meanwhile."""
        if self._path is None or not self._is_written:
            return
        self._is_written = False
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            if json.loads(self._path.read_text(encoding="utf-8"))["pid"] == os.getpid():
                self._path.unlink()


@contextlib.contextmanager
def ready_file(path: Path | None) -> Iterator[ReadyFile]:
    """A ready file that is gone when the block is left, however it is left."""
    file = ReadyFile(path)
    try:
        yield file
    finally:
        file.remove()
