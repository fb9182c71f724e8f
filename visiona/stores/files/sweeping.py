"""Removing from the content-addressed folder what nobody refers to. Blocking, piece by piece."""

import fcntl
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from visiona.stores.files.content import ContentFolder

BATCH = 500
"""Keys asked about at once."""


def key_batches(folder: ContentFolder, older_than: float) -> Iterator[list[str]]:
    """The keys of files and of uploads that nobody has touched since."""
    names = (path.name for path in _old(folder.root / "objects", older_than))
    while batch := list(islice(names, BATCH)):
        yield batch


def drop_objects(folder: ContentFolder, keys: list[str]) -> int:
    """Removes those files; their contents stay for `drop_blobs`."""
    paths = [folder.root / "objects" / key for key in keys]
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def drop_incoming(folder: ContentFolder, older_than: float) -> int:
    """Removes what came of files that nobody went on to bring."""
    return sum(_dropped(path, older_than) for path in list(_old(folder.root / "incoming", older_than)))


def _dropped(path: Path, older_than: float) -> bool:
    """Under the lock of who writes to it: somebody may go on with it at this very moment."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_old = _touched_at(os.fstat(descriptor)) < older_than
        if is_old:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return is_old


def drop_blobs(folder: ContentFolder, older_than: float) -> int:
    """Removes contents that no file has."""
    count = 0
    with os.scandir(folder.root / "blobs") as shelves:
        for shelf in [Path(entry.path) for entry in shelves if entry.is_dir(follow_symlinks=False)]:
            count += sum(folder.drop_blob(path) for path in _old(shelf, older_than))
    return count


def _old(folder: Path, older_than: float) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            # Whatever else lies there is none of ours.
            if stat.S_ISREG(status.st_mode) and _touched_at(status) < older_than:
                yield Path(entry.path)


def _touched_at(status: os.stat_result) -> float:
    # The change of its links counts too, not that of its content alone.
    return max(status.st_ctime, status.st_mtime)
