"""A disk that takes no more, in the middle: one sentence, and nothing half-written stays."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.copying.sample import filled_with_many
from tests.stores.copying.shelf import filled_with_files
from tests.stores.copying.test_backup import backed_up, names_in
from tests.stores.copying.test_model_files import with_files

MOST_BYTES = 100_000
"""Of one file; Python gives an error in place of the signal, as a full disk does."""


def visiona(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visiona", *arguments],
        env={"VISIONA_STATE_DIR": str(state_dir)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES)),
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_s03_no_half_of_a_backup_stays(tmp_path: Path) -> None:
    await filled_with_many(tmp_path / "state", 20_000)
    refused = visiona(tmp_path / "state", "backup", str(tmp_path / "file.zip"))
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path}/file.zip: " in refused.stderr
    assert names_in(tmp_path) == ["state"]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_s03_no_half_of_the_files_of_models_stays(tmp_path: Path) -> None:
    """Where the room went while it was used: what was there at first would have been enough."""
    settings = await filled_with_files(tmp_path / "state", [b"small", b"x" * 3 * MOST_BYTES])
    refused = visiona(tmp_path / "state", "backup", str(tmp_path / "file.zip"))
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path}/file.zip: " in refused.stderr
    assert names_in(tmp_path) == ["state"]
    assert names_in(settings.state_dir / "files" / "aside") == []
    await with_files(settings, tmp_path / "file.zip")
    refused = visiona(tmp_path / "new", "restore", str(tmp_path / "file.zip"))
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path}/new/files: " in refused.stderr
    assert names_in(tmp_path / "new") == ["visiona.db.lock"]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_s03_no_half_of_what_was_restored_stays(tmp_path: Path) -> None:
    await backed_up(await filled_with_many(tmp_path / "state", 20_000), tmp_path / "file.zip")
    refused = visiona(tmp_path / "new", "restore", str(tmp_path / "file.zip"))
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (3, "", 1)
    assert "[STORE_UNAVAILABLE]" in refused.stderr
    assert names_in(tmp_path / "new") == ["visiona.db.lock"]
