"""A folder of one's own inside the folder of the files, for as long as somebody works in it: `aside/<random>/`.

It is there because a hard link reaches no further than its file system. Whoever works there holds a lock on it, which
the kernel drops with the process: what a dead one left is removed by the next who comes and by the server's sweep.
Nothing here is asynchronous: call it in a worker thread.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from visiona.stores.ownership import give_to_owner_of_folder

NAME = "aside"

_NOT_OURS = (BlockingIOError, FileNotFoundError, PermissionError)
"""Somebody works there, it has just gone, or it is another user's."""


@contextlib.contextmanager
def open_aside(root: Path) -> Iterator[Path]:
    """Makes such a folder; it goes at the end with all that is in it. OSError where it cannot be made."""
    parent = root / NAME
    with contextlib.suppress(FileExistsError):
        parent.mkdir(mode=0o700)
    give_to_owner_of_folder(parent)
    with contextlib.ExitStack() as stack:
        with _locked(parent):
            _drop_left(parent)
            mine = parent / secrets.token_hex(8)
            mine.mkdir(mode=0o700)
            stack.callback(shutil.rmtree, mine, ignore_errors=True)
            # While the parent is locked nobody takes it for one that was left.
            stack.enter_context(_locked(mine))
            give_to_owner_of_folder(mine)
        yield mine


def drop_left(root: Path) -> None:
    """Removes what processes left that are no more."""
    parent = root / NAME
    # Another user's is that user's to remove: root was killed before it gave it away.
    with contextlib.suppress(FileNotFoundError, PermissionError), _locked(parent):
        _drop_left(parent)


def _drop_left(parent: Path) -> None:
    for path in list(parent.iterdir()):
        with contextlib.suppress(*_NOT_OURS), _locked(path, waits=False):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, waits: bool = True) -> Iterator[None]:
    """Holds the lock; BlockingIOError where another one does and this is not to wait."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
