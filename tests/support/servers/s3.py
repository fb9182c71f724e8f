"""An S3 server for tests: versitygw over a folder, which checks signatures, sizes and dates as AWS does; loopback only.

It is a Go program, built once a checkout; where Go or its modules are missing, or building takes too long, the tests
that need it are skipped and say so.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.servers.processes import ServerFolder, ServerProcess, free_port

MODULE = Path(__file__).parent / "s3gateway"
PROGRAM = MODULE / "bin" / "versitygw-1.8.0"
BUILD_SECONDS = 420
BUCKET = "models"
ACCESS_KEY, SECRET_KEY = "AKIDVISIONATESTS", "not/a+secret:in@any%sense"


class S3Server:
    """A server of its own with one bucket, started; close it."""

    def __init__(self) -> None:
        self._folder = ServerFolder("s3")
        (self._folder.path / "data" / BUCKET).mkdir(parents=True)
        self.port = free_port()
        self._process = ServerProcess(
            [
                *(str(_program()), "--quiet", "--port", f"127.0.0.1:{self.port}"),
                *("--access", ACCESS_KEY, "--secret", SECRET_KEY),
                *("posix", str(self._folder.path / "data")),
            ],
            self._folder.path / "log",
            self._is_ready,
        )
        self.start()

    def start(self) -> None:
        self._process.start()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._folder.remove()

    @property
    def data(self) -> Path:
        """The bucket, as files."""
        return self._folder.path / "data" / BUCKET

    def url(self, prefix: str = "", *, secret: str = SECRET_KEY, bucket: str = BUCKET) -> str:
        return f"s3+http://{ACCESS_KEY}:{quote(secret, safe='')}@127.0.0.1:{self.port}/{bucket}/{prefix}"

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def build_ahead() -> None:
    """Builds it before the first test starts its clock; what is missing is said by the tests that need it."""
    with contextlib.suppress(pytest.skip.Exception):
        _program()


@functools.cache
def _program() -> Path:
    if PROGRAM.exists():
        return PROGRAM
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        pytest.skip("no `go` command here: the S3 server of the tests is built with it")
    PROGRAM.parent.mkdir(exist_ok=True)
    # Another run of tests in this checkout may be building it just now.
    with (
        (PROGRAM.parent / ".lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=PROGRAM.parent) as folder,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if PROGRAM.exists():
            return PROGRAM
        built = Path(folder) / "versitygw"
        order = [go, "build", "-o", str(built), "github.com/versity/versitygw/cmd/versitygw"]
        try:
            done = subprocess.run(
                order, cwd=MODULE, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
            )
        except subprocess.TimeoutExpired:
            pytest.skip("the S3 server of the tests takes too long to build here")
        if done.returncode != 0:
            pytest.skip(f"the S3 server of the tests cannot be built here: {done.stderr[-300:]}")
        os.replace(built, PROGRAM)
    return PROGRAM
