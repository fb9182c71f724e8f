"""The ready file: where a server that took any free port tells scripts what was bound.

It exists exactly while the server accepts, and is never seen half-written.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from visiona.cli.output import CommandError


class ReadyFile:
    """One ready file.

    Args:
        path: where; None for nowhere.
        also_printed: for `--json`: the same on standard output, in one line.
    """

    def __init__(self, path: Path | None, *, also_printed: bool = False) -> None:
        self._path = path
        self._also_printed = also_printed
        self._is_written = False

    def prepare(self) -> None:
        """Removes what a server that was killed left there, and tries whether anything can be written.

        Raises:
            CommandError: nothing can.
        """
        if self._path is None:
            return
        pid = _pid_in(self._path)
        if pid is not None and not _lives(pid):
            self._path.unlink(missing_ok=True)
        draft = self._draft(self._path)
        try:
            draft.touch()
            draft.unlink()
        except OSError as error:
            raise CommandError(
                f"the ready file {self._path} cannot be written: {error.strerror}; "
                "name a file in a folder that is there and that this user may write",
                code="READY_FILE",
            ) from error

    def write(self, web: str, relay: str, internal: str) -> None:
        """Says what was bound, as URLs, and which process did it."""
        body = json.dumps({"web": web, "relay": relay, "internal": internal, "pid": os.getpid()})
        if self._also_printed:
            print(body, flush=True)
        if self._path is None:
            return
        draft = self._draft(self._path)
        draft.write_text(body + "\n", encoding="utf-8")
        draft.replace(self._path)
        self._is_written = True

    def remove(self) -> None:
        """Takes it away, unless another server wrote its own there meanwhile."""
        if self._path is None or not self._is_written:
            return
        self._is_written = False
        if _pid_in(self._path) == os.getpid():
            with contextlib.suppress(OSError):
                self._path.unlink()

    @staticmethod
    def _draft(path: Path) -> Path:
        return path.with_name(f".{path.name}.{os.getpid()}")


@contextlib.contextmanager
def ready_file(path: Path | None, *, also_printed: bool = False) -> Iterator[ReadyFile]:
    """A ready file that is gone when the block is left, however it is left.

    Raises:
        CommandError: it cannot be written.
    """
    file = ReadyFile(path, also_printed=also_printed)
    file.prepare()
    try:
        yield file
    finally:
        file.remove()


def _pid_in(path: Path) -> int | None:
    """Whose ready file it is; None for none of ours."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        pid = json.loads(path.read_text(encoding="utf-8"))["pid"]
        return pid if isinstance(pid, int) and pid > 0 else None
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's process
    return True
