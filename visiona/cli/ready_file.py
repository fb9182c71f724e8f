"""The ready file: where a server that took any free port tells scripts what was bound.

It exists exactly while the server accepts, and is never seen half-written. The same stands in the state folder for the
commands beside a server: a link that one of them prints leads to where the server really is.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from visiona.cli.output import CommandError

SERVER_FILE = "server.json"
"""Its name in the state folder."""


class ReadyFile:
    """One ready file.

    Args:
        path: where; None for nowhere.
        state_dir: a second one is there, as far as it can be written; None for none.
        also_printed: for `--json`: the same on standard output, in one line.
    """

    def __init__(
        self, path: Path | None, *, state_dir: Path | None = None, also_printed: bool = False
    ) -> None:
        self._path = path
        self._beside = state_dir / SERVER_FILE if state_dir is not None else None
        self._also_printed = also_printed
        self._written: list[Path] = []

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
        if self._path is not None:
            self._write(self._path, body)
        if self._beside is not None:
            # Without it a link leads to the configured port.
            with contextlib.suppress(OSError):
                self._write(self._beside, body)

    def _write(self, path: Path, body: str) -> None:
        draft = self._draft(path)
        draft.write_text(body + "\n", encoding="utf-8")
        draft.replace(path)
        self._written.append(path)

    def remove(self) -> None:
        """Takes it away, unless another server wrote its own there meanwhile."""
        while self._written:
            path = self._written.pop()
            if _pid_in(path) == os.getpid():
                with contextlib.suppress(OSError):
                    path.unlink()

    @staticmethod
    def _draft(path: Path) -> Path:
        return path.with_name(f".{path.name}.{os.getpid()}")


@contextlib.contextmanager
def ready_file(
    path: Path | None, *, state_dir: Path | None = None, also_printed: bool = False
) -> Iterator[ReadyFile]:
    """A ready file that is gone when the block is left, however it is left.

    Raises:
        CommandError: it cannot be written.
    """
    file = ReadyFile(path, state_dir=state_dir, also_printed=also_printed)
    file.prepare()
    try:
        yield file
    finally:
        file.remove()


def running_web_or_none(state_dir: Path) -> str | None:
    """Where the server that runs on this state folder is reached; None where none does."""
    path = state_dir / SERVER_FILE
    pid = _pid_in(path)
    if pid is None or not _lives(pid):
        return None
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        web = json.loads(path.read_text(encoding="utf-8"))["web"]
        return web if isinstance(web, str) else None
    return None


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
