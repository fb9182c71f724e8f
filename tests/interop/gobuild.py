"""Builds the Go programs once a checkout, for both generations of yamux.

The binaries live in `go/bin/<key>/`, where the key is a hash of every source file and of the compiler's version:
nothing is built twice, and nothing stale is ever run. Any number of test processes may ask at once.
"""

import contextlib
import fcntl
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

GO = Path(__file__).parent / "go"
BIN = GO / "bin"
GENERATIONS = {"new": "go.mod", "old": "old.mod"}
COMMANDS = ("agent", "server", "raw", "record")
OLDEST_GO = (1, 24)
STALE_SECONDS = 3600.0


class GoIsMissing(Exception):
    """The programs cannot be built here; the message says why."""


def binary(command: str, generation: str = "new") -> Path:
    """Where the program is, built if need be; skips the test, with the reason, where that cannot be."""
    try:
        return build() / f"{command}-{generation}"
    except GoIsMissing as reason:
        pytest.skip(str(reason))


@functools.cache
def build() -> Path:
    """Build everything that is not built yet.

    Raises:
        GoIsMissing: no usable compiler, or its modules cannot be fetched.
        subprocess.CalledProcessError: the sources do not compile, which is a fault and not a reason to skip.
    """
    go = _compiler()
    BIN.mkdir(exist_ok=True)
    with (BIN / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = BIN / _key(go)
        if not place.exists():
            _build_all(go, place)
        place.touch()
        _forget_stale()
        return place


def build_ahead() -> None:
    """Build before the first test starts its clock; what is missing is said by the tests that need it."""
    with contextlib.suppress(GoIsMissing):
        build()


def _compiler() -> str:
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise GoIsMissing("no `go` command here: the interop tests need Go 1.24 or newer")
    said = _run([go, "env", "GOVERSION"]).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        raise GoIsMissing(
            f"{go} is {said or 'too old to say its version'}: the interop tests need Go 1.24 or newer"
        )
    return go


def _key(go: str) -> str:
    digest = hashlib.sha256(_run([go, "version"]).stdout.encode())
    sources = sorted(
        {*GO.glob("*.mod"), *GO.glob("*.sum"), *GO.glob("cmd/**/*.go"), *GO.glob("internal/**/*.go")}
    )
    for source in sources:
        digest.update(
            f"{source.relative_to(GO)}\0{hashlib.sha256(source.read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()[:16]


def _build_all(go: str, place: Path) -> None:
    for modfile in GENERATIONS.values():
        fetched = _run([go, "mod", "download", f"-modfile={modfile}"])
        if fetched.returncode:
            raise GoIsMissing(f"Go modules cannot be fetched here: {fetched.stderr.strip()[-300:]}")
    with tempfile.TemporaryDirectory(dir=BIN) as unfinished:
        for generation, modfile in GENERATIONS.items():
            for command in COMMANDS:
                target = Path(unfinished) / f"{command}-{generation}"
                flags = f"-s -w -X main.Generation={generation}"
                order = ["build", f"-modfile={modfile}", "-trimpath", "-ldflags", flags, "-o", str(target)]
                done = _run([go, *order, f"./cmd/{command}"])
                if done.returncode:
                    raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
        shutil.copytree(unfinished, f"{place}.part", dirs_exist_ok=True)
    Path(f"{place}.part").rename(place)


def _forget_stale() -> None:
    """Builds of other sources go, but not one that another process may be running right now."""
    for place in BIN.iterdir():
        if place.name == ".lock" or place.stat().st_mtime >= time.time() - STALE_SECONDS:
            continue
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _run(order: list[str]) -> subprocess.CompletedProcess[str]:
    # GOTOOLCHAIN=local: a compiler that is too old is a reason to skip, not to download another one.
    settings = ["env", "GOTOOLCHAIN=local", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0", "GOWORK=off"]
    return subprocess.run(
        [*settings, *order], cwd=GO, capture_output=True, text=True, timeout=300, check=False
    )
