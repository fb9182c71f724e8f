"""Where the provider's keys lie: `idp-keys.json` in the state directory, for its owner alone.

Written whole under another name and then renamed, so that no reader sees half of it; a lock on the folder keeps the
server and `visiona idp rotate-keys` from undoing each other's work. Nothing here is asynchronous: call it in a
worker thread.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from joserfc.errors import JoseError

from visiona.web.idp.keys import Keys, from_document, new_keys, rotated, to_document

log = logging.getLogger(__name__)

KEY_FILE = "idp-keys.json"

Mark = tuple[int, int, int]
"""Changes with the file: inode, size, time of the last write."""


def key_path(state_dir: Path) -> Path:
    """Where the file is."""
    return state_dir / KEY_FILE


def open_keys(path: Path, now: datetime) -> Keys:
    """The keys, made now where there are none, and the newest replaced where it is too old.

    Raises:
        OSError: the file cannot be read or written, or is none of ours; it was left as it is.
    """
    return _changed(path, now, lambda keys: rotated(keys, now) if keys.is_rotation_due(now) else keys)


def rotate_keys(path: Path, now: datetime) -> Keys:
    """Makes a new key whatever the age of the last; raises as `open_keys`."""
    return _changed(path, now, lambda keys: rotated(keys, now))


def mark_of(path: Path) -> Mark | None:
    """What differs from an earlier answer if the file was changed since; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _changed(path: Path, now: datetime, change: Callable[[Keys], Keys]) -> Keys:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path.parent):
        before = _read_or_none(path)
        after = new_keys(now) if before is None else change(before)
        if after is not before:
            _write(path, after)
            log.info("the identity provider has a new key", extra={"kid": after.newest.kid})
        return after


def _read_or_none(path: Path) -> Keys | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        log.warning("others could read the identity provider's keys; mended", extra={"path": str(path)})
        path.chmod(0o600)
    try:
        return from_document(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
        hint = (
            "holds no keys of the identity provider; restore it, or move it away and everybody signs in again"
        )
        raise OSError(errno.EINVAL, hint, str(path)) from error


def _write(path: Path, keys: Keys) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(to_document(keys), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
