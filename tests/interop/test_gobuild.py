"""What is kept of the builds."""

import os
import time
from pathlib import Path

import pytest

from tests.interop import gobuild


def test_builds_of_older_sources_are_not_kept_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gobuild, "BIN", tmp_path)
    old = time.time() - gobuild.STALE_SECONDS - 1
    for name in ("now", "running", "stale"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent-new").touch()
    for name in (".lock", "stray"):
        (tmp_path / name).touch()
    for name in ("stale", "stray", ".lock"):
        os.utime(tmp_path / name, (old, old))
    gobuild._forget_stale()
    assert {place.name for place in tmp_path.iterdir()} == {"now", "running", ".lock"}
