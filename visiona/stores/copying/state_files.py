"""The files of the state directory that belong to what is kept: without its keys a restored server signs everybody out.

Which they are is the caller's to say; their contents are nobody's business here.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from visiona.stores.ownership import give_to_owner_of_folder


def read_state_files(folder: Path, names: Sequence[str]) -> Mapping[str, bytes]:
    """Those that are there; OSError where one cannot be read."""
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = (folder / name).read_bytes()
    return found


@contextlib.contextmanager
def putting(folder: Path, files: Mapping[str, bytes]) -> Iterator[None]:
    """Puts files in place, each whole; those that were there before come back if this ends with an error.

    Commit the database within. Killed between the two, the files are the new ones and the database is as it was:
    restoring again mends that, and the other way round nobody would know that keys are missing.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = read_state_files(folder, list(files))
    try:
        for name, content in files.items():
            _write(folder / name, content)
        yield
    except BaseException:
        for name in files:
            if name in before:
                _write(folder / name, before[name])
            else:
                (folder / name).unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.restored")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        give_to_owner_of_folder(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
