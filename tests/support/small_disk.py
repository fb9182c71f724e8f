"""A file system of a few MiB, to be filled. Mounting one takes root; where that is not allowed the test is skipped, visibly."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

FILLER = "filler"
STEP_BYTES = 4096


class SmallDisk:
    """What is mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leaves no byte."""
        with (self.path / FILLER).open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(STEP_BYTES)):
                pass

    def make_room(self) -> None:
        (self.path / FILLER).unlink()


@contextlib.contextmanager
def small_disk(path: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """A new file system at the path, which must be an empty folder; gone with all that is on it."""
    if os.geteuid() != 0:
        pytest.skip("a disk can be mounted by root alone")
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "visiona-test", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        yield SmallDisk(path)
    finally:
        _run("umount", "--lazy", str(path))


def _run(*order: str) -> None:
    subprocess.run(order, check=True, capture_output=True, timeout=10)
