"""The npm packages of the tests: installed once per checkout, exactly as the lock file says."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
STAMP = MODULES / ".installed"
INSTALL_SECONDS = 120


def node() -> str:
    """The path of node, with the packages beside; skips, and says why, where they cannot be had."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("node and npm are needed to run a provider that is not ours")
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if not (STAMP.exists() and STAMP.read_text() == lock):
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
        if done.returncode != 0:
            pytest.skip(f"npm ci failed, so no provider that is not ours: {done.stderr[-300:]}")
        STAMP.write_text(lock)
    return found
