"""The files of the state directory that belong to what is kept: without its keys a restored server signs everybody out.

Which they are is the caller's to say; their contents are nobody's business here.

Files and rows cannot come at the same moment. So the files lie ready first, in `restoring/` with a number that the
rows' transaction writes into the database, too; their places they take when it is committed. Whoever finds that folder
later asks the database for its number: if it is that one the files are put into their places, else they go.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from visiona.stores.copying.errors import CommitUncertain, CopyRefused
from visiona.stores.ownership import give_to_owner_of_folder

STAGE = "restoring"
_MARK = "mark"

_MARKS = 2**31 - 1
"""SQLite has room for so many beside its tables."""


def read_state_files(folder: Path, names: Sequence[str]) -> Mapping[str, bytes]:
    """Those that are there; OSError where one cannot be read."""
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = (folder / name).read_bytes()
    return found


@contextlib.contextmanager
def staging(folder: Path, files: Mapping[str, bytes]) -> Iterator[int]:
    """Lays files ready, each whole; at the end they take their places, or go if this ends with an error.

    Mark the database with the number that is given, and commit it, within. Where nobody knows whether it was committed,
    or this is killed, the files stay where they are until `settling`.

    Raises:
        CopyRefused: another process is doing the same.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stage, mark = folder / STAGE, 1 + secrets.randbelow(_MARKS)
    with _locked(_made(stage)):
        try:
            for name, content in {**files, _MARK: str(mark).encode()}.items():
                _write(stage / name, content)
            _sync(stage)
            _sync(folder)
            yield mark
        except CommitUncertain:
            raise
        except BaseException:
            shutil.rmtree(stage)
            raise
        _put(stage)


def _made(stage: Path) -> Path:
    """Whoever finds it may look into it: it gets its name when it belongs to whom it is for."""
    draft = stage.with_name(f".{STAGE}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        give_to_owner_of_folder(draft)
        if stage.exists():
            raise CopyRefused(f"another restore uses {stage.parent}; wait for it", code="IN_USE")
        return draft.rename(stage)
    except BaseException:
        draft.rmdir()
        raise


def is_staged(folder: Path) -> bool:
    """Whether there is something to settle; somebody may be at it."""
    try:
        return (folder / STAGE).is_dir()
    except PermissionError:
        return False  # the database will say that this place is another user's


@contextlib.contextmanager
def settling(folder: Path) -> Iterator["Stage | None"]:
    """What a restore left that was killed; None where there is nothing, or the restore is alive."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_locked(folder / STAGE))
        except (FileNotFoundError, BlockingIOError):
            yield None
        else:
            yield Stage(folder / STAGE)


class Stage:
    """Files that lie ready."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def settle(self, mark: int | None) -> None:
        """Finishes it if the database has this mark by it, or takes it back."""
        kept = self._mark()
        if kept is not None and mark is not None and kept == str(mark).encode():
            _put(self._path)
        else:
            shutil.rmtree(self._path)

    def _mark(self) -> bytes | None:
        try:
            return read_state_files(self._path, [_MARK]).get(_MARK)
        except PermissionError:
            return None  # root was killed before it gave it away, so before there was anything in it


def _put(stage: Path) -> None:
    for path in sorted(stage.iterdir()):
        if path.name != _MARK:
            path.replace(stage.parent / path.name)
    _sync(stage.parent)
    shutil.rmtree(stage)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        # Root restores for the service's user, who owns the folder.
        give_to_owner_of_folder(path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the lock, which the kernel drops with the process; BlockingIOError where another one does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
