"""The key that seals session cookies: chosen by the administrator, or a file of mode 0600 that is made once.

With another key every cookie is none and everybody signs in again; that is also how to end all sessions at a stroke.
"""

import errno
import hashlib
import logging
import os
import re
import secrets
from pathlib import Path

log = logging.getLogger(__name__)

KEY_FILE = "session.key"
KEY_BYTES = 32

_SPELLING = re.compile(r"[0-9a-f]{64}")


def session_key(chosen: str | None, state_dir: Path, *, is_kept: bool) -> bytes:
    """The key of this server.

    Args:
        chosen: from `[session] key`; any text, long enough (SessionSettings.check).
        state_dir: where the file is.
        is_kept: False where the sessions themselves are gone with the process: then the key is, too.

    Raises:
        OSError: the file cannot be read or made, or holds no key; it was left as it is.
    """
    if chosen is not None:
        return hashlib.sha256(b"visiona session cookie\n" + chosen.encode()).digest()
    if not is_kept:
        return secrets.token_bytes(KEY_BYTES)
    path = state_dir / KEY_FILE
    text = _read_or_none(path)
    if text is None:
        _make(path)
        text = path.read_text(encoding="ascii")
    return _key_in(text, path)


def _read_or_none(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        log.warning("others could read the key of the session cookies; mended", extra={"path": str(path)})
        path.chmod(0o600)
    return text


def _key_in(text: str, path: Path) -> bytes:
    if not _SPELLING.fullmatch(text.strip()):
        hint = "holds no key of session cookies; restore it, or move it away and everybody signs in again"
        raise OSError(errno.EINVAL, hint, str(path))
    return bytes.fromhex(text.strip())


def _make(path: Path) -> None:
    """Whole or not at all, and never in the place of one that appeared meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
