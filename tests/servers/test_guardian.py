"""A run of tests that is killed leaves nothing behind, and one that ends leaves its guardian behind no more."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.servers import guardian, trees
from tests.support.servers.processes import ServerFolder

POSTGRES = """
from tests.support.servers.postgres import PostgresServer
server = PostgresServer()
server.sql("SELECT 1")
"""
FROZEN_POSTGRES = POSTGRES + "server.freeze()\n"
REDIS = """
from tests.support.servers.redis import RedisServer
server = RedisServer()
"""
SOMETHING = """
import subprocess
from tests.support.servers.guardian import watched
watched(subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000"]))
"""
WITH_A_COPY = REDIS + "import os\nif os.fork() == 0:\n    import time\n    time.sleep(1000)\n"
TELL = """
import json, os, sys
from tests.support.servers import trees
pids = [pid for pid in trees.descendants(os.getpid()) if os.path.exists(f"/proc/{pid}")]
guarding = [pid for pid in pids if "guardian" in open(f"/proc/{pid}/cmdline").read()]
folders = [str(server._folder.path)] if "server" in globals() else []
print(json.dumps({"pids": pids, "guardian": guarding, "folders": folders}), flush=True)
"""
WAIT = "sys.stdin.read()\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc"),
]


def run_of(text: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", text], stdin=pipe, stdout=pipe, text=True, cwd=guardian.ROOT
    )


def still_there(pids: Sequence[int]) -> list[int]:
    listed = trees.processes()
    return [pid for pid in pids if pid in listed and listed[pid].is_alive]


def wait_gone(pids: Sequence[int], folders: Sequence[str]) -> None:
    deadline = time.monotonic() + 20
    while (left := still_there(pids)) or any(Path(one).exists() for one in folders):
        assert time.monotonic() < deadline, (left, folders)
        time.sleep(0.02)  # noqa: TID251 - other processes; there is nothing else to wait for


@pytest.mark.parametrize(
    "text",
    [POSTGRES, FROZEN_POSTGRES, REDIS, SOMETHING],
    ids=["postgres", "frozen postgres", "redis", "with a child"],
)
def test_what_a_killed_run_has_started_ends_with_it(text: str) -> None:
    with run_of(text + TELL + WAIT) as run:
        assert run.stdout is not None
        told = json.loads(run.stdout.readline())
        assert len(told["pids"]) >= 2
        assert len(told["guardian"]) == 1
        run.send_signal(signal.SIGKILL)
    wait_gone(told["pids"], told["folders"])


def test_a_copy_of_the_run_that_lives_on_hinders_nobody() -> None:
    with ExitStack() as cleanup, run_of(WITH_A_COPY + TELL + WAIT) as run:
        assert run.stdout is not None
        told = json.loads(run.stdout.readline())
        (copy,) = [pid for pid in told["pids"] if command_of(pid)[1:2] == ["-c"]]
        cleanup.callback(trees.kill, copy)
        run.send_signal(signal.SIGKILL)
        wait_gone([pid for pid in told["pids"] if pid != copy], told["folders"])
        assert still_there([copy]) == [copy]


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


def test_after_a_run_that_ends_nobody_is_left() -> None:
    with run_of(REDIS + TELL) as run:
        assert run.stdout is not None
        told = json.loads(run.stdout.readline())
        assert run.wait(30) == 0
    wait_gone(told["pids"], told["folders"])


def test_who_has_the_id_by_now_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(trees, "kill", ended.append)
    now, later = trees.Listed(7, 1, "S", "then"), trees.Listed(7, 1, "S", "since then")
    listings = iter([{7: now}, {7: later}, {7: now}, {7: now}])
    monkeypatch.setattr(trees, "processes", lambda: next(listings))
    guardian.guard(['{"pid": 7}'])
    assert ended == []
    guardian.guard(['{"pid": 7}'])
    assert ended == [7]


@pytest.mark.parametrize("word", ["folder", "remove"])
def test_only_temporary_folders_are_removed(tmp_path: Path, word: str) -> None:
    guardian.guard([json.dumps({word: str(tmp_path)})])
    assert tmp_path.exists()


def test_a_folder_goes_while_the_run_goes_on() -> None:
    folder = ServerFolder("going")
    (folder.path / "file").touch()
    folder.remove()
    wait_gone([], [str(folder.path)])
