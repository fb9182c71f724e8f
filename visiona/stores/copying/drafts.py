"""A file that is not there before it is whole: it grows under another name beside its own.

Whoever writes it holds a lock on it, which the kernel drops with the process. So what a killed one left, which may be
as large as all model files together, is known to be left, and the next backup there removes it.
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part")
_NAMED_BY_US = re.compile(r"visiona-\d{8}T\d{6}Z\.zip")


@contextlib.contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A private file beside it, which takes its name when this ends well and goes when it does not."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with contextlib.suppress(OSError):
        _drop_left(path)
    try:
        descriptor = _opened(draft)
        try:
            yield draft
            os.fsync(descriptor)
            draft.replace(path)
        finally:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename not in {None, str(draft)}:
            raise
        # A person knows the file, not its draft.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _opened(draft: Path) -> int:
    """The draft, made and locked. Where locks are unknown it is without one, and nobody takes it for left either."""
    while True:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # somebody took it for left before it was locked


def _drop_left(path: Path) -> None:
    """Drafts of this file; and of those that are named for their moment, any."""
    for left in path.parent.iterdir():
        match = _DRAFT.fullmatch(left.name)
        if match is not None and (match[1] == path.name or _are_named_by_us(match[1], path.name)):
            with contextlib.suppress(OSError):
                _remove_unless_locked(left)


def _are_named_by_us(*names: str) -> bool:
    return all(_NAMED_BY_US.fullmatch(name) for name in names)


def _remove_unless_locked(draft: Path) -> None:
    descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.unlink()
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
